"""What is kept of somebody, as programs' tests ask for it."""

from __future__ import annotations

from uuid import UUID

from flask import Flask

from chatweb.models import Message
from chatweb.services import conversations, lists, messages, tokens
from chatweb.services.owners import Owner
from tests import factories


class History:
    """What is kept of one owner's conversations, as rows."""

    def __init__(self, app: Flask, owner: Owner) -> None:
        self._app = app
        self.owner = owner

    def token(self, scope: str = "write") -> str:
        with self._app.app_context():
            return tokens.make(self.owner, "client", scope, None)

    def said(self, conversation_id: UUID | str) -> list[tuple[str, str]]:
        """Role and text of the branch that is shown."""
        with self._app.app_context():
            conversation = conversations.find(self.owner, UUID(str(conversation_id)))
            branch = messages.shown(conversation.id, conversation.head, 100).messages
        return [(row.role, row.content) for row in branch]

    def parents(self, conversation_id: UUID | str) -> dict[int, int | None]:
        with self._app.app_context():
            found, _ = messages.between(UUID(str(conversation_id)), oldest_first=True)
        return {row.position: row.parent for row in found}

    def statuses(self) -> list[tuple[str, str]]:
        """Role and status of all there is."""
        with self._app.app_context():
            return [(row.role, row.status) for row in factories.rows(Message)]

    def conversations(self) -> int:
        with self._app.app_context():
            return len(lists.chosen(self.owner)[0])

    def titles(self) -> list[str]:
        with self._app.app_context():
            return [each.title for each in lists.chosen(self.owner)[0]]

    def last_id(self) -> int:
        """The number of the message that was made last."""
        with self._app.app_context():
            return max(int(row.id) for row in factories.rows(Message))
