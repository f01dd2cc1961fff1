"""A process that writes answers, for tests of its scribe."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import delete

from chatweb.database import writing
from chatweb.models import Conversation, Message
from chatweb.replies.live import End, LiveText
from chatweb.replies.scribe import Scribe
from chatweb.services.asking import Asked
from chatweb.services.owners import Owner
from tests import factories

PATIENCE = 20.0

Outage = Callable[[], AbstractContextManager[None]]
TextOf = Callable[[int], str]


class Writing:
    """A scribe, the answers it keeps, and what it asked the engine to stop."""

    def __init__(self, app: Flask, owner: Owner, process_id: UUID) -> None:
        self.owner, self.process_id = owner, process_id
        self.stopped: list[tuple[int, int]] = []
        self.scribe = Scribe(
            app, process_id, lambda live, seen: self.stopped.append((live.answer_id, seen))
        )

    def answer(self) -> tuple[Asked, LiveText]:
        """An answer of this process, in the scribe's care."""
        asked = factories.begun(self.owner, process_id=self.process_id)
        live = LiveText(asked.answer_id)
        self.scribe.add(live)
        return asked, live

    def end(self, live: LiveText, status: str = "complete", **details: Any) -> None:
        live.end = End(status, details)
        self.scribe.wake()
        assert live.over.wait(PATIENCE), "the end was not kept"


class Clock:
    """The scribe's, which stands until a test moves it."""

    sleep = staticmethod(time.sleep)

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


def row(asked: Asked) -> Any:
    return next(row for row in factories.rows(Message) if row.id == asked.answer_id)


def remove(asked: Asked) -> None:
    with writing() as connection:
        connection.execute(delete(Conversation).where(Conversation.id == asked.conversation_id))
        connection.commit()
