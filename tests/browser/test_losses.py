"""Losing the server or the database while a page is open: it says so, and finds back by itself."""

import contextlib
import os
import re
import signal
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from tests import postgres
from tests.browser.chats import (
    answered,
    ask,
    forgive,
    growing,
    message,
    notice,
    shown,
    words,
)
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import Server

OpenPage = Callable[..., Page]
Visit = Callable[..., Page]


@contextlib.contextmanager
def own_server(kind: str, model: ScriptedModel, **settings: str) -> Iterator[Server]:
    with contextlib.ExitStack() as stack:
        if kind == "postgresql":
            settings["DATABASE_URL"] = stack.enter_context(postgres.shared().fresh())
        settings["LLM_BASE_URL"] = model.base_url
        yield stack.enter_context(Server(workers=2, **settings))


@pytest.fixture(scope="module")
def cluster() -> Iterator[postgres.Cluster]:
    with postgres.Cluster() as cluster:
        yield cluster


@pytest.fixture(scope="module")
def lone_server(cluster: postgres.Cluster, the_model: ScriptedModel) -> Iterator[Server]:
    """A server whose PostgreSQL can be stopped without harm to others."""
    with (
        cluster.fresh() as url,
        Server(workers=2, LLM_BASE_URL=the_model.base_url, DATABASE_URL=url) as server,
    ):
        yield server


def test_after_a_kill_the_page_finds_back_to_the_interrupted_answer(
    open_page: OpenPage, model: ScriptedModel
) -> None:
    """Of everything on either database, or of the workers alone, which are started again."""
    with (
        own_server("sqlite", model) as one,
        own_server("postgresql", model) as two,
        own_server("sqlite", model) as three,
    ):
        servers = [one, two, three]
        model.script = Script(do="stall", tokens=40, after=40, interval=0.01)
        pages = [open_page(server) for server in servers]
        for page in pages:
            ask(page, "Long and lost")
        text = answer_to("Long and lost", 40).strip()
        for page in pages:
            assert growing(page, least=len(text)) == text
        pages[0].wait_for_timeout(700)
        for server in (one, two):
            server.kill_master_and_workers()
        for pid in three.worker_pids():
            os.kill(pid, signal.SIGKILL)
        for page in pages:
            expect(page.locator(".lost")).to_be_visible()
            assert words(page, 2) == text
        one.start()
        two.start()
        for page in pages:
            expect(message(page, 2, "interrupted")).to_be_visible(timeout=45_000)
            assert answered(page, status="interrupted") == text
            expect(message(page, 2)).to_contain_text("Try again")
            before = shown(page)
            page.reload()
            assert shown(page) == before
        model.script = Script(tokens=12)
        for page in pages:
            page.get_by_role("button", name="Try again").click()
            assert answered(page, 3) == answer_to("Long and lost", 12).strip()
            expect(page.locator(".message")).to_have_count(2)
            forgive(page)


@pytest.mark.parametrize("how", ["refused", "503", "429"])
def test_a_first_stream_connection_that_fails_is_tried_again(
    visit: Visit, model: ScriptedModel, how: str
) -> None:
    page = visit()
    failed: list[str] = []

    def fail_once(route: Route) -> None:
        if failed:
            route.continue_()
            return
        failed.append(route.request.url)
        if how == "refused":
            route.abort("connectionrefused")
        else:
            route.fulfill(status=int(how), body="<p>Away</p>", content_type="text/html")

    page.route("**/stream*", fail_once)
    ask(page, "Hello")
    assert answered(page) == answer_to("Hello").strip()
    assert len(failed) == 1
    before = shown(page)
    page.unroute_all()
    page.reload()
    assert shown(page) == before
    forgive(page)


def test_a_stream_that_is_cut_goes_on(visit: Visit, model: ScriptedModel) -> None:
    """The page connects again where it was: no word twice, none missing."""
    model.script = Script(tokens=80, interval=0.03)
    page = visit()
    ask(page, "Cut me")
    growing(page)
    for _ in range(2):
        page.context.set_offline(True)
        page.wait_for_timeout(200)
        page.context.set_offline(False)
        page.wait_for_timeout(400)
    assert answered(page) == answer_to("Cut me", 80).strip()
    forgive(page)


