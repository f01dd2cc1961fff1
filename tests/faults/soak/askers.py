"""People of a soak: each asks, reads, leaves, stops and asks again, in every way there is.

Who was not told what became of a form sends the same form again until they are told, as browsers
and people do. What they do follows from their own seed; when, from how quick the server is.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from random import Random
from uuid import UUID

from bs4 import Tag

from tests.faults.histories import Send
from tests.faults.people import Line, Person, events
from tests.faults.places import Place
from tests.faults.witness import Witness, position_of
from tests.scripted_model import answer_to

MARK = "xyzzy"
"""In every question, so that one look tells whether the log holds what people wrote."""

SAFE_AFTER = 2.0
"""Seconds after which what a reader has seen outlives any death, on a machine as busy as this."""

MOST_MESSAGES = 36
"""Of one conversation: a page shows all of a branch."""

Form = Callable[[Person, UUID], Send]

UNWELL = (
    {"do": "stall"}, {"do": "stall", "after": 4}, {"do": "cut", "after": 3},
    {"do": "reset", "after": 5}, {"do": "error", "after": 2}, {"do": "flood"}, {"do": "html"},
    {"do": "broken_json"}, {"do": "wrong_length"}, {"do": "no_end"},
    {"tokens": 8, "interval": 0.9}, {"tokens": 30, "interval": 0.9},
    {"status": 500, "times": 1}, {"status": 500}, {"status": 401},
    {"status": 429, "retry_after": "1", "times": 1}, {"status": 429, "retry_after": "30"},
)  # fmt: skip
"""What a model does that is not well, in the words of ``tests.scripted_model``."""


class Asker:
    """One person, until ``leaving``. A connection that breaks off is no error of theirs."""

    def __init__(self, place: Place, witness: Witness, seed: str, leaving: threading.Event) -> None:
        self.random = Random(seed)
        self._place = place
        self._witness = witness
        self._person = witness.person(place.server)
        self._leaving = leaving
        self._conversations: list[UUID] = []
        self._name = seed
        self._asked = 0
        self.news = 0

    def lives(self) -> list[Callable[[], None]]:
        """What they do at the same time, each until it is time to leave."""
        return [self.live, self.keep_a_tab_open]

    def live(self) -> None:
        while not self._leaving.wait(self.random.uniform(0, 0.3)):
            with contextlib.suppress(OSError, http.client.HTTPException):
                self._act()

    def keep_a_tab_open(self) -> None:
        """Another tab of theirs, which hears of what happens here, and comes back when it breaks
        off."""
        random = Random(f"{self._name} elsewhere")
        while not self._leaving.wait(random.uniform(0, 0.5)):
            shown = random.choice([*self._conversations[-2:], None])
            place = f"?conversation={shown}&place=1-1-0" if shown else ""
            line = Line(self._place.server.port, timeout=3)
            with contextlib.suppress(OSError, http.client.HTTPException):
                response = line.follow(
                    f"/feed{place}", {"Cookie": self._person.cookie, "Connection": "close"}
                )
                for _ in zip(range(random.randint(1, 30)), events(response), strict=False):
                    self.news += 1
                response.close()
            line.close()

    def _act(self) -> None:
        conversation = self.random.choice([*self._conversations[-3:], None])
        if conversation is None:
            text = self._question()
            self._send(lambda person, id: person.begin(text, id))
            return
        answer = self._person.get(f"/c/{conversation}")
        if answer.status != 200:
            self._leaving.wait(0.3)
            return
        messages = answer.page.select(".message")
        running = answer.page.select_one('.message[data-status="streaming"]')
        if messages and position_of(messages[-1]) > MOST_MESSAGES:
            self._conversations.remove(conversation)
        if running:
            self._meanwhile(conversation, position_of(running))
        elif messages:
            self._go_on(conversation, messages)

    def _meanwhile(self, conversation: UUID, running: int) -> None:
        """While an answer comes: stop it, read it, or send another question too early."""
        match self.random.choice(("stop", "stop", "read", "leave", "ask")):
            case "stop":
                seen = self.random.randrange(200)
                self._person.post(f"/c/{conversation}/messages/{running}/stop", seen=seen)
            case "read":
                self._read(conversation, running, None)
            case "leave":
                self._read(conversation, running, self.random.randrange(5))
            case "ask":
                text = self._question()
                self._send(lambda person, id: person.ask(conversation, text, id))

    def _go_on(self, conversation: UUID, messages: list[Tag]) -> None:
        """Ask the next question, or again in one of the other ways."""
        answers = [position_of(each) for each in messages if each["data-role"] == "assistant"]
        questions = [position_of(each) for each in messages if each["data-role"] == "user"]
        cut = messages[-1]["data-status"] in {"stopped", "interrupted"}
        way = self.random.choice(("ask", "ask", "ask", "edit", "retry", "continue", "branch"))
        text = self._question()
        if way == "ask" or not answers or (way == "continue" and not cut):
            self._send(lambda person, id: person.ask(conversation, text, id))
        elif way == "edit":
            at = self.random.choice(questions)
            self._send(lambda person, id: person.edit(conversation, at, text, id))
        elif way == "retry":
            at = self.random.choice(answers)
            self._send(lambda person, id: person.retry(conversation, at, id))
        elif way == "continue":
            self._send(lambda person, id: person.go_on(conversation, answers[-1], id))
        else:
            at = self.random.randint(1, position_of(messages[-1]))
            self._person.post(f"/c/{conversation}/branch", position=at)

    def _question(self) -> str:
        """A question of its own; two of three are answered well."""
        self._asked += 1
        text = f"{MARK} {self._name} {self._asked}"
        tokens = self.random.randint(1, 60)
        script = {"tokens": tokens, "interval": round(self.random.uniform(0, 0.05), 3)}
        is_well = self.random.random() < 2 / 3
        text += f" [[script: {json.dumps(script if is_well else self.random.choice(UNWELL))}]]"
        if is_well:
            self._witness.history.whole[text] = answer_to(text, tokens)
        return text

    def _send(self, form: Form) -> None:
        """Send a form until told what became of it, and follow the answer."""
        request_id = UUID(int=self.random.getrandbits(128), version=4)
        told = self._sent(form, request_id)
        if not told.acknowledged or told.conversation is None or told.position is None:
            return
        if told.conversation not in self._conversations:
            self._conversations.append(told.conversation)
        if self.random.random() < 0.6:
            leave_after = self.random.choice((None, None, 1, 3, 10))
            self._read(told.conversation, told.position + bool(told.text), leave_after)

    def _sent(self, form: Form, request_id: UUID) -> Send:
        how = self.random.random()
        if how < 0.1:
            # The browser goes away before it is answered.
            with contextlib.closing(Line(self._place.server.port, how / 2 + 0.001)) as line:
                form(self._person.on(line), request_id)
        elif how < 0.25:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(lambda _: form(self._person, request_id), range(2)))
        while True:
            told = form(self._person, request_id)
            if told.status not in {None, 503} or self._leaving.is_set():
                return told
            self._leaving.wait(self.random.uniform(0.1, 0.5))

    def _read(self, conversation: UUID, position: int, leave_after: int | None) -> None:
        with self._person.reading(conversation, position, leave_after) as reading:
            pass
        history, address = self._witness.history, (conversation, position)
        if reading.done:
            history.told.append((address, reading.text))
        elif not reading.left and reading.glimpses:
            (first, _), (last, _) = reading.glimpses[0], reading.glimpses[-1]
            if first < self._place.killed < last + 1:
                history.kept[address] = reading.seen_at(self._place.killed - SAFE_AFTER)
