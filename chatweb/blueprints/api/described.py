"""Views of programs, described by the shapes that they really take and give.

A view says what it takes and what it gives. What comes is checked against that before the view is
called, what goes out is made of it, and the description of the interface is made of the same: it
cannot lag behind.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from typing import Any, NoReturn
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

import msgspec
from flask import Response, abort, request

from chatweb.services.errors import Invalid

JSON = "application/json"
EVENTS = "text/event-stream"
LONGEST_KEY = 255

View = Callable[..., Any]


@dataclass(frozen=True)
class Events:
    """A stream of events: by their names, what the data of each is."""

    shapes: Mapping[str, Any]


@dataclass(frozen=True)
class Described:
    """What a view does, takes and gives.

    ``gives`` has for each status a shape, events, the name of a media type, several of them, or
    None for no body;
    ``refuses``: statuses of errors beyond those any view may have; ``headers``: of the request
    and of what it gives, with what they say; ``may_be_known``: it has an ETag, and is not sent to
    who has it; ``once``: a POST that is done once for each ``Idempotency-Key``.
    """

    summary: str
    gives: Mapping[int, Any]
    takes: type[msgspec.Struct] | None = None
    query: type[msgspec.Struct] | None = None
    refuses: tuple[int, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    may_be_known: bool = False
    once: bool = True


def described(summary: str, *, gives: Mapping[int, Any], **facts: Any) -> Callable[[View], View]:
    """Check and describe a view, which gets what was sent as ``body`` and ``query``.

    It returns a shape, or one with its status, or None where there is nothing to say; a response of
    its own is left as it is.
    """
    about = Described(summary, gives, **facts)

    def describe(view: View) -> View:
        @wraps(view)
        def checked(**arguments: Any) -> Response:
            if about.query:
                arguments["query"] = from_query(about.query)
            if about.takes:
                arguments["body"] = from_body(about.takes)
            return _answer(view(**arguments), about)

        checked.__dict__["described"] = about
        return checked

    return describe


def _answer(result: Any, about: Described) -> Response:
    if isinstance(result, Response):
        return result
    shape, status = result if isinstance(result, tuple) else (result, 200)
    if shape is None:
        return Response(status=204)
    response = Response(msgspec.json.encode(shape), status, mimetype=JSON)
    if about.may_be_known:
        response.add_etag()
        asked = {name: what for name, what in request.environ.items() if name != "HTTP_IF_MATCH"}
        response.make_conditional(asked)  # who only reads has nothing that could be overtaken
    return response


def from_query(shape: type[msgspec.Struct]) -> Any:
    return fitted(request.args.to_dict(), shape, strict=False)


def from_body(shape: type[msgspec.Struct]) -> Any:
    data = request.get_data(cache=False)
    try:
        sent = msgspec.json.decode(data) if data else {}
    except (ValueError, RecursionError):
        abort(400)
    return fitted(sent, shape)


def fitted(sent: Any, shape: type[msgspec.Struct], *, strict: bool = True) -> Any:
    """``sent`` as a shape; what it has no field for is ignored.

    :raises Invalid: it does not fit; says for each field what is wrong
    """
    try:
        return msgspec.convert(sent, shape, strict=strict)
    except msgspec.ValidationError as error:
        refuse(sent, shape, str(error), strict=strict)


def refuse(sent: Any, shape: type[msgspec.Struct], sentence: str, *, strict: bool) -> NoReturn:
    fields = {}
    for each in msgspec.structs.fields(shape) if isinstance(sent, dict) else ():
        try:
            if each.encode_name in sent:
                msgspec.convert(sent[each.encode_name], each.type, strict=strict)
            elif each.required:
                fields[each.encode_name] = "This field is missing"
        except msgspec.ValidationError as error:
            fields[each.encode_name] = str(error)
    raise Invalid(
        "; ".join(f"{name}: {what}" for name, what in fields.items()) or sentence, fields
    )  # fmt: skip


def request_id(given: UUID | None) -> UUID:
    """The id of a request, from its body or its ``Idempotency-Key``, which may be any text.

    :raises Invalid: they differ, or the key is too long
    """
    key = request.headers.get("Idempotency-Key")
    if not key:
        return given or uuid4()
    if len(key) > LONGEST_KEY:
        raise Invalid(f"Idempotency-Key has more than {LONGEST_KEY} characters.")
    try:
        named = UUID(key)
    except ValueError:
        named = uuid5(NAMESPACE_URL, key)
    if given not in {None, named}:
        raise Invalid("`request_id` and Idempotency-Key name different requests.")
    return named