def test_with_the_database_away_the_text_stays_and_the_same_send_works_later(
    open_page: OpenPage, model: ScriptedModel, cluster: postgres.Cluster, lone_server: Server
) -> None:
    page = open_page(lone_server)
    ask(page, "While it is there")
    answered(page)
    fresh = page.context.new_page()
    fresh.goto("/")
    cluster.stop()
    for tab in (page, fresh):
        ask(tab, "While it is away")
        expect(notice(tab)).to_contain_text("still in the box")
        expect(tab.locator("#text")).to_have_value("While it is away")
        expect(tab.locator("#text")).to_be_focused()
    away = page.context.new_page()
    response = away.goto("/history")
    assert response
    assert response.status == 503
    expect(away.locator("h1")).to_have_text("The chat cannot be reached right now")
    cluster.start()
    for tab, position in ((page, 4), (fresh, 2)):
        tab.locator("#text").press("Enter")
        answered(tab, position)
        expect(notice(tab)).to_have_count(0)
        expect(tab.locator("#text")).to_have_value("")
        tab.reload()
        expect(tab.locator(".message")).to_have_count(position)
    away.goto("/history")
    expect(away.locator("#history .entry")).to_have_count(2)
    forgive(page)


def test_with_the_database_hanging_the_text_stays_and_is_one_message_later(
    open_page: OpenPage, model: ScriptedModel, cluster: postgres.Cluster, lone_server: Server
) -> None:
    page = open_page(lone_server)
    ask(page, "Before")
    answered(page)
    cluster.suspend()
    try:
        ask(page, "While it hangs")
        expect(notice(page)).to_contain_text("still in the box")
        expect(page.locator("#text")).to_have_value("While it hangs")
    finally:
        cluster.resume()
    page.locator("#text").press("Enter")
    answered(page, 4)
    page.reload()
    expect(page.locator(".message")).to_have_count(4)
    forgive(page)


def test_an_answer_outlives_a_restart_of_the_database(
    open_page: OpenPage, model: ScriptedModel, cluster: postgres.Cluster, lone_server: Server
) -> None:
    model.script = Script(tokens=100, interval=0.03)
    page = open_page(lone_server)
    ask(page, "Going on")
    growing(page)
    cluster.restart("immediate")
    assert answered(page) == answer_to("Going on", 100).strip()
    page.reload()
    assert words(page, 2) == answer_to("Going on", 100).strip()
    forgive(page)


def test_with_the_server_away_the_text_stays_and_the_same_send_works_later(
    open_page: OpenPage, model: ScriptedModel
) -> None:
    with own_server("sqlite", model) as server:
        page = open_page(server)
        server.kill_master_and_workers()
        ask(page, "Anybody there?")
        expect(notice(page)).to_contain_text("cannot be reached")
        expect(page.locator("#text")).to_have_value("Anybody there?")
        server.start()
        page.locator("#text").press("Enter")
        assert answered(page) == answer_to("Anybody there?").strip()
        expect(notice(page)).to_have_count(0)
        page.goto("/history")
        expect(page.locator("#history .entry")).to_have_count(1)
        forgive(page)


def test_a_lost_reply_to_a_send_does_not_double_it(visit: Visit, model: ScriptedModel) -> None:
    """The question was kept, its reply lost: sending again shows it once."""
    page = visit()

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    page.route("**/c", lose, times=1)
    ask(page, "Once only")
    expect(notice(page)).to_contain_text("cannot be reached")
    expect(page.locator("#text")).to_have_value("Once only")
    page.locator("#text").press("Enter")
    answered(page)
    expect(page.locator(".message")).to_have_count(2)
    page.goto("/history")
    expect(page.locator("#history .entry")).to_have_count(1)
    forgive(page)


@pytest.mark.parametrize("where", ["in a new chat", "in a conversation"])
def test_after_a_lost_reply_another_text_is_another_message(
    visit: Visit, model: ScriptedModel, where: str
) -> None:
    """The first text is kept, so its id is used up: the refusal brings a fresh one."""
    page = visit()
    if where == "in a conversation":
        ask(page, "Before")
        answered(page)

    def lose(route: Route) -> None:
        route.fetch()
        route.abort("connectionreset")

    page.route(re.compile("/c$|/messages$"), lose, times=1)
    ask(page, "First text")
    expect(notice(page)).to_contain_text("cannot be reached")
    page.wait_for_timeout(500)  # its answer, which this page does not show, ends
    ask(page, "Another text")
    expect(notice(page)).to_contain_text("Send again")
    expect(page.locator("#text")).to_have_value("Another text")
    page.locator("#text").press("Enter")
    expect(page.locator("#notice .notice-text")).to_have_count(0)
    answered(page, 2 if where == "in a new chat" else 6)
    page.reload()
    asked = page.locator('[data-role="user"] .body')
    if where == "in a new chat":
        expect(asked).to_have_text(["Another text"])
        expect(page.locator("#conversations .row-title")).to_have_text(
            ["Another text", "First text"]
        )
    else:
        expect(asked).to_have_text(["Before", "First text", "Another text"])
    forgive(page)
