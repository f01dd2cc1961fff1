"""Reading forms."""

from __future__ import annotations

from typing import IO, Any
from urllib.parse import parse_qsl
from uuid import UUID, uuid4

from flask import Flask, Request, request
from werkzeug.formparser import FormDataParser

from chatweb.services.errors import StaleForm

URLENCODED = "application/x-www-form-urlencoded"
KINDS = {URLENCODED, "multipart/form-data"}


class Parser(FormDataParser):
    """Bytes that are no UTF-8 become U+FFFD in both kinds of forms.

    In a URL-encoded one Werkzeug would keep some as ``%FF`` and drop the whole form for others.
    """

    def parse(
        self, stream: IO[bytes], mimetype: str, content_length: int | None, options: Any = None
    ) -> Any:
        if mimetype != URLENCODED:
            return super().parse(stream, mimetype, content_length, options)
        text = stream.read().decode(errors="replace")
        fields = parse_qsl(text, keep_blank_values=True, errors="replace")
        return stream, self.cls(fields), self.cls()


class FormRequest(Request):
    form_data_parser_class = Parser


def init_app(app: Flask) -> None:
    app.request_class = FormRequest


def text(name: str) -> str:
    return request.form.get(name, "")


def request_id() -> UUID:
    """The id minted with the form, so that the same send twice is one; programs may leave it out.

    :raises StaleForm: there is one that is no UUID
    """
    given = request.form.get("request_id")
    try:
        return UUID(given) if given else uuid4()
    except ValueError:
        raise StaleForm("This form is out of date. Send again, please.") from None


def whole_number(name: str) -> int | None:
    given = request.form.get(name, "")
    return int(given) if given.isdecimal() and given.isascii() and len(given) < 12 else None
