"""Following an answer: at any moment, from anywhere, it is the same text, and reading is calm."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chats import (
    A_CONVERSATION,
    BOTH_DATABASES,
    answered,
    ask,
    flat,
    growing,
    id_of,
    lengthen,
    message,
    shown,
    until,
    words,
)
from tests.rendering import documents
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import Server

Visit = Callable[..., Page]

PARAGRAPHS = "\n\n".join(
    f"Paragraph {number} of many, with **some words** in it. And another sentence."
    for number in range(60)
)


def paragraphs(seconds: float) -> Script:
    pieces = tuple(documents.pieces(PARAGRAPHS, 1, most=30))
    return Script(pieces=pieces, interval=seconds / len(pieces))


@BOTH_DATABASES
def test_a_reload_at_any_moment_goes_on(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(tokens=120, interval=0.03)
    page = visit()
    ask(page, "Slowly")
    text = growing(page)
    asked = len(model.requests)
    for _ in range(4):
        page.reload()
        seen = growing(page, least=len(text))
        assert seen.startswith(text)
        text = growing(page, least=len(seen) + 20)
    assert answered(page) == answer_to("Slowly", 120).strip()
    assert len(model.requests) == asked
    before = shown(page)
    page.reload()
    assert shown(page) == before


def test_a_reload_before_the_first_letter_goes_on(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(first=1.5)
    page = visit()
    ask(page, "Thinking")
    expect(page).to_have_url(A_CONVERSATION)
    page.reload()
    expect(message(page, 2)).to_contain_text("Being written")
    assert answered(page) == answer_to("Thinking").strip()


@BOTH_DATABASES
def test_several_tabs_show_the_same_text(visit: Visit, model: ScriptedModel) -> None:
    """With two workers some of them follow an answer that another process writes."""
    model.script = Script(pieces=tuple(documents.pieces(PARAGRAPHS, 2, most=9)), interval=0.005)
    page = visit()
    ask(page, "In many places")
    growing(page)
    tabs = [page]
    for _ in range(4):
        tabs.append(page.context.new_page())
        tabs[-1].goto(page.url)
    texts = [answered(tab) for tab in tabs]
    assert texts == [texts[0]] * 5
    assert flat(texts[0]) == flat(PARAGRAPHS.replace("**", ""))
    pages = [shown(tab) for tab in tabs]
    page.reload()
    assert pages == [shown(page)] * 5


@BOTH_DATABASES
def test_back_and_forth_between_conversations(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(tokens=150, interval=0.03)
    page = visit()
    ask(page, "The first")
    growing(page)
    first = page.url
    page.get_by_role("link", name="New chat").click()
    expect(page.locator("#empty")).to_be_visible()
    ask(page, "The second")
    growing(page)
    assert page.url != first
    page.locator("#conversations a", has_text="The first").click()
    growing(page, least=30)
    page.go_back()
    expect(message(page, 1)).to_contain_text("The second")
    growing(page, least=30)
    page.go_forward()
    expect(message(page, 1)).to_contain_text("The first")
    assert answered(page) == answer_to("The first", 150).strip()
    page.go_back()
    assert answered(page) == answer_to("The second", 150).strip()
    expect(page.locator(".message")).to_have_count(2)
    expect(page.locator("#conversations .row")).to_have_count(2)


def test_going_back_after_a_first_question_is_an_empty_chat(
    visit: Visit, model: ScriptedModel
) -> None:
    page = visit()
    ask(page, "Forth")
    answered(page)
    address = page.url
    page.go_back()
    expect(page.locator("#empty")).to_be_visible()
    page.go_forward()
    expect(page).to_have_url(address)
    expect(page.locator(".message")).to_have_count(2)


def test_a_selection_in_a_finished_block_survives(visit: Visit, model: ScriptedModel) -> None:
    model.script = paragraphs(2)
    page = visit()
    ask(page, "Select")
    until(page, lambda: page.locator("#body-2 .block").count() > 2)
    page.evaluate(
        "() => getSelection().selectAllChildren(document.querySelector('#body-2 .block strong'))"
    )
    answered(page)
    assert page.evaluate("getSelection().toString()") == "some words"


def test_a_selection_in_the_growing_block_survives(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(tokens=60, interval=0.03)
    page = visit()
    ask(page, "Select")
    first = growing(page).split()[0]
    page.evaluate(
        "length => { const text = document.querySelector('#body-2 p').firstChild;"
        " getSelection().setBaseAndExtent(text, 0, text, length); }",
        len(first),
    )
    answered(page)
    assert page.evaluate("getSelection().toString()") == first


def remaining(page: Page) -> float:
    """How far the page's end is below the window."""
    return float(page.evaluate("document.documentElement.scrollHeight - innerHeight - scrollY"))


