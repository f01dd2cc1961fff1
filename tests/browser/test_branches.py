"""Asking again: another answer, other words, the rest of a cut answer, and the way back."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.chats import (
    BOTH_DATABASES,
    answered,
    ask,
    flat,
    forgive,
    growing,
    message,
    notice,
    shown,
    until,
    words,
)
from tests.scripted_model import Script, ScriptedModel, answer_to

Visit = Callable[..., Page]


def versions(page: Page, position: int) -> str:
    return flat(page.locator(f"#message-{position} .siblings span").inner_text())


def turn(page: Page, position: int, way: str) -> None:
    siblings = page.locator(f"#message-{position} .siblings")
    siblings.get_by_role("button", name=f"{way} version").click()


def edit(page: Page, position: int, text: str) -> None:
    message(page, position).hover()
    message(page, position).get_by_role("link", name="Edit this question").click()
    box = page.locator(f"#edit-{position}")
    expect(box).to_be_focused()
    box.fill(text)
    page.locator(".edit").get_by_role("button", name="Send").click()


@BOTH_DATABASES
def test_another_answer_and_back(visit: Visit) -> None:
    page = visit()
    ask(page, "Tell me of the sea")
    first = answered(page)

    message(page, 2).get_by_role("button", name="Another answer").click()

    second = answered(page, 3)
    expect(message(page, 2)).to_have_count(0)
    assert versions(page, 3) == "2 of 2"
    turn(page, 3, "Previous")
    expect(message(page, 2)).to_be_visible()
    assert (words(page, 2), versions(page, 2)) == (first, "1 of 2")
    live = shown(page)
    page.reload()
    assert shown(page) == live
    turn(page, 2, "Next")
    expect(message(page, 3)).to_be_visible()
    assert words(page, 3) == second


@BOTH_DATABASES
def test_a_question_in_other_words(visit: Visit) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    ask(page, "Second")
    answered(page, 4)

    edit(page, 1, "First, in other words")

    answered(page, 6)
    assert flat(words(page, 5)) == "First, in other words"
    assert page.locator(".message").count() == 2
    assert versions(page, 5) == "2 of 2"
    live = shown(page)
    page.reload()
    assert shown(page) == live
    turn(page, 5, "Previous")
    expect(message(page, 4)).to_be_visible()
    assert [flat(words(page, position)) for position in (1, 3)] == ["First", "Second"]
    ask(page, "Third")
    answered(page, 8)
    assert page.locator(".message").count() == 6


def test_an_edit_can_be_left(visit: Visit) -> None:
    page = visit()
    ask(page, "As it was")
    answered(page)
    before = shown(page)
    message(page, 1).hover()
    message(page, 1).get_by_role("link", name="Edit this question").click()
    page.locator("#edit-1").fill("Something else")

    page.locator(".edit").get_by_role("link", name="Cancel").click()

    expect(page.locator(".edit")).to_have_count(0)
    expect(page.locator("#message-1 .facts")).to_have_count(1)
    assert shown(page) == before


def test_an_edit_that_is_refused_keeps_its_words(visit: Visit, model: ScriptedModel) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    model.script = Script(tokens=200, interval=0.05)
    ask(page, "Long")
    growing(page, 4)

    edit(page, 1, "Too early")

    expect(notice(page)).to_contain_text("still being written")
    expect(page.locator("#edit-1")).to_have_value("Too early")
    page.locator("#stop").click()
    answered(page, 4, "stopped")
    page.locator(".edit").get_by_role("button", name="Send").click()
    growing(page, 6)
    page.locator("#stop").click()
    answered(page, 6, "stopped")
    forgive(page)


@BOTH_DATABASES
def test_a_stopped_answer_goes_on(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(tokens=200, interval=0.05)
    page = visit()
    ask(page, "Long")
    growing(page, 2, least=30)
    page.locator("#stop").click()
    cut = answered(page, 2, "stopped")
    model.script = Script(tokens=10, interval=0.01)

    message(page, 2).get_by_role("button", name="Continue").click()

    whole = answered(page, 3)
    assert whole.startswith(cut)
    assert len(whole) > len(cut)
    told = model.requests[-1].messages
    assert [each["role"] for each in told[-3:]] == ["user", "assistant", "user"]
    assert flat(told[-2]["content"]) == flat(cut)
    assert versions(page, 3) == "2 of 2"
    turn(page, 3, "Previous")
    expect(message(page, 2, "stopped")).to_be_visible()
    assert words(page, 2) == cut


def test_the_answer_on_another_branch_can_be_stopped(visit: Visit, model: ScriptedModel) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    model.script = Script(tokens=200, interval=0.05)
    message(page, 2).get_by_role("button", name="Another answer").click()
    growing(page, 3)

    turn(page, 3, "Previous")

    expect(message(page, 2, "complete")).to_be_visible()
    expect(page.locator("#stop")).to_be_visible()
    page.locator("#stop").click()
    expect(page.locator("#send")).to_be_visible()
    turn(page, 2, "Next")
    expect(message(page, 3, "stopped")).to_be_visible()


def test_after_such_a_stop_a_question_follows_what_is_seen(
    visit: Visit, model: ScriptedModel
) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    model.script = Script(tokens=200, interval=0.05)
    message(page, 2).get_by_role("button", name="Another answer").click()
    growing(page, 3)
    turn(page, 3, "Previous")
    expect(message(page, 2, "complete")).to_be_visible()
    page.locator("#stop").click()
    expect(page.locator("#send")).to_be_visible()
    model.script = Script(tokens=10, interval=0.01)

    ask(page, "About the first answer")

    answered(page, 5)
    page.reload()
    expect(message(page, 2)).to_be_visible()
    expect(message(page, 3)).to_have_count(0)
    assert flat(words(page, 4)) == "About the first answer"


def test_an_edit_whose_reply_was_lost_can_be_sent_again(visit: Visit) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    edit_address = "**/messages/1/edit"
    arrived: list[int] = []

    def lose(route: Route) -> None:
        if route.request.method == "GET":
            route.continue_()
            return
        arrived.append(route.fetch().status)
        route.abort()

    page.route(edit_address, lose)
    edit(page, 1, "In other words")
    until(page, lambda: arrived == [200])
    expect(notice(page)).to_contain_text("cannot be reached")
    page.unroute(edit_address)
    page.locator("#edit-1").fill("In words of its own")
    send = page.locator(".edit").get_by_role("button", name="Send")
    id = page.locator(".edit [name=request_id]")
    used = id.input_value()

    send.click()
    expect(notice(page)).to_contain_text("Send again to send this one too")
    expect(id).not_to_have_value(used)
    expect(page.locator("#conversations .running")).to_have_count(0)
    expect(page.locator(".edit.htmx-request")).to_have_count(0)
    send.click()

    answered(page, 6)
    assert flat(words(page, 5)) == "In words of its own"
    forgive(page)


def test_the_keyboard_stays_where_it_is(visit: Visit) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    message(page, 2).get_by_role("button", name="Another answer").click()
    answered(page, 3)
    page.locator("#message-3 .siblings button").first.focus()

    page.keyboard.press("Enter")

    expect(message(page, 2)).to_be_visible()
    expect(page.locator("#message-2 :focus")).to_have_count(1)


@pytest.mark.parametrize("way", ["Try again", "Continue"])
def test_without_scripts(visit: Visit, model: ScriptedModel, way: str) -> None:
    model.script = Script(tokens=30, interval=0.01, do="cut", after=12)
    page = visit(scripts=False)
    ask_plainly(page, "First")
    cut = ended(page, 2, "interrupted")
    model.script = Script(tokens=12, interval=0.01)

    message(page, 2).get_by_role("button", name=way).click()

    again = ended(page, 3, "complete")
    assert (again == answer_to("First", 12).strip()) == (way == "Try again")
    assert again.startswith(cut)
    turn(page, 3, "Previous")
    expect(message(page, 2, "interrupted")).to_be_visible()
    assert re.search(r"#message-2$", page.url)
    turn(page, 2, "Next")
    page.locator("#message-1").get_by_role("link", name="Edit this question").click()
    page.locator("#edit-1").fill("In other words")
    page.locator(".edit").get_by_role("button", name="Send").click()
    ended(page, 5, "complete")
    assert flat(words(page, 4)) == "In other words"
    assert versions(page, 4) == "2 of 2"


def ask_plainly(page: Page, text: str) -> None:
    page.locator("#text").fill(text)
    page.locator("#send").click()


def ended(page: Page, position: int, status: str) -> str:
    """Wait for a page without scripts, which loads itself again."""
    expect(message(page, position, status)).to_have_count(1)
    return words(page, position)
