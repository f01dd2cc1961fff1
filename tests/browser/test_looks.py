"""For everybody: axe finds nothing, nothing scrolls sideways, everything is there by keyboard."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests import postgres
from tests.browser.chats import (
    answered,
    ask,
    forgive,
    growing,
    id_of,
    lengthen,
    make_token,
    multiply,
    notice,
)
from tests.browsers import axe
from tests.rendering import documents
from tests.scripted_model import Script, ScriptedModel
from tests.servers import Server

Visit = Callable[..., Page]

# LOOK: text has a contrast of 7:1, which axe does not ask for by itself.
LEGIBLE = {"color-contrast-enhanced": {"enabled": True}}

WIDE = f"""\
# A long title {"without an end " * 9}

{"W" * 200} and `{"x" * 200}` and https://example.org/{"path/" * 60}

| {" | ".join(f"column {n}" for n in range(20))} |
|{"---|" * 20}
| {" | ".join("some words in a cell" for n in range(20))} |

```text
{"one long line of code " * 30}
```

- {"nested " * 5}
  - {"Z" * 150}
    - > {"Q" * 150}

مرحبا بالعالم 😀
"""


def empty(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/")


def chat(page: Page, model: ScriptedModel, server: Server) -> None:
    model.script = Script(pieces=tuple(documents.pieces(WIDE, 1)))
    ask(page, WIDE)
    answered(page)


def streaming(page: Page, model: ScriptedModel, server: Server) -> None:
    model.script = Script(do="stall", after=12)
    ask(page, "Stall")
    growing(page)


def failed(page: Page, model: ScriptedModel, server: Server) -> None:
    model.script = Script(status=400)
    ask(page, "Fail")
    answered(page, status="failed")


def stopped(page: Page, model: ScriptedModel, server: Server) -> None:
    streaming(page, model, server)
    page.locator("#stop").click()
    answered(page, status="stopped")


def menu(page: Page, model: ScriptedModel, server: Server) -> None:
    model.script = Script()
    ask(page, "Menu")
    answered(page)
    page.get_by_label("Rename or delete this conversation").click()
    expect(page.locator("#menu-title")).to_be_visible()


def full(page: Page, model: ScriptedModel, server: Server) -> None:
    model.script = Script()
    ask(page, "Full")
    answered(page)
    lengthen(server, id_of(page), 60)
    multiply(server, id_of(page), 60)
    page.reload()
    expect(page.locator("#older")).to_be_visible()


def a_notice(page: Page, model: ScriptedModel, server: Server) -> None:
    ask(page, "x" * 32_001)
    expect(notice(page)).to_be_visible()
    forgive(page)


def history(page: Page, model: ScriptedModel, server: Server) -> None:
    full(page, model, server)
    page.goto("/history")
    page.locator("#history summary").first.click()
    page.locator("#history .delete button").nth(1).click()
    expect(page.locator("#history .gone")).to_be_visible()


def empty_history(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/history")


def no_tokens(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/tokens")


def tokens(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/tokens")
    for name in ("Nightly backup", "W" * 120, "مرحبا بالعالم 😀"):
        make_token(page, name)
    for summary in page.locator(".token summary").all()[:2]:
        summary.click()
    expect(page.locator("#made")).to_be_visible()


def revoked_token(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/tokens")
    make_token(page, "W" * 120)
    page.locator(".token summary").click()
    page.get_by_role("button", name="Revoke it").click()
    expect(page.locator("#revoked")).to_be_visible()


def refused_token(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/tokens")
    page.evaluate(
        "() => { const form = document.querySelector('#new-token'); form.elements.name.value = ' ';"
        " HTMLFormElement.prototype.submit.call(form); }"
    )
    expect(page.locator("#refused")).to_be_visible()
    forgive(page)


def not_found(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/c/00000000-0000-4000-8000-000000000000")
    expect(page.locator("h1")).to_have_text("Not found")
    forgive(page)


def kept(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/")
    page.evaluate(
        "() => { const form = document.createElement('form'); form.method = 'post';"
        " form.action = '/c'; const text = document.createElement('textarea'); text.name = 'text';"
        " text.value = 'x'.repeat(32001); form.append(text); document.body.append(form);"
        " form.submit(); }"
    )
    expect(page.get_by_label("Your text is still here")).to_be_visible()
    forgive(page)


def deleted(page: Page, model: ScriptedModel, server: Server) -> None:
    menu(page, model, server)
    page.get_by_role("button", name="Delete conversation").click()
    expect(page.locator("#deleted")).to_be_visible()


def sending(page: Page, model: ScriptedModel, server: Server) -> None:
    held: list[Route] = []
    page.route("**/c", lambda route: held.append(route))
    ask(page, WIDE)
    expect(page.locator(".sending")).to_be_visible()


def reference(page: Page, model: ScriptedModel, server: Server) -> None:
    page.goto("/api/docs")
    expect(page.locator("#contents a")).not_to_have_count(0)


STATES = [
    empty, chat, streaming, failed, stopped, menu, full, a_notice, history, empty_history,
    no_tokens, tokens, revoked_token, refused_token, not_found, kept, deleted, sending,
    reference,
]  # fmt: skip


@pytest.fixture(scope="module")
def away(the_model: ScriptedModel) -> Iterator[Server]:
    """A server whose database is away."""
    with (
        postgres.Cluster() as cluster,
        cluster.fresh() as url,
        Server(LLM_BASE_URL=the_model.base_url, DATABASE_URL=url) as server,
    ):
        cluster.stop()
        yield server
        cluster.start()


def sideways(page: Page) -> list[str]:
    """What reaches out of the page to the right or left, though the page must not scroll there."""
    found: list[str] = page.evaluate(
        """() => document.documentElement.scrollWidth <= innerWidth ? [] : [
          ...document.querySelectorAll("body *")
        ].filter(each => each.getBoundingClientRect().right > innerWidth + 1)
         .map(each => each.tagName + "#" + each.id + "." + each.className)"""
    )
    return found


def check(page: Page) -> None:
    """In both themes and on wide and narrow screens."""
    findings: list[str] = []
    for width in (1280, 360):
        page.set_viewport_size({"width": width, "height": 740})
        for theme in ("light", "dark"):
            page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            findings += [f"{width} {theme}: {line}" for line in axe(page, rules=LEGIBLE)]
    page.set_viewport_size({"width": 320, "height": 640})
    findings += [f"sideways: {line}" for line in sideways(page)]
    assert not findings, "\n".join(findings)


@pytest.mark.parametrize("state", STATES, ids=lambda state: state.__name__)
def test_axe_finds_nothing_and_nothing_scrolls_sideways(
    visit: Visit, model: ScriptedModel, server: Server, state: Callable[..., None]
) -> None:
    page = visit()
    state(page, model, server)
    check(page)


def test_axe_finds_nothing_with_the_database_away(
    open_page: Callable[..., Page], away: Server
) -> None:
    page = open_page(away)
    expect(page.locator("h1")).to_have_text("The chat cannot be reached right now")
    check(page)
    forgive(page)


def test_axe_finds_nothing_in_the_drawer(visit: Visit, model: ScriptedModel) -> None:
    page = visit(width=360, height=740)
    ask(page, "Drawer")
    answered(page)
    page.get_by_role("button", name="Conversations").click()
    expect(page.get_by_role("link", name="New chat")).to_be_visible()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert axe(page) == []


def test_a_theme_chosen_against_the_system_is_as_legible(
    visit: Visit, model: ScriptedModel
) -> None:
    for system, chosen in (("light", "Dark"), ("dark", "Light")):
        page = visit(theme=system)
        page.get_by_text(chosen, exact=True).click()
        ask(page, "Chosen")
        answered(page)
        assert axe(page) == []


def test_doubled_letters_fit(visit: Visit, model: ScriptedModel, server: Server) -> None:
    """200 % zoom is half the width."""
    page = visit(width=640, height=400)
    chat(page, model, server)
    assert sideways(page) == []
    box = page.locator("#text").bounding_box()
    assert box
    assert box["height"] > 0


def stops(page: Page, most: int = 60) -> list[str]:
    """Where Tab goes from the top of the page, each place with its name and a visible ring."""
    page.reload()
    found: list[str] = []
    first: Any = None
    for _ in range(most):
        page.keyboard.press("Tab")
        place = page.evaluate(
            """() => {
              const it = document.activeElement;
              if (it === document.body) return null;
              if (!it.dataset.stop) it.dataset.stop = String(Math.random());
              const look = element => {
                const style = getComputedStyle(element);
                const outlined = style.outlineStyle !== "none" && parseFloat(style.outlineWidth);
                return outlined >= 1 || style.boxShadow !== "none";
              };
              const near = it.nextElementSibling;
              const ring = look(it) || (near && look(near)) || look(it.closest("form") ?? it);
              const box = it.getBoundingClientRect();
              const inside = box.bottom > 0 && box.top < innerHeight;
              const words = it.innerText.trim() || it.value || it.tagName;
              const name = it.id || it.getAttribute("aria-label") || words;
              return [it.dataset.stop, name, ring, inside];
            }"""
        )
        if place is None or place[0] == first:
            return found
        first = first or place[0]
        assert place[2], f"no ring at {place[1]}"
        assert place[3], f"out of sight: {place[1]}"
        found.append(place[1])
    return found


def test_everything_is_reached_by_keyboard_in_order(
    visit: Visit, model: ScriptedModel, server: Server
) -> None:
    page = visit()
    model.script = Script(pieces=("```text\ncode\n```\n\n| a |\n|---|\n| b |\n",))
    ask(page, "Keys")
    answered(page)
    order = stops(page)
    wanted = [
        "Skip to the box", "New chat", "History", "Show or hide the list of conversations",
        "Rename or delete this conversation", "Copy this question", "Copy this code",
        "Copy this answer", "text", "send",
    ]  # fmt: skip
    places = [
        next((i for i, name in enumerate(order) if name.startswith(each)), each) for each in wanted
    ]
    assert not [each for each in places if isinstance(each, str)], order
    assert places == sorted(places), order


def test_the_skip_link_leads_past_the_list(visit: Visit, model: ScriptedModel) -> None:
    page = visit("/history")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the list")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_menu_closes_by_escape_and_gives_the_focus_back(
    visit: Visit, model: ScriptedModel, server: Server
) -> None:
    page = visit()
    menu(page, model, server)
    page.keyboard.press("Tab")
    expect(page.locator("#menu-title")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#menu-title")).to_be_hidden()
    expect(page.get_by_label("Rename or delete this conversation")).to_be_focused()


def test_a_notice_is_closed_by_keyboard(visit: Visit, model: ScriptedModel, server: Server) -> None:
    page = visit()
    a_notice(page, model, server)
    page.get_by_role("button", name="Close this notice").focus()
    page.keyboard.press("Enter")
    expect(notice(page)).to_have_count(0)


def test_print_leaves_the_furniture_away(
    visit: Visit, model: ScriptedModel, server: Server, browser: Browser
) -> None:
    page = visit()
    ask(page, "Print me")
    answered(page)
    page.emulate_media(media="print")
    expect(page.locator("#body-2")).to_be_visible()
    for furniture in ("#side", "#composer", "#menu"):
        expect(page.locator(furniture)).to_be_hidden()
    expect(page.locator("#foot-1 .facts")).to_have_css("opacity", "1")


def test_what_can_be_done_shows_when_near_or_focused(visit: Visit, model: ScriptedModel) -> None:
    page = visit()
    ask(page, "Near")
    answered(page)
    button = page.get_by_role("button", name="Copy this answer")
    page.mouse.move(640, 600)
    expect(button).to_have_css("opacity", "0")
    page.locator("#body-2").hover()
    expect(button).to_have_css("opacity", "1")
    page.mouse.move(640, 600)
    button.focus()
    expect(button).to_have_css("opacity", "1")
    touched = visit(width=360, height=740, has_touch=True, is_mobile=True)
    touched.locator("#text").fill("Near")
    touched.locator("#send").tap()
    answered(touched)
    touched.evaluate("document.activeElement.blur()")
    expect(touched.get_by_role("button", name="Copy this answer")).to_have_css("opacity", "1")
    expect(touched.get_by_role("button", name="Copy this question")).to_be_visible()


def test_with_forced_colours_the_focus_is_seen_in_the_box(visit: Visit) -> None:
    page = visit()
    page.emulate_media(forced_colors="active")
    page.locator("#text").focus()
    style = page.locator("#composer").evaluate("box => getComputedStyle(box).outline")
    assert "solid 2px" in style, style


def test_a_new_chat_begins_at_its_top(visit: Visit) -> None:
    page = visit(width=720, height=400)
    expect(page.get_by_role("heading", level=1)).to_be_in_viewport()
    page.wait_for_timeout(200)
    assert page.evaluate("scrollY") == 0
