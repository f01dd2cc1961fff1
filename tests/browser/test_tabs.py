"""Several tabs, several devices: each tells the truth about what happens in the others."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chats import (
    BOTH_DATABASES,
    answered,
    ask,
    flat,
    growing,
    message,
    shown,
    until,
    words,
)
from tests.scripted_model import Script, ScriptedModel

Visit = Callable[..., Page]


@pytest.fixture
def two(visit: Visit) -> tuple[Page, Page]:
    """The same conversation in two tabs."""
    page = visit()
    ask(page, "First")
    answered(page)
    other = page.context.new_page()
    other.goto(page.url)
    expect(message(other, 2, "complete")).to_be_visible()
    return page, other


def streams(page: Page) -> int:
    """Connections that a page keeps open."""
    return int(page.locator(".stream, #feed[hx-sse\\:connect]").count())


@BOTH_DATABASES
def test_a_question_asked_elsewhere_and_its_answer_come(
    two: tuple[Page, Page], model: ScriptedModel
) -> None:
    page, other = two
    model.script = Script(tokens=60, interval=0.05)

    ask(page, "Second")

    expect(message(other, 3)).to_contain_text("Second")
    growing(other, 4)
    until(other, lambda: streams(page) == streams(other) == 1)
    assert answered(other, 4) == answered(page, 4)
    until(other, lambda: streams(other) == 1)
    assert shown(other, "main") == shown(page, "main")
    ask(other, "And back")
    expect(message(page, 5)).to_contain_text("And back")
    assert answered(page, 6) == answered(other, 6)


@BOTH_DATABASES
def test_branches_made_elsewhere_can_be_reached(two: tuple[Page, Page]) -> None:
    page, other = two
    message(page, 2).get_by_role("button", name="Another answer").click()
    answered(page, 3)

    expect(message(other, 3, "complete")).to_be_visible()

    assert words(other, 3) == words(page, 3)
    message(other, 3).get_by_role("button", name="Previous version").click()
    expect(message(other, 2, "complete")).to_be_visible()
    expect(message(page, 2, "complete")).to_be_visible()


def test_what_is_typed_elsewhere_stays(two: tuple[Page, Page]) -> None:
    page, other = two
    other.locator("#text").fill("Half a thought")

    ask(page, "Second")

    expect(message(other, 4, "complete")).to_be_visible()
    expect(other.locator("#text")).to_have_value("Half a thought")


def test_a_question_being_edited_elsewhere_stays(two: tuple[Page, Page]) -> None:
    page, other = two
    message(other, 1).hover()
    message(other, 1).get_by_role("link", name="Edit this question").click()
    other.locator("#edit-1").fill("In other words")
    message(page, 2).get_by_role("button", name="Another answer").click()
    answered(page, 3)
    expect(other.locator("#conversations .running")).to_have_count(0)

    other.locator(".edit").get_by_role("button", name="Send").click()

    answered(other, 5)
    assert flat(words(other, 4)) == "In other words"
    expect(message(page, 4)).to_contain_text("In other words")


@BOTH_DATABASES
def test_the_list_shows_what_is_running_and_what_is_new(visit: Visit, model: ScriptedModel) -> None:
    page = visit()
    ask(page, "Reading this")
    answered(page)
    other = page.context.new_page()
    other.goto("/")
    model.script = Script(tokens=60, interval=0.05)
    ask(other, "Something else")
    growing(other)

    row = page.locator("#conversations .row").first
    expect(row).to_contain_text("Something else")
    expect(row.locator(".running")).to_have_count(1)
    other.close()
    expect(row.locator(".unseen")).to_have_count(1)
    expect(row.locator(".running")).to_have_count(0)

    row.get_by_role("link").click()
    answered(page)
    expect(page.locator("#conversations .unseen")).to_have_count(0)


def test_the_list_is_told_while_an_answer_comes(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(tokens=400, interval=0.05)
    page = visit()
    ask(page, "A long one")
    growing(page)
    other = page.context.new_page()
    other.goto("/")
    ask(other, "Meanwhile")

    expect(page.locator("#conversations .row")).to_have_count(2)

    expect(page.locator("#conversations .row").first).to_contain_text("Meanwhile")
    assert message(page, 2).get_attribute("data-status") == "streaming"
    assert streams(page) == 1
    for each in (page, other):
        each.locator("#stop").click()
        answered(each, 2, "stopped")


def test_renamed_and_deleted_elsewhere(two: tuple[Page, Page]) -> None:
    page, other = two
    page.get_by_label("Rename or delete this conversation").click()
    page.get_by_label("Title", exact=True).fill("A better title")
    page.get_by_role("button", name="Rename", exact=True).click()

    expect(other.locator("#title")).to_have_text("A better title")

    expect(other.locator("#conversations .row-title")).to_have_text("A better title")
    page.get_by_label("Rename or delete this conversation").click()
    page.get_by_role("button", name="Delete conversation").click()
    expect(other.locator("#conversations .row")).to_have_count(0)


def test_a_page_lets_go_of_an_answer_whose_conversation_is_deleted(
    two: tuple[Page, Page], model: ScriptedModel
) -> None:
    page, other = two
    model.script = Script(tokens=400, interval=0.05)
    ask(page, "A long one")
    growing(other, 4)

    page.get_by_label("Rename or delete this conversation").click()
    page.get_by_role("button", name="Delete conversation").click()

    expect(other.locator("#foot-4")).to_contain_text("This conversation was deleted.")
    expect(other.locator("#stop")).to_have_count(0)
    expect(other.locator("#conversations .row")).to_have_count(0)


def test_a_feed_that_was_cut_comes_back(two: tuple[Page, Page]) -> None:
    page, other = two
    other.context.set_offline(True)
    other.context.set_offline(False)

    ask(page, "Second")

    answered(page, 4)
    expect(message(other, 4, "complete")).to_be_visible()
