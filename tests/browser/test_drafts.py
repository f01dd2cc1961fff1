"""What is typed and not sent: there in every tab, gone with the send, and never in the way."""

import re
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests import postgres
from tests.browser.chats import (
    BOTH_DATABASES,
    answered,
    ask,
    forgive,
    growing,
    message,
    notice,
    posts,
    until,
)
from tests.scripted_model import Script, ScriptedModel
from tests.servers import Server

Visit = Callable[..., Page]
OpenPage = Callable[..., Page]

DRAFTS = re.compile("/draft$")
SENDS = re.compile("/c$|/messages$")


@pytest.fixture(params=["a new chat", "a conversation"])
def page(request: pytest.FixtureRequest, visit: Visit) -> Page:
    """A page with a box."""
    page = visit()
    if request.param == "a conversation":
        ask(page, "Before")
        answered(page)
        page.reload()
    return page


def hold(page: Page, addresses: re.Pattern[str]) -> list[Route]:
    """Let the next request to such an address wait for the test."""
    held: list[Route] = []
    page.route(addresses, lambda route: held.append(route), times=1)
    return held


def type(page: Page, text: str) -> None:
    """Type like a person in a hurry, without leaving the box."""
    page.locator("#text").press_sequentially(text, delay=20)


def send(page: Page) -> None:
    """Send what is in the box, the first question of a new chat or the second of a conversation."""
    answer = 2 if page.url.endswith("/") else 4
    page.locator("#text").press("Enter")
    answered(page, answer)


def typed(page: Page, text: str) -> None:
    """Type, and wait until it is saved."""
    with page.expect_response(DRAFTS) as saved:
        type(page, text)
    assert saved.value.status == 204


def expect_elsewhere(page: Page, text: str) -> None:
    """What another tab has in the box of the same page, within a while."""
    other = page.context.new_page()
    other.goto(page.url)

    def is_there() -> bool:
        if other.locator("#text").input_value() == text:
            return True
        other.reload()
        return False

    until(other, is_there)
    other.close()


@BOTH_DATABASES
def test_what_is_typed_is_in_another_tab_and_after_a_reload(page: Page) -> None:
    made = posts(page)

    typed(page, "Why is the sky blue?")

    assert len(made) == 1, "saved at a modest pace"
    expect_elsewhere(page, "Why is the sky blue?")
    page.reload()
    expect(page.locator("#text")).to_have_value("Why is the sky blue?")
    page.locator("#text").press("Control+End")
    typed(page, " And red?")
    expect_elsewhere(page, "Why is the sky blue? And red?")


def test_it_is_saved_at_once_when_the_box_is_left(page: Page) -> None:
    with page.expect_response(DRAFTS, timeout=900):
        type(page, "Why")
        page.keyboard.press("Tab")
    expect_elsewhere(page, "Why")


def test_an_emptied_box_is_empty_elsewhere(page: Page) -> None:
    typed(page, "Why")
    with page.expect_response(DRAFTS):
        page.locator("#text").fill("")
    expect_elsewhere(page, "")


@BOTH_DATABASES
def test_it_is_gone_after_sending(page: Page) -> None:
    address = page.url
    typed(page, "Why is the sky blue?")
    page.reload()

    send(page)

    expect(page.locator("#text")).to_have_value("")
    for each in {page.url, address}:
        page.goto(each)
        expect(page.locator("#text")).to_have_value("")


def test_sent_from_two_tabs_it_is_one_message(page: Page) -> None:
    typed(page, "Once only")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#text")).to_have_value("Once only")
    for tab in (page, other):
        send(tab)
    page.reload()
    expect(
        page.locator(".message", has_text="Once only").and_(page.locator("[data-role=user]"))
    ).to_have_count(1)
    expect(page.locator("#conversations .row")).to_have_count(1)


@BOTH_DATABASES
def test_a_save_that_comes_after_the_send_does_not_bring_it_back(page: Page) -> None:
    held = hold(page, DRAFTS)
    type(page, "Why is the sk")
    until(page, lambda: held)
    type(page, "y blue?")
    send(page)

    with page.expect_response(DRAFTS) as saved:
        held[0].continue_()

    assert saved.value.status == 204
    for each in {page.url, "/"}:
        page.goto(each)
        expect(page.locator("#text")).to_have_value("")


def test_saves_on_a_slow_line_end_with_what_was_typed_last(page: Page) -> None:
    held = hold(page, DRAFTS)
    for each in ("one", " two", " three"):
        type(page, each)
        page.wait_for_timeout(1200)
    assert len(held) == 1

    held[0].continue_()

    expect_elsewhere(page, "one two three")


def test_while_sending_it_stays_and_a_failed_send_is_saved(page: Page) -> None:
    held = hold(page, SENDS)
    typed(page, "Why is the sky")
    made = posts(page)
    type(page, " blue?")
    page.locator("#text").press("Enter")
    until(page, lambda: held)
    page.wait_for_timeout(1500)
    assert len(made) == 1
    expect_elsewhere(page, "Why is the sky")

    held[0].abort("connectionreset")

    expect(page.locator("#text")).to_have_value("Why is the sky blue?")
    expect_elsewhere(page, "Why is the sky blue?")
    expect(notice(page)).to_contain_text("Your text is still in the box")
    expect(page.locator(".sending")).to_have_count(0)
    forgive(page)


