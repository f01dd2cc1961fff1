"""The stream of an answer: resumed anywhere, it leads to the same page."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from chatweb import replies
from chatweb.models import Message
from chatweb.rendering import blocks
from tests import factories
from tests.blueprints.browser import Browser, stream_of
from tests.blueprints.live_page import LivePage, events
from tests.scripted_model import Script, ScriptedModel
from tests.servers import wait_until

DOCUMENT = (
    "A first paragraph with *some* words.\n\n"
    "- one\n- two\n  - three\n\nThen\n\n"
    "```python\nprint('x < y')\n\nfor each in it: pass\n```\n\n"
    "| a | b |\n| - | - |\n| 1 | 2 |\n\n> and a quotation\n\nThe <b>end</b> & more.\n"
)


def pieces(text: str, size: int = 7) -> tuple[str, ...]:
    return tuple(text[at : at + size] for at in range(0, len(text), size))


def stored(app: Flask, conversation: UUID, position: int = 2) -> Any:
    with app.app_context():
        return next(
            row
            for row in factories.rows(Message)
            if (row.conversation_id, row.position) == (conversation, position)
        )


@pytest.fixture
def growing(app: Flask, browser: Browser, model: ScriptedModel) -> UUID:
    """A conversation whose answer grows slowly enough to be looked at several times."""
    model.script = Script(pieces=pieces(DOCUMENT), interval=0.02)
    return browser.begin("Write a document.")


def pages_meanwhile(browser: Browser, conversation: UUID) -> Iterator[LivePage]:
    """Pages opened again and again while the answer comes."""
    while (page := browser.page(f"/c/{conversation}")).tree.select(".stream"):
        yield page


def test_readers_from_any_moment_end_with_the_page_of_a_reload(
    app: Flask, browser: Browser, growing: UUID
) -> None:
    cookie = browser.client.get_cookie("chatweb")
    assert cookie
    followed: list[tuple[LivePage, list[str]]] = []
    readers = []
    # Each of them takes a place to wait here.
    for page in islice(pages_meanwhile(browser, growing), 12):
        other = Browser(app.test_client())
        other.client.set_cookie("chatweb", cookie.value)
        seen: list[str] = []
        followed.append((page, seen))
        reader = threading.Thread(
            target=lambda other=other, page=page, seen=seen: seen.append(
                other.get(page.stream).text
            )
        )
        reader.start()
        readers.append(reader)
    for reader in readers:
        reader.join()
    assert len(followed) >= 3
    fresh = browser.get(f"/c/{growing}").text
    for page, (stream,) in followed:
        page.follow(stream)
        assert page.same_as(fresh)


def test_a_reader_that_lost_the_connection_resumes_from_the_last_event(
    app: Flask, browser: Browser, growing: UUID
) -> None:
    """After every single event: what follows it, applied to what it showed, is the whole."""
    first = browser.page(f"/c/{growing}")
    before = str(first.tree)
    stream = browser.get(first.stream).text
    unnamed = [each for each in events(stream) if "event" not in each]
    assert len(unnamed) > 2
    body = str(blocks.body(2, DOCUMENT))
    for count in range(len(unnamed)):
        page = LivePage(before)
        for event in unnamed[:count]:
            page.event(event["data"])
        headers = {"Last-Event-ID": unnamed[count - 1]["id"]} if count else {}
        page.follow(browser.get(stream_of(growing), headers=headers).text)
        assert page.one("#body-2").decode_contents() == LivePage(body).tree.decode_contents()


def test_it_begins_while_nothing_has_come_and_tells_all(
    browser: Browser, model: ScriptedModel
) -> None:
    model.script = Script(pieces=pieces(DOCUMENT), first=0.2)
    conversation = browser.begin()
    page = browser.page(f"/c/{conversation}")
    assert "after" not in page.stream
    page.follow(browser.get(page.stream).text)
    assert page.same_as(browser.get(f"/c/{conversation}").text)


def test_every_id_is_where_a_block_begins(app: Flask, browser: Browser, growing: UUID) -> None:
    found = [each["id"] for each in events(browser.ended(growing)) if "id" in each]
    starts = blocks.starts(DOCUMENT)
    assert {int(each) for each in found} <= set(starts)
    assert [int(each) for each in found] == sorted(map(int, found))


@pytest.mark.parametrize(
    "after", ["", "x", "-1", "1", "999999999", "9" * 40, "1.5", "²", "٣", "0x1", "1;drop", "\u2028"]
)
def test_a_malformed_place_to_resume_from_is_no_place(browser: Browser, after: str) -> None:
    conversation = browser.talk()
    for options in ({"query_string": {"after": after}}, {"headers": {"Last-Event-ID": after}}):
        try:
            response = browser.get(stream_of(conversation), **options)
        except UnicodeEncodeError:
            continue  # what no header can hold
        page = browser.page(f"/c/{conversation}")
        fresh = page.one("#body-2").decode_contents()
        for event in events(response.text):
            if "event" not in event:
                page.event(event["data"])
        assert page.one("#body-2").decode_contents() == fresh


def test_the_header_counts_more_than_the_address(browser: Browser, growing: UUID) -> None:
    browser.ended(growing)
    last = blocks.starts(DOCUMENT)[-1]
    response = browser.get(
        f"{stream_of(growing)}?after=0", headers={"Last-Event-ID": str(last)}
    ).text
    (whole, _done) = events(response)
    assert f'hx-target="#b2-{last}"' in whole["data"]


def test_it_is_an_event_stream_that_nobody_keeps_or_packs(browser: Browser) -> None:
    response = browser.get(stream_of(browser.talk()), headers={"Accept-Encoding": "gzip"})
    assert response.mimetype == "text/event-stream"
    assert response.headers["Cache-Control"] == "no-store"
    assert "Content-Encoding" not in response.headers
    assert response.headers["X-Accel-Buffering"] == "no"


def test_the_question_has_a_stream_that_ends_at_once(browser: Browser) -> None:
    conversation = browser.talk()
    assert browser.ended(conversation, 1)


def test_a_reader_who_leaves_is_counted_out(browser: Browser, model: ScriptedModel) -> None:
    model.script = Script(do="stall", after=5)
    conversation = browser.begin()
    before = replies.LiveText.readers
    response = browser.client.get(stream_of(conversation), buffered=False)
    assert next(iter(response.response))
    assert replies.LiveText.readers == before + 1
    response.close()
    assert replies.LiveText.readers == before
    browser.post(f"/c/{conversation}/messages/2/stop")


def test_leaving_does_not_end_the_answer(browser: Browser, model: ScriptedModel) -> None:
    model.script = Script(tokens=30, interval=0.01)
    conversation = browser.begin()
    response = browser.client.get(stream_of(conversation), buffered=False)
    next(iter(response.response))
    response.close()
    page = browser.page(f"/c/{conversation}")
    browser.watch(page)
    assert page.one("#message-2")["data-status"] == "complete"
    assert not model.requests[0].left_early


def test_a_deleted_conversation_ends_its_answer_and_its_streams(
    browser: Browser, model: ScriptedModel
) -> None:
    model.script = Script(do="stall", after=5)
    conversation = browser.begin()
    response = browser.client.get(stream_of(conversation), buffered=False)
    stream = iter(response.response)
    next(stream)
    assert browser.post(f"/c/{conversation}/delete").status_code == 303
    assert model.wait_for(lambda: model.requests[0].left_early)
    rest = b"".join(each if isinstance(each, bytes) else each.encode() for each in stream)
    response.close()
    assert b"500" not in rest
    assert browser.get(stream_of(conversation)).status_code == 404
    browser.post(f"/c/{conversation}/restore")
    assert browser.page(f"/c/{conversation}").one("#message-2")["data-status"] == "stopped"


def test_a_stop_keeps_what_was_seen(app: Flask, browser: Browser, model: ScriptedModel) -> None:
    model.script = Script(pieces=("0123456789", "abcdef"), do="stall", after=2)
    conversation = browser.begin()
    wait_until(lambda: model.requests and model.requests[0].sent == 2, seconds=10)
    browser.post(f"/c/{conversation}/messages/2/stop", {"seen": "12"})
    row = stored(app, conversation)
    assert (row.status, row.content) == ("stopped", "0123456789ab")
    assert model.wait_for(lambda: model.requests[0].left_early)


@pytest.mark.parametrize("seen", ["", "x", "-5", "9" * 11, "9" * 30, "1.5", None])
def test_a_stop_without_a_sensible_number_keeps_all(
    app: Flask, browser: Browser, model: ScriptedModel, seen: str | None
) -> None:
    model.script = Script(pieces=("0123456789",), do="stall", after=1)
    conversation = browser.begin()
    wait_until(lambda: model.requests and model.requests[0].sent == 1, seconds=10)
    response = browser.post(f"/c/{conversation}/messages/2/stop", {"seen": seen} if seen else {})
    assert response.status_code == 303
    row = stored(app, conversation)
    assert row.status == "stopped"
    assert row.content == "0123456789"


def test_a_second_stop_changes_nothing(app: Flask, browser: Browser, model: ScriptedModel) -> None:
    model.script = Script(do="stall", after=3)
    conversation = browser.begin()
    address = f"/c/{conversation}/messages/2/stop"
    assert browser.post(address).status_code == 303
    first = stored(app, conversation)
    assert browser.post(address, {"seen": "0"}).status_code == 303
    assert browser.post(address, htmx=True).status_code == 200
    assert stored(app, conversation) == first
