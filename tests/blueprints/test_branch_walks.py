"""Whatever is asked again, stopped or chosen, in whatever order, also while an answer is written:
all messages are reached and shown as stored, and a tab that was open meanwhile shows the same."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple
from uuid import uuid4

import pytest
from bs4 import Tag
from flask import Flask
from hypothesis import HealthCheck, event, given, settings
from hypothesis import strategies as st

from chatweb.models import Message
from chatweb.services import branches, conversations, questions
from chatweb.services.asking import Asked
from chatweb.services.errors import Conflict
from chatweb.services.limits import UNLIMITED
from chatweb.services.messages import PAGE
from chatweb.services.owners import Owner
from tests import factories
from tests.blueprints.browser import HTMX, Browser
from tests.blueprints.live_page import LivePage, events
from tests.factories import LONGEST

WAYS = ("ask", "edit", "retry", "continue")


class Step(NamedTuple):
    """What is done with one of the messages that it can be done with, counted from the newest, and
    how the answer ends if it does not go on being written."""

    kind: str
    number: int
    status: str
    goes_on: bool


STEPS = st.lists(
    st.builds(
        Step,
        st.sampled_from([*WAYS, "aside", "show", "stop", "end", "listen", "ask here", "ask here"]),
        st.integers(0, 3) | st.integers(0, 1000),
        st.sampled_from(["complete", "stopped", "interrupted", "failed"]),
        st.booleans(),
    ),
    min_size=6,
    max_size=16,
)


@dataclass
class Tab:
    """A page that stays open while others act, and is told by its feed and its streams."""

    browser: Browser
    page: LivePage
    _heard: dict[str, str] = field(default_factory=dict)

    def listen(self, is_running: bool) -> bool:
        """Hear what there is to hear; False where it follows an answer that is being written."""
        if self.page.tree.select(".stream"):
            if is_running:
                return False
            self.page.follow(self.browser.get(self.page.stream).text)
        address = str(self.page.one("#feed").get("hx-sse:connect"))
        headers = {"Last-Event-ID": self._heard[address]} if address in self._heard else {}
        told = self.browser.get(address, headers=headers).text
        self.page.hear(told)
        self._heard[address] = [each["id"] for each in events(told) if "id" in each][-1]
        return True

    def ask(self) -> bool:
        """Send the box, if it can be sent; returns whether it was taken."""
        if not self.page.tree.select("#send"):
            return False
        form = {
            str(each["name"]): each["value"] for each in self.page.tree.select("#composer input")
        }
        address = str(self.page.one("#composer")["hx-post"])
        reply = self.browser.post(address, form | {"text": "From here"}, htmx=True)
        if reply.status_code == 409:
            return False
        assert reply.status_code == 200, reply.text
        self.page.swap("#messages", "beforeend", reply.text)
        return True


class Walk:
    """One conversation, and what is done with it."""

    def __init__(self, browser: Browser, owner: Owner, length: int) -> None:
        self.browser = browser
        self.owner = owner
        self.id = factories.conversation(owner, length)
        self.tab = Tab(browser, browser.page(f"/c/{self.id}"))
        self.running: Asked | None = None

    def stored(self) -> dict[int, Message]:
        rows = [row for row in factories.rows(Message) if row.conversation_id == self.id]
        return {row.position: row for row in rows}

    def take(self, step: Step) -> None:
        if step.kind == "listen":
            self.listen()
        elif step.kind == "ask here":
            if self.tab.ask():
                self.browser.ended(self.id, max(self.stored()))
        elif step.kind == "aside":
            self.ask_aside(step)
        elif step.kind in {"stop", "end"}:
            self.end(step.status, is_asked_to=step.kind == "stop")
        elif positions := self.fitting(step.kind):
            self.act(step, positions[-1 - step.number % len(positions)])

    def listen(self) -> None:
        """Then the tab shows what a page shows that is opened now."""
        if self.tab.listen(self.running is not None):
            assert seen(self.tab.page) == seen(self.browser.page(f"/c/{self.id}"))

    def ask_aside(self, step: Step) -> None:
        """Get another newest answer, and show the branch again that was shown before."""
        shown = conversations.find(self.owner, self.id).head
        newest = max(self.fitting("retry"))
        self.act(step._replace(kind="retry"), newest)
        branches.show(self.owner, self.id, shown)

    def fitting(self, kind: str) -> list[int]:
        fits = {
            "edit": lambda row: row.role == "user",
            "retry": lambda row: row.role == "assistant",
            "continue": lambda row: row.status in {"stopped", "interrupted"} and row.content,
        }.get(kind, lambda row: True)
        return [row.position for row in self.stored().values() if fits(row)]

    def act(self, step: Step, position: int) -> None:
        if step.kind == "show":
            branches.show(self.owner, self.id, position)
            return
        if self.running:
            event("acted while an answer was written")
            with pytest.raises(Conflict):
                self.begin(step.kind, position)
            return
        self.running = self.begin(step.kind, position)
        if not step.goes_on:
            self.end(step.status)

    def begin(self, kind: str, position: int) -> Asked:
        to_whom, by = (self.owner, self.id), (uuid4(), factories.process(), UNLIMITED)
        if kind == "ask":
            return questions.ask(*to_whom, "Next", LONGEST, *by)
        if kind == "edit":
            return questions.edit(*to_whom, position, "Other words", LONGEST, *by)
        return questions.retry(*to_whom, position, *by, goes_on=kind == "continue")

    def end(self, status: str, *, is_asked_to: bool = False) -> None:
        """Let the answer end, if one is being written."""
        if self.running is None:
            return
        if is_asked_to:
            event("stopped")
            address = f"/c/{self.id}/messages/{self.running.answer}/stop"
            assert self.browser.post(address, htmx=True).status_code == 204
            status = "stopped"
        text = "" if status == "failed" else f"{self.running.begins_with}some words"
        factories.ended(self.running, text, status)
        self.running = None

    def shown(self) -> LivePage:
        """The page, with all that is before what it shows at first."""
        page = self.browser.page(f"/c/{self.id}")
        while older := page.tree.select_one("#older a"):
            event("met a second page")
            earlier = self.browser.get(str(older["hx-get"]), headers=HTMX).text
            page.swap("#older", "outerHTML", earlier)
        return page


def way(rows: dict[int, Message], position: int | None) -> list[int]:
    """From the root to a message."""
    found: list[int] = []
    while position:
        found.insert(0, position)
        position = rows[position].parent
    return found


def position_of(article: Tag) -> int:
    return int(str(article["id"]).split("-")[1])


def seen(page: LivePage) -> list[tuple[object, ...]]:
    """What a reader sees of each message on the first page, and what the box would send."""
    articles = [
        (
            each["id"],
            each["data-status"],
            each.get_text(" ", strip=True),
            str(each.select(".siblings")),
        )
        for each in page.tree.select(".message")
    ]
    return [*articles[-PAGE:], (str(page.one("#composer-action")),)]


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(length=st.sampled_from([2, PAGE - 2]), steps=STEPS)
def test_every_branch_is_shown_whole_and_reached_by_its_arrows(
    app: Flask, length: int, steps: list[Step]
) -> None:
    browser = Browser(app.test_client())
    browser.get()
    with app.app_context():
        walk = Walk(browser, factories.owner_of(browser.client), length)
        for each in steps:
            walk.take(each)
        walk.end("complete")
        rows = walk.stored()
    walk.listen()
    assert list(rows) == list(range(1, len(rows) + 1))
    assert reached(walk, rows) == set(rows)


def reached(walk: Walk, rows: dict[int, Message]) -> set[int]:
    """The messages that can be reached by the arrows from the first one."""
    found: set[int] = set()
    to_try, tried = [1], set()
    while to_try:
        through = to_try.pop()
        tried.add(through)
        walk.browser.post(f"/c/{walk.id}/branch", {"position": through})
        page = walk.shown()
        articles = {position_of(each): each for each in page.tree.select(".message")}
        assert through in articles
        check(articles, rows)
        found |= set(articles)
        arrows = page.tree.select(".siblings button:not([disabled])")
        to_try += {int(str(each["value"])) for each in arrows} - tried - set(to_try)
    return found


def check(articles: dict[int, Tag], rows: dict[int, Message]) -> None:
    """A page shows one branch whole, and among how many each message is one."""
    last = list(articles)[-1]
    assert list(articles) == way(rows, last)
    assert not [row for row in rows.values() if row.parent == last]
    for position, article in articles.items():
        family = [row for row in rows.values() if row.parent == rows[position].parent]
        said = article.select_one(".siblings span")
        assert (said.get_text() if said else "1 of 1").endswith(f" of {len(family)}")
