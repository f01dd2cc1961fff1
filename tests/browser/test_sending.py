"""A question on a slow or broken line: shown at once, never twice, never lost."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import browsers
from tests.browser.chats import answered, ask, forgive, growing, notice, until, words
from tests.proxies import Proxy
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import Server

Visit = Callable[..., Page]


@pytest.fixture
def line(server: Server) -> Iterator[Proxy]:
    with Proxy("127.0.0.1", server.port) as line:
        yield line


@pytest.fixture
def page(browser: Browser, line: Proxy) -> Iterator[Page]:
    """A new chat at the other end of the line."""
    page = browsers.new_page(browser, origin=f"http://127.0.0.1:{line.port}")
    page.goto("/")
    yield page
    line.thaw()
    complaints = browsers.heard(page)
    page.context.close()
    assert not complaints


def lose(line: Proxy) -> None:
    line.refuse()  # or the browser tries once more by itself
    line.cut()


def mend(line: Proxy) -> None:
    line.accept()
    line.thaw()


def test_a_question_is_shown_at_once_and_once(page: Page, line: Proxy) -> None:
    for number, text in enumerate(("The *first*\nlighthouse", "The second waterfall")):
        line.delay = 0.5
        ask(page, text)
        sending = page.locator(".sending")
        assert sending.locator(".body").inner_text() == text
        expect(sending).to_contain_text("Sending…")
        expect(page.locator(".examples")).to_have_count(0 if number else 1)
        expect(page.locator(".examples")).to_be_hidden()
        assert page.locator("#text").input_value() == ""
        assert page.get_by_text(text.split()[-1]).count() == 1
        assert page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
        page.keyboard.type("and then")
        expect(sending).to_have_count(0)
        expect(page.locator('[data-role="user"]')).to_have_count(number + 1)
        line.delay = 0
        assert answered(page, 2 * number + 2) == answer_to(text).strip()
        expect(page.locator("#text")).to_have_value("and then")
        expect(page.locator("#text")).to_be_focused()


def test_an_example_is_shown_at_once(page: Page, line: Proxy) -> None:
    line.delay = 0.5
    example = page.locator(".examples button").first
    text = example.inner_text()
    example.click()
    expect(page.locator(".sending .body")).to_have_text(text)
    line.delay = 0
    answered(page)
    assert words(page, 1) == text


@pytest.mark.parametrize("where", ["in a new chat", "in a conversation"])
def test_what_does_not_arrive_comes_back(page: Page, line: Proxy, where: str) -> None:
    before = 0
    if where == "in a conversation":
        ask(page, "Before")
        answered(page)
        before = 2
    line.freeze()
    ask(page, "Lost on the way")
    expect(page.locator(".sending .body")).to_have_text("Lost on the way")
    page.keyboard.type("and then")
    lose(line)
    expect(notice(page)).to_contain_text("cannot be reached")
    expect(page.locator(".sending")).to_have_count(0)
    expect(page.locator("#text")).to_have_value("Lost on the way\nand then")
    expect(page.locator("#text")).to_be_focused()
    expect(page.locator("#empty")).to_have_count(0 if before else 1)
    mend(line)
    page.keyboard.press("Enter")
    answered(page, before + 2)
    assert words(page, before + 1) == "Lost on the way\nand then"
    expect(notice(page)).to_have_count(0)
    forgive(page)


def test_an_example_that_does_not_arrive_can_be_chosen_again(page: Page, line: Proxy) -> None:
    page.locator("#text").fill("Something else")
    line.freeze()
    page.locator(".examples button").first.click()
    expect(page.locator(".sending")).to_be_visible()
    lose(line)
    expect(notice(page)).to_contain_text("cannot be reached")
    expect(page.locator("#text")).to_have_value("Something else")
    mend(line)
    page.locator(".examples button").first.click()
    answered(page)
    expect(page.locator("#text")).to_have_value("Something else")
    forgive(page)


def test_a_double_click_on_send_does_not_stop_the_answer(
    visit: Visit, model: ScriptedModel
) -> None:
    model.script = Script(tokens=40, interval=0.02)
    page = visit()
    page.locator("#text").fill("Twice")
    place = page.locator("#send").bounding_box()
    assert place
    page.mouse.move(place["x"] + 20, place["y"] + 20)
    page.mouse.down(click_count=1)
    page.mouse.up(click_count=1)
    expect(page.locator("#stop")).to_be_visible()
    page.mouse.down(click_count=2)
    page.mouse.up(click_count=2)
    assert answered(page) == answer_to("Twice", 40).strip()


def test_an_empty_box_sends_nothing_and_says_nothing(visit: Visit) -> None:
    page = visit()
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#text")).to_be_focused()
    until(page, lambda: page.locator("#empty").is_visible())
    expect(notice(page)).to_have_count(0)


def test_the_error_page_of_a_proxy_is_no_part_of_the_page(page: Page) -> None:
    page.route(
        "**/c",
        lambda route: route.fulfill(
            status=502, content_type="text/html",
            body="<html><title>502 Bad Gateway</title><h1>502 Bad Gateway</h1></html>",
        ),
    )  # fmt: skip

    ask(page, "The lighthouse")

    expect(page.locator("#notice")).to_contain_text("The server cannot be reached")
    expect(page.locator("#text")).to_have_value("The lighthouse")
    expect(page.locator("#messages")).not_to_contain_text("Bad Gateway")
    assert "Bad Gateway" not in page.title()
    forgive(page)


def test_a_reload_while_sending_brings_the_text_back(page: Page) -> None:
    page.route("**/c", lambda route: None)
    ask(page, "The lighthouse")
    expect(page.locator(".sending")).to_have_count(1)
    sent_with = page.locator("#composer > [name=request_id]").input_value()

    page.reload()

    # Only now: without its route the held request would go on, and perhaps be answered in time.
    page.unroute_all(behavior="ignoreErrors")
    expect(page.locator("#text")).to_have_value("The lighthouse")
    assert page.locator("#composer > [name=request_id]").input_value() == sent_with
    page.locator("#send").click()
    expect(page.locator("#message-1")).to_have_count(1)
    expect(page.locator('[data-role="user"]')).to_have_count(1)
    page.goto("/")
    expect(page.locator("#text")).to_have_value("")


def test_a_reload_while_sending_what_has_arrived_does_not_bring_it_back(page: Page) -> None:
    ask(page, "The lighthouse")
    answered(page)
    arrived: list[int] = []
    page.route("**/messages", lambda route: arrived.append(route.fetch().status))
    ask(page, "And the keeper?")
    until(page, lambda: arrived == [200])
    expect(page.locator(".sending")).to_have_count(1)

    page.reload()

    page.unroute_all(behavior="ignoreErrors")
    answered(page, 4)
    expect(page.locator("#text")).to_have_value("")
    assert page.evaluate("sessionStorage.getItem('sending')") is None


def test_one_question_too_many_stays_in_the_box(
    model: ScriptedModel, open_page: Callable[..., Page]
) -> None:
    with Server(LLM_BASE_URL=model.base_url, LIMIT_ANSWERS_AT_ONCE="1") as server:
        model.script = Script(tokens=1000, interval=0.05)
        page = open_page(server)
        ask(page, "The first")
        growing(page)
        first = page.url
        page.goto("/")

        ask(page, "The second")

        expect(notice(page)).to_contain_text("The limit here is 1 answer at once for each person.")
        expect(page.locator("#text")).to_have_value("The second")
        expect(page.locator(".message")).to_have_count(0)
        page.goto(first)
        page.locator("#stop").click()
        answered(page, status="stopped")
        model.script = Script(tokens=5)
        page.goto("/")
        ask(page, "The second")
        assert answered(page) == answer_to("The second", 5).strip()
        forgive(page)
