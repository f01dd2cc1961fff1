"""Tokens for programs: made, seen once, used, revoked; with scripts and without."""

from __future__ import annotations

from collections.abc import Callable
from http.client import HTTPConnection

from playwright.sync_api import Page, expect

from tests.browser.chats import BOTH_DATABASES, forgive, make_token, notice, posts, shown
from tests.servers import Server

Visit = Callable[..., Page]


def program(server: Server, secret: str) -> int:
    """What a program with this token is told."""
    connection = HTTPConnection("127.0.0.1", server.port, timeout=10)
    try:
        shown = {"Authorization": f"Bearer {secret}"}
        connection.request("GET", "/api/v1/conversations", headers=shown)
        return connection.getresponse().status
    finally:
        connection.close()


def reload(page: Page) -> None:
    with page.expect_navigation():
        page.evaluate("() => location.reload()")


@BOTH_DATABASES
def test_the_whole_way(visit: Visit, server: Server) -> None:
    page = visit()
    page.get_by_role("link", name="Tokens").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
    page.get_by_label("read and write").check()
    page.get_by_label("It is good for").select_option("a year")

    secret = make_token(page, "Nightly backup")
    expect(page.locator("#secret")).to_be_focused()
    expect(page.locator(".token .facts")).to_contain_text("may read and write")
    expect(page.locator(".token .facts")).to_contain_text("not used yet")
    assert program(server, secret) == 200

    made = shown(page, "#token-list")
    reload(page)
    expect(page.locator("#made, #secret")).to_have_count(0)
    expect(page.locator(".token .facts")).to_contain_text("last used just now")
    assert secret not in page.content()
    assert made.count("<li") == 1

    page.get_by_label("Revoke Nightly backup").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_text("Revoked “Nightly backup”.")).to_be_focused()
    expect(page.locator(".token")).to_have_count(0)
    assert program(server, secret) == 401
    reload(page)
    expect(page.get_by_text("None yet.")).to_be_visible()


def test_the_list_is_the_same_after_a_reload(visit: Visit) -> None:
    page = visit("/tokens")
    for name in ("first", "second"):
        make_token(page, name)
    before = shown(page, "#token-list")
    reload(page)
    assert shown(page, "#token-list") == before


def test_a_secret_is_copied(visit: Visit) -> None:
    page = visit("/tokens")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    secret = make_token(page, "Copied")
    page.get_by_role("button", name="Copy").click()
    expect(page.locator("#announcer")).to_have_text("Copied.")
    assert page.evaluate("() => navigator.clipboard.readText()") == secret


def test_a_secret_is_selected_where_the_browser_does_not_copy(visit: Visit) -> None:
    page = visit("/tokens")
    secret = make_token(page, "Selected")
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(); }")
    page.get_by_role("button", name="Copy").click()
    expect(notice(page)).to_contain_text("The text is selected")
    assert page.evaluate("() => getSelection().toString()") == secret


def test_what_is_refused_stays_in_the_form(visit: Visit) -> None:
    page = visit("/tokens")
    page.get_by_label("Name of the program").fill(" \u200b")
    page.get_by_label("read and write").check()
    page.get_by_role("button", name="Make a token").click()
    expect(notice(page)).to_contain_text("Give the token a name")
    expect(page.get_by_label("read and write")).to_be_checked()
    forgive(page)

    make_token(page, "Named")
    expect(notice(page)).to_have_count(0)
    expect(page.locator(".token .facts")).to_contain_text("may read and write")


def test_a_lost_answer_makes_no_second_one_in_silence(visit: Visit) -> None:
    """The token was made; the form says so and can be sent again."""
    page = visit("/tokens")
    made = posts(page)
    page.route("**/tokens", lambda route: (route.fetch(), route.abort()), times=1)
    page.get_by_label("Name of the program").fill("Lost")
    page.get_by_role("button", name="Make a token").click()
    expect(notice(page)).to_contain_text("cannot be reached")
    page.get_by_role("button", name="Make a token").click()
    expect(notice(page)).to_contain_text("has made the token “Lost” already")
    assert len(made) == 2
    forgive(page)

    make_token(page, "Lost")
    expect(page.locator(".token-name")).to_have_text(["Lost", "Lost"])


@BOTH_DATABASES
def test_without_scripts(visit: Visit, server: Server) -> None:
    page = visit("/tokens", scripts=False)
    page.get_by_label("read and write").check()
    page.get_by_label("Name of the program").fill(" \u200b")
    page.get_by_role("button", name="Make a token").click()
    expect(page.get_by_role("alert")).to_contain_text("Give the token a name")
    expect(page.get_by_label("read and write")).to_be_checked()
    forgive(page)

    secret = make_token(page, "Nightly backup")
    expect(page.get_by_role("button", name="Copy")).to_be_hidden()
    assert program(server, secret) == 200

    page.reload()
    expect(page.get_by_role("alert")).to_contain_text("“Nightly backup” already")
    assert secret not in page.content()
    forgive(page)
    page.get_by_role("link", name="Show your tokens").click()
    expect(page.locator(".token")).to_have_count(1)

    page.get_by_text("Revoke", exact=True).click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.get_by_text("None yet.")).to_be_visible()
    assert program(server, secret) == 401
