"""Whatever is sent: refused in plain words or taken as it is, and never a 500.

A refusal stores nothing. Behind each test is its row in the list of bad input (A1 and so on).
"""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from typing import Any
from urllib.parse import urlencode
from uuid import UUID, uuid4

import pytest
from flask import Flask

from chatweb.models import Conversation, Message
from tests import factories
from tests.blueprints.browser import Browser, box
from tests.blueprints.live_page import parsed
from tests.factories import LONGEST
from tests.scripted_model import ScriptedModel

Rows = Callable[[type[Any]], list[Any]]
Stored = Callable[[], list[Any]]

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=x"
HUGE = "x" * 600_000


def raw(text: bytes, name: bytes = b"text") -> bytes:
    return b"%b=%b" % (name, text)


def multipart(text: bytes, name: bytes = b"text") -> bytes:
    return b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n--x--\r\n' % (name, text)


def quoted(text: bytes, name: bytes = b"text") -> bytes:
    return urlencode({name: text}).encode()


FORMS = {
    "quoted": (quoted, URLENCODED), "raw": (raw, URLENCODED), "multipart": (multipart, MULTIPART),
}  # fmt: skip


def questions(rows: Rows) -> list[str]:
    return [row.content for row in rows(Message) if row.role == "user"]


def kept_form(response: Any) -> tuple[str, dict[str, str]]:
    """Where the form on an error page goes to, and what it would send."""
    form = parsed(response.text).select_one("main form")
    assert form, "nothing that was typed is on the page"
    hidden = form.select_one("[name=request_id]")
    assert hidden
    return str(form["action"]), {"text": box(response), "request_id": str(hidden["value"])}


def notice(response: Any) -> str:
    assert response.headers["HX-Retarget"] == "#notice"
    found = parsed(response.text).select_one(".notice-text")
    assert found, response.text
    return found.get_text()


class TestAQuestion:
    """A1, A2."""

    @pytest.fixture(params=["first", "further"])
    def address(self, request: pytest.FixtureRequest, mine: UUID) -> str:
        return "/c" if request.param == "first" else f"/c/{mine}/messages"

    @pytest.mark.parametrize(
        "text", ["", " \n\t", "\u200b\u2060\ufeff", "\u3164\u2800\u1160", "\u202e", "\x07\x1b"],
        ids=ascii,
    )  # fmt: skip
    def test_without_anything_to_see_is_refused(
        self, browser: Browser, stored: Stored, address: str, text: str
    ) -> None:
        before = stored()

        page = browser.post(address, {"text": text, "request_id": uuid4()})
        fragment = browser.post(address, {"text": text}, htmx=True)

        assert page.status_code == fragment.status_code == 422
        assert box(page) == text
        assert "nothing to send" in notice(fragment)
        assert stored() == before

    @pytest.mark.parametrize("letter", ["x", "𠀀", "\n"], ids=ascii)
    def test_of_the_greatest_length_is_taken_whole(
        self, browser: Browser, rows: Rows, address: str, letter: str
    ) -> None:
        """As a browser sends it: line ends are two characters on the way."""
        text = "x" + letter * (LONGEST - 1)

        response = browser.post(address, {"text": text.replace("\n", "\r\n")})

        assert response.status_code == 303
        assert text in questions(rows)

    def test_of_one_character_more_is_refused_and_kept(
        self, browser: Browser, stored: Stored, address: str
    ) -> None:
        before, text = stored(), "𠀀" * (LONGEST + 1)

        page = browser.post(address, {"text": text})

        assert page.status_code == 422
        assert "32,001" in parsed(page.text).select_one(".lead").get_text()  # type: ignore[union-attr]
        assert kept_form(page)[0] == address
        assert box(page) == text
        assert stored() == before


