"""Whoever writes the history of a fault down and at last judges it; there is no other judge."""

from __future__ import annotations

import re
from collections.abc import Iterator
from uuid import UUID

from bs4 import BeautifulSoup

from tests.faults.histories import History, Message, Stored, stored
from tests.faults.invariants import violations
from tests.faults.people import Person, log_lines
from tests.servers import Server, wait_until

KEY = "sk-canary-0123456789abcdef"
UUIDS = re.compile(r"\b[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}\b")


class Witness:
    """Writes the history of a test down and at last judges it."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.history = History(secrets=[KEY])
        self.people: list[Person] = []

    def person(self, server: Server, kind: type[Person] = Person) -> Person:
        """Somebody new, who has opened their first page, and asks by pages or by a program."""
        person = kind(server.port, sends=self.history.sends)
        assert person.get().status == 200
        self.people.append(person)
        self.history.secrets.append(person.cookie.partition("=")[2])
        return person

    def bystander(self, server: Server) -> None:
        """Somebody else's conversation, of which no row may change from now on."""
        person = self.person(server)
        send = person.begin("a bystander's question")
        assert send.conversation
        self.until_ended()
        self.history.bystanders = stored(self.url)

    def stored(self) -> Stored:
        return stored(self.url)

    def streaming(self) -> int:
        """How many answers are being written."""
        return sum(each.status == "streaming" for each in self.stored().messages)

    def until_ended(self, seconds: float = 30) -> None:
        """Wait until no answer is being written any more."""
        wait_until(lambda: not self.streaming(), seconds=seconds, every=0.05)

    def judge(self, server: Server, foreseen: str = "\0") -> Stored:
        """Look at every conversation once more, and fail on whatever does not hold.

        ``foreseen`` is in errors that the server was right to tell its operator.
        """
        self.until_ended()
        found = self.stored()
        self.look(found)
        self.history.secrets += [
            send.text for send in self.history.sends if len(send.text) > 8
        ]  # fmt: skip
        if wrong := [each for each in self.findings(server, found) if foreseen not in each]:
            raise AssertionError("\n".join(wrong))
        return found

    def look(self, found: Stored, conversations: set[UUID] | None = None) -> None:
        """Open conversations, all of them or those given, and each branch of each."""
        owners = {
            send.conversation: person
            for person in self.people
            for send in self.history.sends
            if send.conversation and send.owner == person.cookie
        }
        for conversation, messages in found.by_conversation().items():
            if conversation in owners and (not conversations or conversation in conversations):
                self._look_at(owners[conversation], conversation, messages)

    def _look_at(self, person: Person, conversation: UUID, messages: list[Message]) -> None:
        followed = {message.parent for message in messages}
        ends = [each.position for each in messages if each.position not in followed]
        for end in ends:
            if len(ends) > 1:
                assert person.post(f"/c/{conversation}/branch", position=end).status == 303
            page = person.get(f"/c/{conversation}").page
            for message in page.select(".message"):
                body = message.select_one(".body")
                address = conversation, position_of(message)
                self.history.shown[address] = body.get_text() if body else ""
            if not page.select_one("a.older, .older a"):
                way = [position_of(message) for message in page.select(".message")]
                self.history.ways[conversation, end] = way

    def findings(self, server: Server, found: Stored) -> list[str]:
        """Everything that does not hold."""
        self.history.log = server.log()
        # Identities are read from the log, not looked for in it: they may be very many.
        logged = set(UUIDS.findall(self.history.log))
        named = {str(each.id) for each in found.conversations}
        self.history.secrets += sorted(logged & named)
        return violations(self.history, found) + list(map(str, broken(server)))


def position_of(message: BeautifulSoup) -> int:
    return int(str(message["id"]).removeprefix("message-"))


def broken(server: Server) -> Iterator[object]:
    """What the server itself calls an error: whatever a fault does, it was foreseen."""
    for line in log_lines(server.log()):
        is_error = line["level"] == "ERROR" and line["logger"] != "gunicorn.error"
        if is_error or line.get("exception"):
            yield line
