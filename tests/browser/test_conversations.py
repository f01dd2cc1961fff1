"""Conversations are kept: named, deleted, brought back, found; and what surrounds them."""

import re
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from playwright.sync_api import Page, expect

from tests.browser.chats import (
    A_CONVERSATION,
    answered,
    ask,
    forgive,
    growing,
    id_of,
    multiply,
    notice,
    shown,
)
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import Server

Visit = Callable[..., Page]


def titles(page: Page) -> list[str]:
    return page.locator("#conversations .row-title").all_inner_texts()


def test_renaming_the_open_conversation_shows_everywhere(visit: Visit) -> None:
    page = visit()
    ask(page, "A working title")
    answered(page)
    page.get_by_label("Rename or delete this conversation").click()
    page.locator("#menu-title").fill("A <b>better</b> & “longer” title")
    page.keyboard.press("Enter")
    expect(page.locator("#title")).to_have_text("A <b>better</b> & “longer” title")
    expect(page.locator("#conversations .row-title")).to_have_text(
        ["A <b>better</b> & “longer” title"]
    )
    expect(page).to_have_title("A <b>better</b> & “longer” title · chatweb")
    expect(page.locator("#menu-title")).to_be_hidden()
    before = shown(page, "body")
    page.reload()
    assert shown(page, "body") == before


def test_renaming_in_the_history_shows_everywhere(visit: Visit) -> None:
    page = visit()
    ask(page, "Old name")
    answered(page)
    page.goto("/history")
    page.locator("#history summary", has_text="Rename").click()
    box = page.get_by_role("textbox", name="Title")
    box.fill("  New   name ")
    box.press("Enter")
    expect(page.locator("#history .entry-link")).to_have_text("New name")
    expect(page.locator("#conversations .row-title")).to_have_text(["New name"])
    expect(box).to_be_hidden()
    expect(page).to_have_title("History · chatweb")
    before = shown(page, "body")
    page.reload()
    assert shown(page, "body") == before


def test_deleting_in_the_history_is_undone_in_place(visit: Visit, server: Server) -> None:
    page = visit()
    ask(page, "Number 0")
    answered(page)
    multiply(server, id_of(page), 3)
    page.goto("/history")
    before = shown(page, "body")
    page.get_by_role("button", name="Delete Number 2").click()
    expect(page.get_by_text("Deleted “Number 2”.")).to_be_visible()
    expect(page.get_by_role("button", name="Undo")).to_be_focused()
    expect(page.locator("#conversations .row-title", has_text="Number 2")).to_have_count(0)
    page.keyboard.press("Enter")
    expect(page.locator("#history .entry-link")).to_have_text([f"Number {n}" for n in range(4)])
    expect(page.locator("#conversations .row-title")).to_have_text(
        [f"Number {n}" for n in range(4)]
    )
    assert page.evaluate("document.activeElement.closest('#history') !== null")
    assert shown(page, "body") == before


def test_deleting_the_open_conversation_offers_to_undo(visit: Visit) -> None:
    page = visit()
    ask(page, "Gone and back")
    answered(page)
    before = shown(page)
    page.get_by_label("Rename or delete this conversation").click()
    page.get_by_role("button", name="Delete conversation").click()
    expect(page.locator("#empty")).to_be_visible()
    expect(page.get_by_text("Deleted “Gone and back”.")).to_be_visible()
    assert titles(page) == []
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(A_CONVERSATION)
    assert titles(page) == ["Gone and back"]
    assert shown(page) == before
    forgive(page)  # a draft that was on its way when the conversation was deleted


def test_a_question_after_a_deletion_takes_the_offer_away(visit: Visit) -> None:
    page = visit()
    ask(page, "Gone")
    answered(page)
    page.get_by_label("Rename or delete this conversation").click()
    page.get_by_role("button", name="Delete conversation").click()
    ask(page, "Next")
    answered(page)
    expect(page.get_by_text("Deleted “Gone”.")).to_have_count(0)
    assert titles(page) == ["Next"]


