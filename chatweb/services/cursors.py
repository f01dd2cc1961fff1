"""Cursors: where a list goes on, as text for an address."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple
from uuid import UUID


class Cursor(NamedTuple):
    """The last row shown, in the order (moment, id), newest first."""

    at: datetime
    id: UUID

    def __str__(self) -> str:
        return f"{self.at.astimezone(UTC):%Y%m%dT%H%M%S.%f}-{self.id.hex}"

    @classmethod
    def read(cls, text: str | None) -> Cursor | None:
        """The cursor in ``text``; None, so the first page, when it holds none."""
        moment, _, name = (text or "").partition("-")
        try:
            at = datetime.strptime(moment, "%Y%m%dT%H%M%S.%f").replace(tzinfo=UTC)
            return cls(at, UUID(hex=name))
        except ValueError:
            return None
