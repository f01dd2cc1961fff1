"""Clients that speak as those of three earlier systems did, call for call.

They know their own system's addresses and names, not ours: a change here that breaks one of them
breaks whoever points such a front end at chatweb.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from flask.testing import FlaskClient

from tests.blueprints.live_page import events


class BotFrontEnd:
    """The page of the FastAPI chat bot: sessions over REST, its user known by a cookie.

    It sent through a WebSocket, and got chunks; here it posts, and follows the stream.
    """

    def __init__(self, client: FlaskClient) -> None:
        self.client = client

    def _ask(self, method: str, path: str = "", expected: int = 200, **options: Any) -> Any:
        response = self.client.open(f"/api/sessions{path}", method=method, **options)
        assert response.status_code == expected, (method, path, response.text)
        return response.json if response.data else None

    def create(self, title: str | None = None) -> str:
        body = {} if title is None else {"title": title}
        return str(self._ask("POST", "", 201, json=body)["id"])

    def sessions(self, limit: int = 20, offset: int = 0) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(
            "GET", query_string={"limit": limit, "offset": offset}
        )  # fmt: skip
        return found

    def session(self, id: str) -> dict[str, Any]:
        found: dict[str, Any] = self._ask("GET", f"/{id}")
        return found

    def is_gone(self, id: str) -> bool:
        return self._ask("GET", f"/{id}", 404)["detail"] != ""

    def rename(self, id: str, title: str) -> None:
        assert self._ask("PATCH", f"/{id}", json={"title": title})["title"] == title

    def delete(self, id: str) -> None:
        assert self._ask("DELETE", f"/{id}", 204) is None

    def send(self, id: str, text: str) -> str:
        """Send a message and show the chunks of its answer, as they come."""
        sent = self._ask("POST", f"/{id}/messages", 201, json={"content": text})
        assert sent["message"]["content"] == text
        shown = ""
        for event in events(self.client.get(sent["stream"]).text):
            if event.get("event") != "done" and event.get("data"):
                shown += json.loads(event["data"])["text"]
        return shown

    def messages(self, id: str, limit: int = 50, offset: int = 0) -> list[tuple[str, str]]:
        page = self._ask(
            "GET", f"/{id}/messages", query_string={"limit": limit, "offset": offset}
        )  # fmt: skip
        return [(each["sender"], each["content"]) for each in page["messages"]]

    def history(self, id: str, limit: int = 10) -> list[tuple[str, str]]:
        found = self._ask("GET", f"/{id}/history", query_string={"limit": limit})
        assert found["session_id"] == id
        assert found["count"] == len(found["messages"])
        assert {each["type"] for each in found["messages"]} <= {"message"}
        return [(each["sender"], each["content"]) for each in found["messages"]]


@dataclass
class BookBrowser:
    """The book's page: makes a UUID once, keeps it, and sends it with every request."""

    client: FlaskClient
    session_id: str = field(default_factory=lambda: str(uuid4()))

    def _ask(self, method: str, path: str, **options: Any) -> Any:
        response = self.client.open(
            f"/chat{path}", method=method, headers={"X-Session-ID": self.session_id}, **options
        )
        assert response.status_code == 200, response.text
        return response.json

    def _query(self, chapter: str | None) -> dict[str, str]:
        named = {} if chapter is None else {"chapter": chapter}
        return {"session_id": self.session_id} | named

    def can_persist(self) -> bool:
        return self._ask("GET", "/history/status")["available"] is True

    def ask(self, question: str, chapter: str | None = None) -> str:
        found = self._ask("POST", "/agent", json={"message": question, "chapter": chapter})
        assert found["session_id"] == self.session_id
        assert found["citations"] == found["message"]["citations"]
        return str(found["answer"])

    def history(self, chapter: str | None = None) -> list[tuple[str, str]]:
        found = self._ask("GET", "/history", query_string=self._query(chapter))
        for each in found["messages"]:
            assert {"id", "role", "content", "citations", "created_at"} <= set(each)
        return [(each["role"], each["content"]) for each in found["messages"]]

    def clear(self, chapter: str | None = None) -> int:
        return int(self._ask("DELETE", "/history", query_string=self._query(chapter))["deleted"])


class ConversationStore:
    """The calls of the RAG assistant's ``DatabaseManager``, made through ``/api/v1``.

    Each of its users is a session here. It saved answers that it got from its model itself; here
    the answer is the server's, so saving one is waiting for it.
    """

    def __init__(self, client: FlaskClient) -> None:
        self.client = client
        self.users: dict[str, str] = {}

    def _ask(self, user_id: str, method: str, path: str, **options: Any) -> Any:
        session_id = self.users.setdefault(user_id, str(uuid5(NAMESPACE_URL, user_id)))
        response = self.client.open(
            f"/api/v1/conversations{path}", method=method,
            headers={"X-Session-ID": session_id}, **options,
        )  # fmt: skip
        if response.status_code == 404:
            return None
        assert response.status_code in {200, 201, 204}, response.text
        return response.json if response.data else None

    def is_initialized(self) -> bool:
        return self.client.get("/health").status_code == 200

    def create_conversation(self, user_id: str, title: str) -> str:
        return str(self._ask(user_id, "POST", "", json={"title": title})["id"])

    def get_conversation(self, user_id: str, id: str) -> dict[str, Any] | None:
        found: dict[str, Any] | None = self._ask(user_id, "GET", f"/{id}")
        return found

    def list_conversations(self, user_id: str, status: str | None = None) -> list[str]:
        query = {} if status is None else {"status": status}
        return [each["id"] for each in self._ask(user_id, "GET", "", query_string=query)["items"]]

    def archive_conversation(self, user_id: str, id: str) -> None:
        assert self._ask(user_id, "PATCH", f"/{id}", json={"status": "archived"})

    def save_user_message(self, user_id: str, id: str, content: str, request_id: UUID) -> int:
        """:returns: the position of the answer that was begun"""
        body = {"text": content, "request_id": str(request_id)}
        return int(self._ask(user_id, "POST", f"/{id}/messages", json=body)["answer"]["position"])

    def save_assistant_message(self, user_id: str, id: str, position: int) -> dict[str, Any]:
        found: dict[str, Any] = self._ask(user_id, "GET", f"/{id}/messages/{position}?wait=30")
        return found

    def get_messages(self, user_id: str, id: str) -> list[dict[str, Any]]:
        """All of them, page by page."""
        found: list[dict[str, Any]] = []
        query: dict[str, Any] = {"order": "oldest", "limit": 3}
        while True:
            page = self._ask(user_id, "GET", f"/{id}/messages", query_string=query)
            found += page["items"]
            if page["next"] is None:
                return found
            query["after"] = page["next"]

    def get_last_n_messages(self, user_id: str, id: str, n: int = 5) -> list[dict[str, Any]]:
        page = self._ask(user_id, "GET", f"/{id}/messages", query_string={"limit": n})
        items: list[dict[str, Any]] = page["items"]
        return items[::-1]

    def get_message_count(self, user_id: str, id: str) -> int:
        return int(self._ask(user_id, "GET", f"/{id}")["message_count"])