def test_what_is_typed_while_sending_stays_and_is_saved(page: Page) -> None:
    held = hold(page, SENDS)
    typed(page, "Why")
    page.reload()
    page.locator("#text").press("Enter")
    until(page, lambda: held)
    page.keyboard.type("and then")
    page.locator("#text").blur()

    held[0].continue_()

    expect(page.locator(".sending")).to_have_count(0)
    expect(page.locator("#stop, #send")).to_be_visible()
    expect(page.locator("#text")).to_have_value("and then")
    expect_elsewhere(page, "and then")


def test_an_answer_being_written_is_no_reason_not_to_save(
    visit: Visit, model: ScriptedModel
) -> None:
    model.script = Script(tokens=200, interval=0.05)
    page = visit()
    ask(page, "A long one")
    growing(page)
    typed(page, "Meanwhile")
    expect_elsewhere(page, "Meanwhile")
    expect(page.locator("#text")).to_have_value("Meanwhile")
    page.locator("#stop").click()
    answered(page, 2, "stopped")
    expect(page.locator("#text")).to_have_value("Meanwhile")


@pytest.mark.parametrize("how", ["404", "409", "413", "429", "502", "503", "no server"])
def test_a_save_that_fails_says_nothing(visit: Visit, how: str) -> None:
    page = visit()

    def fail(route: Route) -> None:
        if how == "no server":
            route.abort("connectionrefused")
            return
        ours = {} if how == "502" else {"HX-Retarget": "#notice", "HX-Reswap": "innerHTML"}
        route.fulfill(
            status=int(how), content_type="text/html", headers=ours,
            body="<title>No</title><div class=notice><p class=notice-text>No</p></div>",
        )  # fmt: skip

    title = page.title()
    failed: list[Route] = []
    page.route(DRAFTS, lambda route: (failed.append(route), fail(route)))
    type(page, "Why is the sky blue?")
    until(page, lambda: failed)
    page.wait_for_timeout(4000)
    assert len(failed) == (1 if how in {"404", "409", "413"} else 2)
    expect(notice(page)).to_have_count(0)
    assert page.title() == title
    expect(page.locator("#text")).to_have_value("Why is the sky blue?")
    expect(page.locator("#text")).to_be_focused()
    page.unroute_all()
    if len(failed) == 2:
        expect_elsewhere(page, "Why is the sky blue?")
    forgive(page)


def test_saving_takes_no_notice_away(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(tokens=200, interval=0.05)
    page = visit()
    ask(page, "A long one")
    growing(page)
    page.locator("#text").fill("Too early")
    page.locator("#text").press("Enter")
    with page.expect_response(DRAFTS):
        expect(notice(page)).to_contain_text("still being written")
    page.wait_for_timeout(200)
    expect(notice(page)).to_contain_text("still being written")
    page.locator("#stop").click()
    answered(page, 2, "stopped")


@pytest.fixture
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.Cluster() as cluster:
        yield cluster


def test_with_the_database_away_typing_goes_on_and_is_saved_when_it_is_back(
    open_page: OpenPage, the_model: ScriptedModel, cluster: postgres.Cluster
) -> None:
    with (
        cluster.fresh() as url,
        Server(workers=2, LLM_BASE_URL=the_model.base_url, DATABASE_URL=url) as server,
    ):
        page = open_page(server)
        typed(page, "Before,")
        made = posts(page)
        cluster.stop()
        for each in (" while", " it", " is", " away"):
            type(page, each)
            page.wait_for_timeout(1300)
        page.wait_for_timeout(3000)
        expect(notice(page)).to_have_count(0)
        expect(page.locator("#text")).to_have_value("Before, while it is away")
        expect(page.locator("#text")).to_be_focused()
        assert 4 <= len(made) < 12
        cluster.start()
        expect_elsewhere(page, "Before, while it is away")
        expect(notice(page)).to_have_count(0)
        cluster.suspend()
        type(page, " or hangs")
        page.wait_for_timeout(5000)
        expect(notice(page)).to_have_count(0)
        cluster.resume()
        expect_elsewhere(page, "Before, while it is away or hangs")
        page.locator("#text").press("Enter")
        answered(page)
        page.goto("/")
        expect(page.locator("#text")).to_have_value("")
        forgive(page)


def test_a_tab_that_types_on_what_another_has_sent_goes_on_with_an_id_of_its_own(
    visit: Visit,
) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    with page.expect_response("**/draft"):
        page.locator("#text").fill("Second")
    other = page.context.new_page()
    other.goto(page.url)
    expect(other.locator("#text")).to_have_value("Second")
    field = "#composer > [name=request_id]"
    used = other.locator(field).input_value()
    page.locator("#text").press("Enter")
    answered(page, 4)
    expect(message(other, 4, "complete")).to_be_visible()

    with other.expect_response("**/draft"):
        other.locator("#text").fill("Second, and third")

    until(other, lambda: other.locator(field).input_value() != used)
    other.reload()
    expect(other.locator("#text")).to_have_value("Second, and third")
    other.locator("#text").press("Enter")
    answered(other, 6)
