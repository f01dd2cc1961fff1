"""Hostile texts on the real page under the real policy, asked, answered in pieces and reloaded."""

import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

import pytest
from playwright.sync_api import Page

from chatweb.services.texts import storable
from tests.browser.chats import answered, ask, shown
from tests.rendering import corpus, documents
from tests.scripted_model import Script, ScriptedModel

Visit = Callable[..., Page]

AT_ONCE = 6
ALLOWED = {
    *("DIV", "P", "BR", "HR", "H3", "H4", "H5", "H6", "BLOCKQUOTE", "UL", "OL", "LI", "A", "EM"),
    *("STRONG", "S", "CODE", "PRE", "SPAN", "TABLE", "THEAD", "TBODY", "TR", "TH", "TD"),
}

_LOOK = """position => {
  const body = document.getElementById(`body-${position}`);
  const inside = [...body.querySelectorAll("*")].filter(each => !each.closest(".copy"));
  return {
    text: body.innerText,
    tags: [...new Set(inside.map(each => each.tagName))],
    attributes: [...new Set(inside.flatMap(each => each.getAttributeNames()))],
    ids: inside.map(each => each.id).filter(id => id && !/^b\\d+-\\d+$/.test(id)),
    links: [...body.querySelectorAll("a")].map(each => each.getAttribute("href")),
    protocols: [...new Set([...body.querySelectorAll("a")].map(each => each.protocol))],
    starts: [...body.querySelectorAll("ol")].map(each => each.start)
      .concat([...body.querySelectorAll("li[value]")].map(each => each.value)).join(" "),
    pwned: window.pwned,
    parts: ["messages", "composer", "notice", "side", "bar"].map(
      id => document.querySelectorAll(`[id="${id}"]`).length),
  };
}"""


@dataclass(frozen=True)
class Echo(Script):
    """Answers each question with the attack that it is, cut to pieces."""

    attacks: dict[str, str] = field(default_factory=dict)
    most: int = 5

    def for_question(self, question: str) -> Script:
        text = self.attacks.get(question, question)
        return replace(self, pieces=tuple(documents.pieces(text, len(text), most=self.most)))


def check(page: Page, position: int, attack: str) -> None:
    look = page.evaluate(_LOOK, position)
    assert look["pwned"] is None
    assert set(look["tags"]) <= ALLOWED
    assert set(look["attributes"]) <= {
        "class",
        "dir",
        "href",
        "id",
        "rel",
        "start",
        "tabindex",
        "value",
        "target",
    }
    assert look["ids"] == []
    assert set(look["protocols"]) <= {"http:", "https:", "mailto:"}
    assert look["parts"] == [1, 1, 1, 1, 1]
    there = " ".join([look["text"], look["starts"], *map(unquote, look["links"])])
    names = re.findall(r"xn--[\w-]+", there)
    there = " ".join([there, *(name.encode().decode("idna") for name in names)])
    assert missing(attack, there) == []


def missing(attack: str, there: str) -> list[str]:
    """Words of the text that can neither be read nor followed."""
    # The numbers of a list are counted, not shown.
    attack = re.sub(r"^\s*\d+[.)]\s", "", attack, flags=re.MULTILINE)
    # Addresses of links inside the description of a picture: markup of words that are shown.
    attack = attack.replace("[d](https://e.org) ![e](https://f.org)", "d e")
    return [
        word
        for word in re.findall(r"\w{2,}", html.unescape(attack))
        if word.casefold() not in there.casefold()
    ]


def chunks(attacks: list[tuple[str, str]]) -> Iterator[list[tuple[str, str]]]:
    for begin in range(0, len(attacks), AT_ONCE):
        yield attacks[begin : begin + AT_ONCE]


def test_hostile_questions_and_answers_do_nothing_and_hide_nothing(
    visit: Visit, model: ScriptedModel
) -> None:
    attacks = [(name, text) for name, text in corpus.ATTACKS if name != "surrogates"]
    model.script = Echo(interval=0.004, attacks={storable(text): text for _, text in attacks})
    first = visit()
    first.context.add_init_script("window.dialogs = []; window.alert = window.dialogs.push;")
    tabs = [first.context.new_page() for _ in range(AT_ONCE)]
    for chunk in chunks(attacks):
        asked = list(zip(tabs, chunk, strict=False))
        for tab, (_, text) in asked:
            tab.goto("/")
            ask(tab, text)
        for tab, (name, text) in asked:
            answered(tab)
            before = shown(tab)
            for position in (1, 2):
                try:
                    check(tab, position, text)
                except AssertionError as error:
                    raise AssertionError(f"{name}, message {position}: {error}") from error
            tab.reload()
            assert shown(tab) == before, name
            check(tab, 2, text)
            assert tab.evaluate("window.dialogs.length") == 0
    first.goto("/history")
    assert first.evaluate("window.pwned") is None
    titles = first.locator("#history .entry-link").all_inner_texts()
    assert len(titles) == 50
    assert first.locator("#history .entry-link :not(span)").count() == 0
    title = first.locator("#history .entry-link").first.inner_text()
    first.locator("#history .entry-link").first.click()
    assert first.locator("#title").inner_text() == title


def test_an_answer_with_lone_surrogates_is_shown(visit: Visit, model: ScriptedModel) -> None:
    text = dict(corpus.ATTACKS)["surrogates"]
    model.script = Echo(interval=0.01, attacks={"Surrogates": text})
    page = visit()
    ask(page, "Surrogates")
    answered(page)
    before = shown(page)
    check(page, 2, text)
    page.reload()
    assert shown(page) == before


@pytest.mark.parametrize("name", ["bracket pairs", "quotes", "emphasis"])
def test_a_large_attack_ends_and_the_page_still_works(
    visit: Visit, model: ScriptedModel, name: str
) -> None:
    text = dict(corpus.LARGE)[name]
    model.script = Echo(attacks={"Large": text}, most=4000, interval=0.02)
    page = visit()
    ask(page, "Large")
    answered(page)
    before = shown(page)
    check(page, 2, text)
    page.reload()
    assert shown(page) == before
    model.script = Script()
    ask(page, "And on")
    answered(page, 4)
