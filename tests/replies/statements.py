"""What an application sends to its database."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self

from sqlalchemy import event

from chatweb.database import db


class Statements:
    """Every statement sent while the ``with`` lasts, from whatever thread, with its values."""

    def __init__(self) -> None:
        self._sent: list[tuple[str, str]] = []

    def __enter__(self) -> Self:
        event.listen(db.engine, "before_cursor_execute", self._note)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        event.remove(db.engine, "before_cursor_execute", self._note)

    def forget(self) -> None:
        self._sent.clear()

    def with_words(self, *words: str) -> list[str]:
        """The values of those that have all ``words`` in them."""
        return [values for text, values in self._sent if all(word in text for word in words)]

    def _note(self, _connection: Any, _cursor: Any, text: str, values: Any, *_: Any) -> None:
        self._sent.append((text, str(values)))
