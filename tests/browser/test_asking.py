"""Asking: what is typed becomes a message once, and the page after it equals its reload."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser.chats import (
    A_CONVERSATION,
    BOTH_DATABASES,
    answered,
    ask,
    flat,
    forgive,
    growing,
    message,
    notice,
    posts,
    shown,
    words,
)
from tests.rendering import documents
from tests.scripted_model import Script, ScriptedModel, answer_to

Visit = Callable[..., Page]

MANY_KINDS = """\
# Everything at once

A paragraph with **bold**, *slanted*, ~~gone~~ and `code`, a [link](https://example.org/a?b=c&d=e)
and a bare https://example.org/x_y, 你好, 😀👩‍👩‍👧, a<b & c>d, "quoted".

- one
  - two, **half\u00a0bold**
    1. three
    2. four
- five

  a paragraph in an item

7. seven
8. eight

> quoted
> > twice

| left | middle | right |
|:-----|:------:|------:|
| a    | **b**  | `c`   |
| 1 | 2 | 3 | 4 |

```python
def f(x):
    return {"a": [x, 1.5], "b": '<b>'}  # done
```

~~~
unknown ``` language
~~~

    indented code

مرحبا بالعالم، هذا **نص** عربي.

---

Last words\\
after a break."""


@BOTH_DATABASES
def test_a_first_question_makes_a_conversation(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(tokens=40, interval=0.05)
    page = visit()
    expect(page.locator("#text")).to_be_focused()
    ask(page, "Why is the sky blue?")
    expect(message(page, 1)).to_contain_text("Why is the sky blue?")
    expect(page.locator("#stop")).to_be_visible()
    expect(page.locator("#send")).to_have_count(0)
    expect(page.locator("#empty")).to_have_count(0)
    expect(page).to_have_url(A_CONVERSATION)
    expect(page).to_have_title("Why is the sky blue? · chatweb")
    expect(page.locator("#title")).to_have_text("Why is the sky blue?")
    expect(page.locator("#conversations .row-title")).to_have_text(["Why is the sky blue?"])
    expect(page.locator("#text")).to_have_value("")
    expect(page.locator("#text")).to_be_focused()
    first = growing(page)
    later = growing(page, least=len(first) + 10)
    assert later.startswith(first)
    assert answered(page) == answer_to("Why is the sky blue?", 40).strip()
    expect(page.locator("#stop")).to_have_count(0)
    expect(message(page, 2)).to_contain_text("scripted-model")


@BOTH_DATABASES
def test_the_page_after_answers_equals_its_reload(visit: Visit, model: ScriptedModel) -> None:
    texts = [MANY_KINDS, *(documents.document(seed, lines=30) for seed in range(3))]
    texts.append(documents.document(4, lines=40, definitions=True))
    page = visit()
    for number, text in enumerate(texts):
        pieces = tuple(documents.pieces(text, number, most=7))
        model.script = Script(pieces=pieces, interval=1.0 / len(pieces))
        ask(page, f"Question {number}\n\n{text}")
        answered(page, 2 * number + 2)
    before, whole = shown(page), shown(page, "body")
    page.reload()
    assert before == shown(page)
    assert whole == shown(page, "body")


def test_many_kinds_of_markdown_can_be_seen(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(pieces=tuple(documents.pieces(MANY_KINDS, 1, most=5)))
    page = visit()
    ask(page, "Everything")
    answered(page)
    body = page.locator("#body-2")
    expect(body.locator("h3")).to_have_text("Everything at once")
    expect(body.locator("ul > li ul > li ol > li")).to_have_text(["three", "four"])
    expect(body.locator("ol[start='7'] > li")).to_have_text(["seven", "eight"])
    expect(body.locator("blockquote blockquote")).to_have_text("twice")
    expect(body.locator("tbody tr")).to_have_count(2)
    expect(body.locator("tbody tr").nth(1).locator("td.right")).to_have_text("3 | 4")
    expect(body.locator(".code")).to_have_count(3)
    expect(body.locator(".code-language").first).to_have_text("python")
    expect(body.locator(".code code .k").first).to_have_text("def")
    expect(body.locator("a").first).to_have_attribute("href", "https://example.org/a?b=c&d=e")
    arabic = body.locator("p", has_text="مرحبا")
    assert arabic.evaluate("p => getComputedStyle(p).direction") == "rtl"
    assert words(page, 2).endswith("Last words\nafter a break.")


@BOTH_DATABASES
def test_a_second_question_goes_on(visit: Visit, model: ScriptedModel) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    address = page.url
    ask(page, "Second")
    answered(page, 4)
    assert page.url == address
    assert [entry["content"] for entry in model.requests[-1].messages][-3:] == [
        "First",
        answer_to("First"),
        "Second",
    ]
    expect(page.locator(".message")).to_have_count(4)
    expect(page.locator("#conversations .row")).to_have_count(1)


def test_shift_enter_breaks_the_line(visit: Visit) -> None:
    page = visit()
    page.locator("#text").press_sequentially("one")
    page.locator("#text").press("Shift+Enter")
    page.locator("#text").press_sequentially("two")
    low = page.locator("#text").bounding_box()
    page.locator("#text").fill("\n" * 40)
    high = page.locator("#text").bounding_box()
    assert low
    assert high
    assert low["height"] < high["height"] < 0.35 * 800
    page.locator("#text").fill("one\ntwo")
    page.locator("#text").press("Enter")
    expect(page.locator("#body-1")).to_have_text("one\ntwo", use_inner_text=True)
    answered(page)


def test_the_send_button_sends(visit: Visit) -> None:
    page = visit()
    page.locator("#text").fill("By button")
    page.get_by_role("button", name="Send").click()
    answered(page)
    expect(page.locator("#text")).to_be_focused()


@BOTH_DATABASES
@pytest.mark.parametrize("how", ["pointer", "keyboard"])
def test_stop_keeps_what_was_seen(visit: Visit, model: ScriptedModel, how: str) -> None:
    model.script = Script(tokens=2000, interval=0.03)
    page = visit()
    ask(page, "Tell me all")
    seen = growing(page, least=60)
    if how == "pointer":
        page.get_by_role("button", name="Stop the answer").click()
    else:
        page.locator("#text").press("Tab")
        expect(page.locator("#stop")).to_be_focused()
        page.keyboard.press("Enter")
    text = answered(page, status="stopped")
    assert text.startswith(seen)
    expect(message(page, 2)).to_contain_text("You stopped this answer.")
    assert model.wait_for(lambda: model.requests[-1].left_early)
    before = shown(page)
    page.reload()
    assert shown(page) == before
    model.script = Script(tokens=5)
    page.get_by_role("button", name="Try again").click()
    assert answered(page, 3) == answer_to("Tell me all", 5).strip()
    expect(message(page, 2)).to_have_count(0)
    expect(page.locator(".message")).to_have_count(2)


def test_after_a_stop_by_keyboard_the_focus_is_not_lost(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(do="stall", after=5)
    page = visit()
    ask(page, "Tell me all")
    growing(page)
    page.locator("#stop").focus()
    page.keyboard.press("Enter")
    answered(page, status="stopped")
    assert page.evaluate("document.activeElement.closest('#composer') !== null")


def test_a_second_question_meanwhile_keeps_its_text(visit: Visit, model: ScriptedModel) -> None:
    model.script = Script(do="stall", after=5)
    page = visit()
    ask(page, "First")
    growing(page)
    ask(page, "Second, meanwhile")
    expect(notice(page)).to_contain_text("still being written")
    expect(page.locator("#text")).to_have_value("Second, meanwhile")
    expect(page.locator(".message")).to_have_count(2)


def test_a_question_from_another_tab_meanwhile_is_409_and_keeps_its_text(
    visit: Visit, model: ScriptedModel
) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    other = page.context.new_page()
    # A tab that has not heard of it yet.
    other.route("**/feed*", lambda route: route.fulfill(status=204))
    other.goto(page.url)
    model.script = Script(do="stall", after=5)
    ask(page, "Second")
    growing(page, 4)
    with other.expect_response("**/messages") as got:
        ask(other, "Third, elsewhere")
    assert got.value.status == 409
    expect(notice(other)).to_contain_text("still being written")
    expect(other.locator("#text")).to_have_value("Third, elsewhere")
    page.get_by_role("button", name="Stop the answer").click()
    answered(page, 4, "stopped")
    model.script = Script()
    other.locator("#text").press("Enter")
    answered(other, 6)
    expect(notice(other)).to_have_count(0)
    forgive(page)


def test_an_over_long_question_keeps_its_text(visit: Visit) -> None:
    page = visit()
    long = "é" * 32_001
    page.locator("#text").fill(long)
    expect(page.locator("#counter")).to_have_text("32,001 of 32,000 characters")
    page.locator("#text").press("Enter")
    expect(notice(page)).to_contain_text("32,001 characters")
    expect(page.locator("#text")).to_have_value(long)
    assert page.url.endswith("/")
    forgive(page)
    page.locator("#text").fill(long[1:])
    page.locator("#text").press("Enter")
    answered(page)
    assert words(page, 1) == long[1:]
    expect(notice(page)).to_have_count(0)


@pytest.mark.parametrize("text", ["", "   \n ", "\u200b\u2060", "\u3164"])
def test_nothing_visible_sends_nothing(visit: Visit, text: str) -> None:
    page = visit()
    ask(page, text)
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#empty")).to_be_visible()
    expect(page.locator("#text")).to_have_value(text)
    assert page.url.endswith("/")
    forgive(page)


@BOTH_DATABASES
@pytest.mark.parametrize("how", ["double click", "double Enter", "two examples"])
def test_haste_makes_one_message(visit: Visit, how: str) -> None:
    page = visit()
    made = posts(page)
    if how == "two examples":
        page.evaluate(
            "() => { for (const button of [...document.querySelectorAll('.examples button')]"
            ".slice(0, 2)) button.click(); }"
        )
    elif how == "double click":
        page.locator("#text").fill("Twice")
        page.evaluate(
            "() => { const send = document.getElementById('send'); send.click(); send.click(); }"
        )
    else:
        page.locator("#text").fill("Twice")
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
    answered(page)
    expect(page.locator(".message")).to_have_count(2)
    expect(page.locator("#conversations .row")).to_have_count(1)
    page.goto("/history")
    expect(page.locator("#history .entry")).to_have_count(1)
    assert len([url for url in made if "/messages" in url or url.endswith("/c")]) == 1
    forgive(page)


def test_a_double_click_in_a_conversation_makes_one_message(visit: Visit) -> None:
    page = visit()
    ask(page, "First")
    answered(page)
    page.locator("#text").fill("Second")
    page.locator("#send").dblclick(no_wait_after=True)
    until_four = page.locator(".message")
    expect(until_four).to_have_count(4)
    expect(page.locator(".stream")).to_have_count(0)
    page.reload()
    expect(until_four).to_have_count(4)


def test_what_is_typed_while_a_question_travels_stays(visit: Visit) -> None:
    page = visit()

    def slowly(route: object) -> None:
        page.keyboard.type("and then")
        route.continue_()  # type: ignore[attr-defined]

    page.route("**/c", slowly)
    ask(page, "First ")
    answered(page)
    expect(page.locator("#text")).to_have_value("and then")


def test_the_model_failing_is_said_and_can_be_tried_again(
    visit: Visit, model: ScriptedModel
) -> None:
    model.script = Script(status=400, times=1)
    page = visit()
    ask(page, "Fail once")
    answered(page, status="failed")
    foot = page.locator("#foot-2")
    expect(foot).to_have_text(page.locator("#foot-2").inner_text(), use_inner_text=True)
    assert len(flat(foot.locator(".state p").inner_text())) > 20
    before = shown(page)
    page.reload()
    assert shown(page) == before
    page.get_by_role("button", name="Try again").dblclick(no_wait_after=True)
    assert answered(page, 3) == answer_to("Fail once").strip()
    expect(page.locator(".message")).to_have_count(2)
