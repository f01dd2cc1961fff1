"""The description of the interface: OpenAPI 3.1, and the same as a page to be read."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import msgspec
from flask import Blueprint, Response, current_app, render_template, request
from werkzeug.routing import Rule

from chatweb.blueprints.access import (
    ANYONE,
    OWNERS,
    PROGRAMS,
    READERS,
    SAFE,
    SESSION,
    SESSION_IN_QUERY,
    cookie_name,
    open_to,
    owner,
)
from chatweb.blueprints.api import reading
from chatweb.blueprints.api.contents import components, content, in_all
from chatweb.blueprints.api.described import JSON, Described
from chatweb.blueprints.api.shapes import Refusal
from chatweb.blueprints.pages import feed_of
from chatweb.blueprints.side import side

blueprint = Blueprint("api_description", __name__, url_prefix="/api")

ANY = (400, 401, 403, 413, 422, 503)
"""Errors that every view may have."""
WITH_BODY = (415,)
UNREAD = (414, 431)
"""Said by gunicorn, which has not read the request to its end; so not in our shape."""
REASONS = {
    200: "Done", 201: "Made", 204: "Done, and nothing to say", 304: "As it was known",
    400: "The request cannot be read", 401: "Who is asking cannot be told",
    403: "This may not be done by whoever is asking, or from where they ask",
    404: "Not there, or not theirs", 409: "Not possible in the state things are in",
    413: "The body is too large", 414: "The address is too long", 415: "The body is not JSON",
    422: "Something that was sent cannot be taken", 429: "More than is allowed in a while",
    431: "The headers are too large",
    502: "The model gave no whole answer; the question is kept", 503: "The database is away",
}  # fmt: skip
PLACES = {"uuid": {"type": "string", "format": "uuid"}, "int": {"type": "integer", "minimum": 0}}
PLACE = re.compile(r"<(?:(\w+):)?(\w+)>")
RETRY_AFTER = {"description": "Seconds to wait.", "schema": {"type": "integer"}}


@blueprint.get("/v1/openapi.json")
@open_to(ANYONE)
def document() -> Response:
    return Response(msgspec.json.encode(openapi()), mimetype=JSON)  # in this order


@blueprint.get("/docs")
@open_to(OWNERS)
def page() -> str:
    described = openapi()
    return render_template(
        "api/page.html", operations=list(reading.operations(described)),
        shapes=list(reading.shapes(described)), base=request.host_url.rstrip("/"),
        conversations=side(owner()), feed=feed_of(),
    )  # fmt: skip


def openapi() -> dict[str, Any]:
    """All views that are described, as OpenAPI 3.1."""
    routes = list(described_routes())
    paths: dict[str, dict[str, Any]] = {}
    for rule, about, whom in routes:
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"}):
            paths.setdefault(PLACE.sub(r"{\2}", rule.rule), {})[method.lower()] = operation(
                rule, about, method, whom
            )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "chatweb",
            "version": "1",
            "description": "Ask, read and follow as the pages do, from programs.",
        },
        "paths": paths,
        "components": {
            "schemas": components((about for _, about, _ in routes), Refusal),
            "securitySchemes": schemes(),
        },
    }


def schemes() -> dict[str, Any]:
    return {
        "token": {"type": "http", "scheme": "bearer"},
        "session": {"type": "apiKey", "in": "header", "name": SESSION},
        "session_in_query": {"type": "apiKey", "in": "query", "name": SESSION_IN_QUERY},
        "cookie": {"type": "apiKey", "in": "cookie", "name": cookie_name()},
    }


def described_routes() -> Iterator[tuple[Rule, Described, str]]:
    for rule in current_app.url_map.iter_rules():
        view = current_app.view_functions[rule.endpoint]
        if about := getattr(view, "described", None):
            yield rule, about, getattr(view, "open_to", ANYONE)


def operation(rule: Rule, about: Described, method: str, whom: str) -> dict[str, Any]:
    known = {
        "operationId": rule.endpoint.replace(".", "_"),
        "summary": about.summary,
        "parameters": [*places(rule), *asked(about, method)],
        "responses": responses(rule, about, method),
        "security": [{"token": []}],
    }
    if whom in {PROGRAMS, READERS}:
        known["security"] += [{"session": []}, {"cookie": []}, {}]
        if whom == READERS:
            known["security"].insert(1, {"session_in_query": []})
    elif whom == ANYONE:
        known["security"] = []
    if about.takes:
        required = any(each.required for each in msgspec.structs.fields(about.takes))
        known["requestBody"] = {"required": required} | content(about.takes)
    return known


def places(rule: Rule) -> Iterator[dict[str, Any]]:
    for kind, name in PLACE.findall(rule.rule):
        schema = PLACES.get(kind, {"type": "string"})
        yield {"name": name, "in": "path", "required": True, "schema": schema}


def asked(about: Described, method: str) -> Iterator[dict[str, Any]]:
    if about.query:
        schema = msgspec.json.schema_components([about.query])[1][about.query.__name__]
        for name, kind in schema["properties"].items():
            required = name in schema.get("required", ())
            yield {"name": name, "in": "query", "required": required, "schema": kind}
    if method == "POST" and about.takes and about.once:
        yield {
            "name": "Idempotency-Key", "in": "header", "schema": {"type": "string"},
            "description": "As `request_id`.",
        }  # fmt: skip
    for name, said in about.headers.items():
        yield {"name": name, "in": "header"} | header(said)


def header(said: str) -> dict[str, Any]:
    return {"schema": {"type": "string"}, "description": said}


def responses(rule: Rule, about: Described, method: str) -> dict[str, Any]:
    errors = {*ANY, *about.refuses}
    if method not in SAFE:
        errors |= set(WITH_BODY)
    if rule.arguments:
        errors.add(404)
    found = {
        str(status): {"description": REASONS[status]} | content(*in_all(given))
        for status, given in about.gives.items()
    }
    told = {name: header(said) for name, said in about.headers.items()}
    for each in found.values() if told else ():
        each["headers"] = told
    for status in sorted(errors):
        found[str(status)] = {"description": REASONS[status]} | content(Refusal)
        if status in {429, 503}:
            found[str(status)]["headers"] = {"Retry-After": RETRY_AFTER}
    return found | {
        str(status): {"description": REASONS[status]} | content("text/html") for status in UNREAD
    }