def test_deleting_while_an_answer_comes_stops_it(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(do="stall", after=5)
    page = visit()
    ask(page, "Never mind")
    growing(page)
    page.get_by_label("Rename or delete this conversation").click()
    page.get_by_role("button", name="Delete conversation").click()
    expect(page.locator("#empty")).to_be_visible()
    assert model.wait_for(lambda: model.requests[-1].left_early)
    page.get_by_role("button", name="Undo").click()
    answered(page, status="stopped")


def test_the_side_list_is_newest_first_and_goes_on(visit: Visit, server: Server) -> None:
    page = visit()
    ask(page, "Number 0")
    answered(page)
    multiply(server, id_of(page), 119)
    page.reload()
    expect(page.locator("#conversations .row")).to_have_count(50)
    for count in (100, 120):
        page.get_by_role("link", name="Show more").click()
        expect(page.locator("#conversations .row")).to_have_count(count)
    expect(page.locator("#conversations-more")).to_have_count(0)
    assert titles(page) == [f"Number {number}" for number in range(120)]


def test_asking_moves_a_conversation_to_the_top(visit: Visit, server: Server) -> None:
    page = visit()
    ask(page, "Number 0")
    answered(page)
    first = page.url
    page.get_by_role("link", name="New chat").click()
    ask(page, "Number 1")
    answered(page)
    assert titles(page) == ["Number 1", "Number 0"]
    page.goto(first)
    ask(page, "Again")
    answered(page, 4)
    assert titles(page) == ["Number 0", "Number 1"]
    before = shown(page, "#side")
    page.reload()
    assert shown(page, "#side") == before


def test_the_history_is_grouped_and_goes_on(visit: Visit, server: Server) -> None:
    page = visit(timezone_id="Pacific/Auckland")
    ask(page, "Number 0")
    answered(page)
    multiply(server, id_of(page), 119)
    page.goto("/history")
    for _ in range(2):
        page.get_by_role("link", name="Show older conversations").click()
        page.wait_for_function("() => !document.querySelector('#history .htmx-request')")
        page.wait_for_timeout(200)
    expect(page.locator("#history .entry")).to_have_count(120)
    expect(page.locator("#history-more")).to_have_count(0)
    names = page.locator("#history .entry-link").all_inner_texts()
    assert names == [f"Number {number}" for number in range(120)]
    headings = page.locator("#history h2").all_inner_texts()
    assert headings[:3] == ["Today", "Yesterday", "The last seven days"]
    assert len(set(headings)) == len(headings), headings


def test_times_are_the_readers_own(visit: Visit, server: Server) -> None:
    zone = ZoneInfo("Pacific/Auckland")
    page = visit(timezone_id="Pacific/Auckland", locale="en-GB")
    ask(page, "When?")
    answered(page)
    expect(page.locator("#foot-2 time")).to_have_text("just now")
    multiply(server, id_of(page), 40)
    page.goto("/history")
    now = datetime.now(zone)
    for hours in (1, 30, 40):
        at = now - timedelta(hours=hours)
        text = (
            page.locator("#history .entry", has_text=re.compile(rf"Number {hours}\b"))
            .locator("time")
            .inner_text()
        )
        days = (now.date() - at.date()).days
        wanted = f"{at:%H:%M}" if days == 0 else "yesterday" if days == 1 else f"{at.day} {at:%b}"
        minute_before = f"{at - timedelta(minutes=1):%H:%M}"
        assert text.startswith(wanted) or text == minute_before, (hours, text, wanted)
        stamp = page.locator("#history .entry time").nth(hours).get_attribute("datetime")
        assert stamp
        assert abs(datetime.fromisoformat(stamp) - at) < timedelta(minutes=3)


def test_a_theme_is_kept_by_the_server(visit: Visit) -> None:
    page = visit(theme="light")

    def ground() -> str:
        return str(page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))

    light = ground()
    page.get_by_text("Dark", exact=True).click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = ground()
    assert dark != light
    source = page.context.request.get("/").text()
    assert re.search(r'<html[^>]*\bdata-theme="dark"', source), "no flash: the page comes dark"
    page.goto("/history")
    assert ground() == dark
    expect(page.get_by_label("Dark")).to_be_checked()
    page.get_by_text("System", exact=True).click()
    assert ground() == light
    assert "data-theme" not in page.context.request.get("/").text().split("<body")[0]


def test_the_side_list_stays_closed(visit: Visit) -> None:
    page = visit()
    toggle = page.get_by_role("button", name="Show or hide the list of conversations")
    toggle.click()
    expect(page.locator("#side")).to_be_hidden()
    page.goto("/history")
    expect(page.locator("#side")).to_be_hidden()
    toggle.click()
    expect(page.locator("#side")).to_be_visible()


def test_messages_and_code_can_be_copied(visit: Visit, model: ScriptedModel) -> None:
    code = "def f():\n    return '<b>'\n"
    model.script = Script(pieces=("Words *first*.\n\n```python\n", code, "```\n\nand last"))
    page = visit(permissions=["clipboard-read", "clipboard-write"])
    ask(page, "Copy\nme")
    answered(page)
    for name, wanted in (
        ("Copy this code", code.rstrip()),
        ("Copy this question", "Copy\nme"),
    ):
        page.get_by_role("button", name=name).click()
        expect(page.locator("#announcer")).to_have_text("Copied.")
        page.evaluate("document.getElementById('announcer').textContent = ''")
        assert page.evaluate("navigator.clipboard.readText()").rstrip() == wanted
    page.get_by_role("button", name="Copy this answer").click()
    expect(page.locator("#announcer")).to_have_text("Copied.")
    copied = page.evaluate("navigator.clipboard.readText()")
    assert copied.startswith("Words ")
    assert "    return '<b>'" in copied
    assert copied.endswith("and last")


def test_without_the_permission_the_text_is_selected(visit: Visit, model: ScriptedModel) -> None:
    page = visit()
    ask(page, "Copy me")
    answered(page)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.get_by_role("button", name="Copy this answer").click()
    expect(notice(page)).to_contain_text("selected")
    assert page.evaluate("getSelection().toString()").strip() == answer_to("Copy me").strip()


def test_the_list_is_a_drawer_on_the_phone(visit: Visit) -> None:
    page = visit(width=360, height=740, has_touch=True, is_mobile=True)
    page.locator("#text").fill("On the phone")
    page.get_by_role("button", name="Send").tap()
    answered(page)
    expect(page.locator("#side")).to_be_hidden()
    opener = page.get_by_role("button", name="Conversations")
    opener.tap()
    expect(page.locator("#side")).to_be_visible()
    assert titles(page) == ["On the phone"]
    page.keyboard.press("Escape")
    expect(page.locator("#side")).to_be_hidden()
    expect(opener).to_be_focused()
    opener.tap()
    page.get_by_role("button", name="Close the list").tap()
    expect(page.locator("#side")).to_be_hidden()
    opener.tap()
    page.get_by_role("link", name="New chat").tap()
    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator("#side")).to_be_hidden()


def test_enter_breaks_the_line_on_the_phone(visit: Visit) -> None:
    page = visit(width=360, height=740, has_touch=True, is_mobile=True)
    page.locator("#text").press_sequentially("one")
    page.locator("#text").press("Enter")
    page.locator("#text").press_sequentially("two")
    expect(page.locator("#text")).to_have_value("one\ntwo")
