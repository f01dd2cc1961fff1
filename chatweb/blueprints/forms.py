"""Reading forms."""

from __future__ import annotations

from uuid import UUID, uuid4

from flask import request

from chatweb.services.errors import StaleForm


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