def test_the_page_follows_only_a_reader_at_the_end(visit: Visit, model: ScriptedModel) -> None:
    model.script = paragraphs(8)
    page = visit(height=600)
    ask(page, "Long")
    until(page, lambda: len(words(page, 2)) > 1200)
    assert remaining(page) < 100
    expect(page.locator("#newest")).to_be_hidden()
    page.mouse.move(640, 300)
    page.mouse.wheel(0, -300)
    until(page, lambda: remaining(page) > 200)
    place = page.evaluate("scrollY")
    length = len(words(page, 2))
    until(page, lambda: len(words(page, 2)) > length + 600)
    assert page.evaluate("scrollY") == place
    expect(page.locator("#newest")).to_be_visible()
    page.get_by_role("button", name="Newest").click()
    until(page, lambda: remaining(page) < 100)
    expect(page.locator("#newest")).to_be_hidden()
    page.reload()
    length = len(growing(page))
    growing(page, least=length + 600)
    until(page, lambda: remaining(page) < 100)
    answered(page)
    until(page, lambda: remaining(page) < 3)


def test_older_messages_come_in_above_and_keep_the_place(
    visit: Visit, model: ScriptedModel, server: Server
) -> None:
    page = visit(height=600)
    ask(page, "Message number 1.")
    answered(page)
    address = page.url
    lengthen(server, id_of(page), 120)
    page.goto("/history")
    page.goto(address)
    expect(page.locator(".message")).to_have_count(50)
    until(page, lambda: remaining(page) < 3)
    for count, first in ((100, 71), (120, 21)):
        link = page.get_by_role("link", name="Show earlier messages")
        link.scroll_into_view_if_needed()
        place = message(page, first).bounding_box()
        link.click()
        expect(page.locator(".message")).to_have_count(count)
        after = message(page, first).bounding_box()
        assert place
        assert after
        assert after["y"] == pytest.approx(place["y"], abs=2)
    expect(page.locator("#older")).to_have_count(0)
    ids = page.locator(".message").evaluate_all("all => all.map(each => each.id)")
    assert ids == [f"message-{number}" for number in range(1, 121)]


def test_whole_sentences_and_the_end_are_spoken(visit: Visit, model: ScriptedModel) -> None:
    text = "The first sentence is here. The second follows it. And the third is the last one."
    model.script = Script(pieces=tuple(documents.pieces(text, 1, most=2)), interval=0.12)
    page = visit()
    page.evaluate(
        "() => { window.saidAloud = []; new MutationObserver(() => saidAloud.push("
        "document.getElementById('announcer').textContent)).observe("
        "document.getElementById('announcer'), { childList: true }); }"
    )
    ask(page, "Speak")
    answered(page)
    spoken = page.evaluate("saidAloud")
    assert len(spoken) >= 2
    assert spoken[-1].endswith("Answer complete.")
    assert flat(" ".join(spoken)) == f"{text} Answer complete."
    assert all(each.rstrip()[-1] == "." for each in spoken)
