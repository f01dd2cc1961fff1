"""Scripts switched off: everything works by form and by pages that refresh themselves."""

import re
from collections.abc import Callable

from playwright.sync_api import Page, Route, expect

from tests.browser.chats import A_CONVERSATION, BOTH_DATABASES, forgive, message, words
from tests.scripted_model import Script, ScriptedModel, answer_to

Visit = Callable[..., Page]

AN_ANCHOR = re.compile(r"/c/[0-9a-f-]{36}#message-\d+$")


def send(page: Page, text: str) -> None:
    page.get_by_label("Your question").fill(text)
    page.get_by_role("button", name="Send").click()


def in_the_end(page: Page, position: int, status: str = "complete") -> str:
    expect(message(page, position, status)).to_be_visible()
    return words(page, position)


@BOTH_DATABASES
def test_the_whole_way(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(tokens=150, interval=0.03)
    page = visit(scripts=False)
    send(page, "Without scripts")
    expect(page).to_have_url(AN_ANCHOR)
    expect(message(page, 1)).to_contain_text("Without scripts")
    expect(message(page, 2, "streaming")).to_be_visible()
    expect(page.locator("#body-2")).not_to_be_empty()
    some = words(page, 2)
    text = in_the_end(page, 2)
    assert len(some) < len(text)
    assert text == answer_to("Without scripts", 150).strip()

    model.script = Script()
    send(page, "A second one")
    assert in_the_end(page, 4) == answer_to("A second one").strip()

    page.get_by_label("Rename or delete this conversation").click()
    page.get_by_label("Title", exact=True).fill("A better title")
    page.get_by_role("button", name="Rename", exact=True).click()
    expect(page.locator("#title")).to_have_text("A better title")

    page.get_by_role("link", name="History").click()
    expect(page.locator("#history .entry")).to_have_count(1)
    page.get_by_text("Rename").click()
    page.get_by_role("textbox", name="Title").fill("The best title")
    page.get_by_role("button", name="Save").click()
    expect(page.locator("#conversations .row-title")).to_have_text("The best title")

    page.get_by_role("link", name="History").click()
    page.get_by_role("button", name="Delete The best title").click()
    expect(page.locator("#conversations .row")).to_have_count(0)
    expect(page.get_by_text("Deleted “The best title”.")).to_be_visible()
    page.get_by_role("button", name="Undo").click()
    expect(page).to_have_url(A_CONVERSATION)
    expect(page.locator(".message")).to_have_count(4)

    page.get_by_label("Rename or delete this conversation").click()
    page.get_by_role("button", name="Delete conversation").click()
    expect(page.locator(".message")).to_have_count(0)
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".message")).to_have_count(4)


def test_an_example_asks(visit: Visit) -> None:
    page = visit(scripts=False)
    example = page.locator(".examples button").first
    text = example.inner_text()
    example.click()
    in_the_end(page, 2)
    assert words(page, 1) == text


def test_stop_and_try_again(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(do="stall", after=10)
    page = visit(scripts=False)
    send(page, "Endless")
    expect(page.locator("#body-2")).not_to_be_empty()
    page.get_by_role("button", name="Stop the answer").click()
    assert in_the_end(page, 2, "stopped") == answer_to("Endless", 10).strip()
    model.script = Script(status=400, times=1)
    page.get_by_role("button", name="Try again").click()
    # The question was asked before, so a script that misbehaves once does not do so now.
    in_the_end(page, 3)


def test_a_failed_answer_is_tried_again(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(status=400, times=1)
    page = visit(scripts=False)
    send(page, "Fail first")
    in_the_end(page, 2, "failed")
    page.get_by_role("button", name="Try again").click()
    assert in_the_end(page, 3) == answer_to("Fail first").strip()


@BOTH_DATABASES
def test_a_refused_question_is_kept_on_the_error_page(visit: Visit, model: ScriptedModel) -> None:
    page = visit(scripts=False)
    long = "\n" + "x" * 32_000
    send(page, long)
    expect(page.locator("h1")).to_have_text("This cannot be sent as it is")
    kept = page.get_by_label("Your text is still here")
    expect(kept).to_have_value(long)
    kept.fill(long[1:])
    page.get_by_role("button", name="Send again").click()
    in_the_end(page, 2)
    assert words(page, 1) == long[1:]
    forgive(page)


def test_a_question_meanwhile_is_kept_on_the_error_page(visit: Visit, model: ScriptedModel) -> None:
    page = visit(scripts=False)
    send(page, "First")
    in_the_end(page, 2)
    other = page.context.new_page()
    other.goto(page.url)
    model.script = Script(do="stall", after=3)
    send(page, "Second")
    expect(message(page, 4, "streaming")).to_be_visible()
    send(other, "Third")
    expect(other.locator("h1")).to_have_text("Not now")
    # At once: the page is another one every two seconds.
    page.get_by_role("button", name="Stop the answer").click(force=True)
    in_the_end(page, 4, "stopped")
    model.script = Script()
    other.get_by_role("button", name="Send again").click()
    in_the_end(other, 6)
    assert words(other, 5) == "Third"
    forgive(page)


def test_a_page_that_sends_origin_null_can_ask(visit: Visit) -> None:
    """Chromium does so under a referrer policy that a proxy or an add-on made stricter."""
    page = visit(scripts=False)

    def stricter(route: Route) -> None:
        response = route.fetch()
        headers = {**response.headers, "referrer-policy": "no-referrer"}
        route.fulfill(response=response, headers=headers)

    page.route(lambda url: url.endswith("/"), stricter)
    page.reload()
    page.unroute_all()
    with page.expect_request(lambda request: request.method == "POST") as made:
        send(page, "Origin: null")
    assert made.value.header_value("origin") == "null"
    in_the_end(page, 2)
