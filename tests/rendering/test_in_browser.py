"""The same in a real Chromium with the real htmx, whose parser and swaps are what counts."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page

from chatweb.rendering import blocks
from chatweb.rendering.growing import Growing, snapshot
from tests.browsers import launch
from tests.rendering.corpus import ATTACKS
from tests.rendering.documents import document, pieces

HTMX = Path(__file__).parents[2] / "static" / "vendor" / "htmx.min.js"

# What happens to each event of a stream in the page: a swap without a target of its own. Elements
# lose the empty class attribute that htmx leaves behind, and text that came in parts is joined.
FOLLOW = """
async (answers) => {
  const stream = document.getElementById("stream");
  const differing = [];
  for (const [name, events, wanted] of answers) {
    const body = document.createElement("div");
    body.className = "body";
    body.id = "body-7";
    document.body.append(body);
    for (const text of events) {
      await htmx.swap({text, target: stream, sourceElement: stream, swap: "none swapEmpty:false"});
    }
    const page = document.createElement("div");
    page.innerHTML = wanted;
    for (const tree of [body, page]) {
      tree.normalize();
      for (const element of tree.querySelectorAll('[class=""]')) element.removeAttribute("class");
    }
    if (body.innerHTML !== page.innerHTML) differing.push([name, body.innerHTML, page.innerHTML]);
    body.remove();
  }
  return differing;
}
"""


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with launch() as browser:
        page = browser.new_page()
        page.route("**/*", lambda route: route.abort())
        page.set_content(
            "<!doctype html><title>kept</title><main><form id='composer'>mine</form>"
            f"<div id='stream' hx-swap='none'></div></main><script>{HTMX.read_text()}</script>"
        )
        yield page


def events(text: str, seed: int, most: int) -> list[str]:
    """What a reader of ``text`` is sent, from nothing to the end."""
    reader, have, sent = Growing(7), "", []
    for piece in pieces(text, seed, most):
        have += piece
        sent.append(reader.update(have))
    sent.append(reader.finish(text))
    return [event for event in sent if event]


def answer(name: str, text: str, seed: int, most: int = 12) -> list[Any]:
    return [name, events(text, seed, most), blocks.body(7, text)]


def test_random_documents_grow_into_their_bodies(page: Page) -> None:
    answers = [
        answer(str(seed), document(seed, 4 + seed % 16, seed % 9 == 0), seed, (3, 12, 40)[seed % 3])
        for seed in range(150)
    ]
    assert page.evaluate(FOLLOW, answers) == []


def test_hostile_answers_are_inert_and_grow_into_their_bodies(page: Page) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    answers = [answer(name, text, len(text), 7) for name, text in ATTACKS]
    assert page.evaluate(FOLLOW, answers) == []
    assert page.evaluate("window.pwned") is None
    assert page.title() == "kept"
    assert page.locator("#composer").inner_text() == "mine"
    assert page.locator("body > *").count() == 2  # main and the script
    assert asked == []


def test_a_reader_resumes_in_the_middle(page: Page) -> None:
    answers = []
    for seed in range(40):
        text = document(seed, 20)
        half = text[: len(text) // 2]
        loaded, offset = snapshot(7, half)
        page_load = f'<hx-partial hx-target="#body-7" hx-swap="innerHTML">{loaded}</hx-partial>'
        reader = Growing(7)
        reader.update(half + text[len(half) :][:5])
        sent = [page_load, reader.catch_up(offset), reader.finish(text)]
        answers.append([str(seed), [event for event in sent if event], blocks.body(7, text)])
    assert page.evaluate(FOLLOW, answers) == []


def test_the_comparison_notices_a_lost_event(page: Page) -> None:
    name, sent, body = answer("lost", "one\n\ntwo **three**\n\n- four\n- five\n", 3, 5)
    kept = [[name, sent[:lost] + sent[lost + 1 :], body] for lost in range(1, len(sent))]
    assert len(page.evaluate(FOLLOW, kept)) == len(kept)


SELECT = """
async ([first, ...others]) => {
  const stream = document.getElementById("stream");
  document.body.insertAdjacentHTML("beforeend", '<div class="body" id="body-7"></div>');
  const swap = (text) => htmx.swap({text, target: stream, sourceElement: stream, swap: "none"});
  await swap(first);
  getSelection().selectAllChildren(document.querySelector("#b7-0 p"));
  for (const text of others) await swap(text);
  const selected = getSelection().toString();
  document.getElementById("body-7").remove();
  return selected;
}
"""


def test_what_has_been_read_stays_selected(page: Page) -> None:
    """A finished block is never touched again, and a growing one keeps its first words."""
    text = "First words.\n\nSecond *words* in\n\n- a\n- list\n\n```\ncode\n```\n"
    first = pieces(text, 1, 13)[0]
    assert page.evaluate(SELECT, events(text, 1, 13)) == first