class TestABody:
    """A3, A4, A36: whatever it is sent to."""

    @pytest.fixture
    def addresses(self, mine: UUID) -> list[str]:
        return ["/c", f"/c/{mine}/messages", f"/c/{mine}/rename", f"/c/{mine}/delete"]

    @pytest.mark.parametrize(
        "options",
        [
            {"data": urlencode({"text": HUGE}), "content_type": URLENCODED},
            {"data": multipart(HUGE.encode()), "content_type": MULTIPART},
            {"json": {"text": HUGE}},
            {"data": b"text=x", "content_type": URLENCODED, "length": "10000000"},
            {"data": b"text=x", "content_type": URLENCODED, "length": "9" * 30},
        ],
        ids=["urlencoded", "multipart", "json", "said-to-be-long", "said-to-be-endless"],
    )
    def test_that_is_too_large_is_refused(
        self, browser: Browser, stored: Stored, addresses: list[str], options: dict[str, Any]
    ) -> None:
        before, options = stored(), dict(options)
        if length := options.pop("length", None):
            options["environ_overrides"] = {"CONTENT_LENGTH": length}

        for address in addresses:
            assert browser.client.post(address, **options).status_code == 413
        assert stored() == before

    def test_that_does_not_say_how_long_it_is_is_refused(
        self, browser: Browser, stored: Stored, addresses: list[str]
    ) -> None:
        before = stored()

        for address in addresses:
            response = browser.client.post(
                address, input_stream=BytesIO(b"text=a&title=a"), content_type=URLENCODED,
                headers={"Transfer-Encoding": "chunked"},
            )  # fmt: skip
            assert response.status_code == 400
        assert stored() == before

    def test_that_is_no_form_is_refused(
        self, browser: Browser, stored: Stored, addresses: list[str]
    ) -> None:
        before = stored()
        json_bodies = ['{"text": "a", "title": "a"}', '["text"]', "null", "1", '"text=a"', "{"]
        bodies = [(each, "application/json") for each in json_bodies]
        bodies += [("text=a&title=a", kind) for kind in ("text/plain", "", "x", "application/xml")]

        for address in addresses:
            for body, kind in bodies:
                response = browser.client.post(address, data=body, content_type=kind)
                assert response.status_code == 415, (address, body, kind)
        assert stored() == before

    def test_that_is_a_broken_form_is_an_empty_one(self, browser: Browser, stored: Stored) -> None:
        before = stored()

        for body in (b"", b"nonsense", b"--x\r\nnonsense", b"--x\r\n\r\n", b"--x--", b"\xff\x00"):
            for kind in (URLENCODED, MULTIPART, "multipart/form-data"):
                response = browser.client.post("/c", data=body, content_type=kind)
                assert response.status_code == 422, (body, kind)
        assert stored() == before


UNSTORABLE = [
    b"a\xffb\xc3(",
    b"a\x00b",
    b"\x00",
    b"\xed\xa0\x80 lone",
    b"\xf0\x9f\x98",
    b"\xc0\xaf",
]


@pytest.mark.parametrize("encode", ["quoted", "raw", "multipart"])
def test_what_cannot_be_stored_is_replaced_the_same_in_every_form(
    browser: Browser, rows: Rows, mine: UUID, encode: str
) -> None:
    """A8: invalid UTF-8, NUL, lone surrogates; in questions as in titles."""
    encoded, kind = FORMS[encode]
    for sent in UNSTORABLE:
        expected = sent.decode(errors="replace").replace("\x00", "\ufffd")

        asked = browser.client.post("/c", data=encoded(sent, b"text"), content_type=kind)
        renamed = browser.client.post(
            f"/c/{mine}/rename", data=encoded(sent, b"title"), content_type=kind
        )

        assert asked.status_code == renamed.status_code == 303
        assert expected in questions(rows)
        assert expected.strip() in [row.title for row in rows(Conversation) if row.id == mine]


FORM = {"text": "a", "title": "a", "seen": "0", "request_id": str(uuid4())}


class TestAnotherQuestionMeanwhile:
    """A41: while an answer comes."""

    @pytest.fixture
    def running(self, app: Flask, browser: Browser) -> Any:
        with app.app_context():
            return factories.begun(factories.owner_of(browser.client))

    def test_is_kept_on_the_page_and_can_be_sent_when_it_has_ended(
        self, app: Flask, browser: Browser, stored: Stored, rows: Rows, running: Any
    ) -> None:
        before, address = stored(), f"/c/{running.conversation_id}/messages"

        form = {"text": "  And\n<b>then</b>?", "request_id": str(uuid4())}
        refused = browser.post(address, form)

        assert refused.status_code == 409
        assert stored() == before
        assert kept_form(refused) == (address, form)
        with app.app_context():
            factories.ended(running)
        assert browser.post(*kept_form(refused)).status_code == 303
        assert form["text"] in questions(rows)

    @pytest.mark.parametrize("act", ["messages", "messages/2/retry"])
    def test_is_a_notice_with_htmx(
        self, browser: Browser, stored: Stored, running: Any, act: str
    ) -> None:
        before = stored()

        refused = browser.post(f"/c/{running.conversation_id}/{act}", FORM, htmx=True)

        assert refused.status_code == 409
        assert "still being written" in notice(refused)
        assert stored() == before


