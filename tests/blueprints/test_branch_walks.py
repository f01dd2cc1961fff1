"""Whatever is asked again, in whatever order: all messages are reached and shown as stored."""

from __future__ import annotations

from uuid import UUID, uuid4

from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatweb.models import Message
from chatweb.services import branches, questions
from chatweb.services.limits import UNLIMITED
from tests import factories
from tests.blueprints.browser import Browser
from tests.factories import LONGEST

STEPS = st.lists(
    st.tuples(
        st.sampled_from(["ask", "edit", "retry", "continue", "show"]),
        st.integers(0, 1000),
        st.sampled_from(["complete", "stopped", "interrupted", "failed"]),
    ),
    max_size=14,
)


def stored(conversation: UUID) -> dict[int, Message]:
    rows = [row for row in factories.rows(Message) if row.conversation_id == conversation]
    return {row.position: row for row in rows}


def step(browser: Browser, conversation: UUID, kind: str, number: int, status: str) -> None:
    """Do one thing with one of the messages that it can be done with, if there is one."""
    owner = factories.owner_of(browser.client)
    process_id, request_id = factories.process(), uuid4()
    fits = {
        "edit": lambda row: row.role == "user",
        "retry": lambda row: row.role == "assistant",
        "continue": lambda row: row.status in {"stopped", "interrupted"} and row.content,
    }.get(kind, lambda row: True)
    positions = [row.position for row in stored(conversation).values() if fits(row)]
    if not positions:
        return
    position = positions[number % len(positions)]
    if kind == "show":
        branches.show(owner, conversation, position)
        return
    if kind == "ask":
        asked = questions.ask(
            owner, conversation, "Next", LONGEST, request_id, process_id, UNLIMITED
        )
    elif kind == "edit":
        asked = questions.edit(
            owner, conversation, position, "Other words", LONGEST, request_id, process_id, UNLIMITED
        )
    else:
        asked = questions.retry(
            owner,
            conversation,
            position,
            request_id,
            process_id,
            UNLIMITED,
            goes_on=kind == "continue",
        )
    factories.ended(asked, "" if status == "failed" else f"{asked.begins_with}some words", status)


def way(rows: dict[int, Message], position: int | None) -> list[int]:
    """From the root to a message."""
    return [*way(rows, rows[position].parent), position] if position else []


@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=STEPS)
def test_every_branch_is_shown_whole_and_reached_by_its_arrows(
    app: Flask, browser: Browser, steps: list[tuple[str, int, str]]
) -> None:
    with app.app_context():
        conversation = factories.answered(factories.owner_of(browser.client)).conversation_id
        for each in steps:
            step(browser, conversation, *each)
        rows = stored(conversation)
    assert list(rows) == list(range(1, len(rows) + 1))
    found: set[int] = set()
    to_try: list[int] = [1]
    tried: set[int] = set()
    while to_try:
        through = to_try.pop()
        tried.add(through)
        browser.post(f"/c/{conversation}/branch", {"position": through})
        tree = browser.page(f"/c/{conversation}").tree
        shown = [int(str(each["id"]).split("-")[1]) for each in tree.select(".message")]
        assert through in shown
        assert shown == way(rows, shown[-1])
        assert not [row for row in rows.values() if row.parent == shown[-1]]
        for position in shown:
            article = tree.select_one(f"#message-{position}")
            assert article
            family = [row for row in rows.values() if row.parent == rows[position].parent]
            said = article.select_one(".siblings span")
            assert (said.get_text() if said else "1 of 1").endswith(f" of {len(family)}")
        found |= set(shown)
        arrows = tree.select(".siblings button:not([disabled])")
        to_try += [
            int(str(each["value"])) for each in arrows if int(str(each["value"])) not in tried
        ]
    assert found == set(rows)