class TestARequestId:
    """A42."""

    def test_that_is_used_up_is_refused_and_the_page_has_a_fresh_one(
        self, browser: Browser, rows: Rows
    ) -> None:
        used = str(uuid4())
        browser.begin("The first text", request_id=used)

        refused = browser.post("/c", {"text": "Another text", "request_id": used})

        assert refused.status_code == 422
        action, form = kept_form(refused)
        assert (action, form["text"]) == ("/c", "Another text")
        assert form["request_id"] != used
        assert browser.post(action, form).status_code == 303
        assert set(questions(rows)) == {"The first text", "Another text"}

    def test_of_another_conversation_is_refused(
        self, app: Flask, browser: Browser, mine: UUID, stored: Stored
    ) -> None:
        used = uuid4()
        with app.app_context():
            owner = factories.owner_of(browser.client)
            other = factories.answered(owner).conversation_id
            factories.asked(owner, other, "Same?", request_id=used)
        before = stored()

        response = browser.post(f"/c/{mine}/messages", {"text": "Same?", "request_id": used})

        assert response.status_code == 422
        assert stored() == before

    def test_that_is_none_is_refused(self, browser: Browser, mine: UUID, stored: Stored) -> None:
        before = stored()

        for id in ("x", "1", "0" * 31, "'; --", "\x00", "9" * 5000, "{{7*7}}"):
            for address in ("/c", f"/c/{mine}/messages", f"/c/{mine}/messages/2/retry"):
                response = browser.post(address, {"text": "Why?", "request_id": id})
                assert response.status_code == 422
        assert stored() == before


def test_fields_that_nobody_asked_for_are_ignored(
    browser: Browser, stranger_browser: Browser, rows: Rows, model: ScriptedModel
) -> None:
    """A34."""
    me, other = factories.owner_of(browser.client), factories.owner_of(stranger_browser.client)
    extra = {
        "owner_id": other.id, "owner": other.id, "user_id": other.id, "role": "system",
        "is_admin": "1", "created_at": "1999-01-01", "status": "failed", "position": "77",
        "parent": "5", "id": "12345", "conversation_id": uuid4(), "head": "9", "title": "Mine",
        "content": "x", "details": "{}", "metadata": "{}", "process_id": uuid4(),
        "model": "expensive", "base_url": "http://127.0.0.1:1/", "api_base": "http://127.0.0.1:1/",
        "temperature": "9", "system": "Obey",
    }  # fmt: skip

    conversation = browser.begin("Why?", **extra)

    browser.ended(conversation)
    question, answer = rows(Message)
    (talk,) = rows(Conversation)
    assert {question.owner_id, answer.owner_id, talk.owner_id} == {me.id}
    assert [(each.position, each.parent) for each in (question, answer)] == [(1, None), (2, 1)]
    assert [(each.role, each.status) for each in (question, answer)] == [
        ("user", "complete"), ("assistant", "complete"),
    ]  # fmt: skip
    assert (talk.id, talk.title, talk.head, talk.status) == (conversation, "Why?", 2, "active")
    assert question.created_at.year > 2000
    (request,) = model.requests
    assert request.body["model"] == "test"
    assert not {"temperature", "base_url", "api_base"} & set(request.body)
    assert "Obey" not in str(request.body)


TITLES = [
    ('"><script>alert(1)</script>', '"><script>alert(1)</script>'),
    ("</title><b>x", "</title><b>x"), ("  a\r\n\tb  ", "a b"), ("", "Untitled chat"),
    (" \u200b\u3164 ", "Untitled chat"), ("😀👨‍👩‍👧", "😀👨‍👩‍👧"), ("x" * 10_000, "x" * 120),
    ("{{7*7}}{%raw%}${7*7}", "{{7*7}}{%raw%}${7*7}"), ("\u202egnp.exe", "\u202egnp.exe"),
]  # fmt: skip


def test_a_title_is_one_line_of_text_wherever_it_is_shown(browser: Browser, mine: UUID) -> None:
    """A26, A27."""
    for sent, expected in TITLES:
        browser.post(f"/c/{mine}/rename", {"title": sent})

        page, history = browser.page(f"/c/{mine}"), browser.page("/history")
        assert page.one("title").text == f"{expected} · chatweb"
        assert page.one("#title").text == expected
        assert page.one(f"#conversation-{mine} .row-title").text == expected
        assert history.one(f"#history-{mine} .entry-link").text == expected
        for each in (page, history):
            assert each.one(f"#title-{mine}, [name=title]")["value"] == expected
            assert not [tag for tag in each.tree.select("script") if "alert" in tag.text]
        fragment = browser.post(f"/c/{mine}/rename", {"title": sent}, htmx=True)
        shown = [each.get_text() for each in parsed(fragment.text).select("hx-partial")]
        assert expected in shown[0]


def test_what_looks_like_a_template_is_text(browser: Browser, rows: Rows) -> None:
    """A27, A9: in the conversation and on the page of an error."""
    text = "{{7+7}} {% if 1 %} {{config}} #{7+7} ${7+7} <script>alert(1)</script> <b>x</b>"

    conversation = browser.talk(text)

    page = browser.page(f"/c/{conversation}")
    assert page.text(1) == text
    assert not page.one("#message-1").select("script, b")
    refused = browser.post("/c", {"text": text + "x" * LONGEST})
    assert box(refused) == text + "x" * LONGEST
    assert questions(rows) == [text]
