"""What people type: kept exactly, or refused with a sentence."""

import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatweb.services import texts
from chatweb.services.errors import Invalid

NOTHING_TO_SEE = {
    "nothing": "",
    "spaces": " \t\n\r\n\v\f",
    "other spaces": "\xa0\u1680\u2000\u2007\u200a\u2028\u2029\u202f\u205f\u3000\x85",
    "zero width": "\u200b\u200c\u200d\u2060\ufeff\u180e",
    "soft hyphen and joiners": "\xad\u034f\u2061\u2062\u2063\u2064",
    "direction": "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069",
    "shaping": "\u206a\u206b\u206c\u206d\u206e\u206f",
    "variation selectors": "\ufe00\ufe0f\U000e0100\U000e01ef\u180b\u180f",
    "tags": "\U000e0001\U000e0020\U000e007f",
    "fillers": "\u115f\u1160\u3164\uffa0\u2800\u17b4\u17b5",
    "music": "\U0001d159\U0001d173\U0001d17a",
    "shorthand": "\U0001bca0\U0001bca3",
    "combining marks alone": "\u0301\u20dd\u0489",
    "control characters": "\x01\x07\x08\x1b\x7f\x9f",
    "annotation": "\ufff9\ufffa\ufffb",
    "kept for invisible use": "\u2065\ufff0\ufff8\U000e0fff",
}
SOMETHING = {
    "a letter": "a",
    "a full stop": ".",
    "an emoji": "\N{GRINNING FACE}",
    "an emoji newer than this Python's tables": "\U0001fae8",
    "a family": "👨‍👩‍👧",
    "a letter with marks": "e\u0301",
    "a digit between marks": "\u20281\u2028",
    "a sign of one's own font": "\uf8ff",
    "right to left": "\u202eא",
    "Chinese": "我",
}


@pytest.fixture(autouse=True)
def context() -> None:
    """No database is needed here."""


@pytest.mark.parametrize("text", NOTHING_TO_SEE.values(), ids=NOTHING_TO_SEE)
def test_what_shows_nothing_is_not_sent(text: str) -> None:
    with pytest.raises(Invalid, match="nothing to send"):
        texts.question(text, 100)
    for letter in text:
        assert not texts.is_visible(letter), ascii(letter)


@pytest.mark.parametrize("text", SOMETHING.values(), ids=SOMETHING)
def test_whatever_shows_something_is_sent(text: str) -> None:
    assert texts.question(text, 100) == text


@given(st.integers(1, 200))
def test_the_limit_is_the_last_length_that_is_taken(longest: int) -> None:
    assert texts.question("😀" * longest, longest) == "😀" * longest
    with pytest.raises(Invalid, match=f"{longest + 1:,} characters long.*at most {longest:,}"):
        texts.question("😀" * (longest + 1), longest)


def test_a_line_end_counts_once_as_in_the_box() -> None:
    assert texts.question("a\r\nb", 3) == "a\nb"


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ("a\r\nb\rc\nd", "a\nb\nc\nd"),
        ("\r\r\n\n", "\n\n\n"),
        ("a\x00b", "a\ufffdb"),
        ("\ud83d", "\ufffd"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\x01\x1b[31m\u2028\ufeff", "\x01\x1b[31m\u2028\ufeff"),
    ],
    ids=ascii,
)
def test_only_what_no_database_keeps_is_replaced(typed: str, kept: str) -> None:
    assert texts.storable(typed) == kept


@given(st.text(st.characters(exclude_categories=[])))
def test_a_storable_text_stays_as_it_is(text: str) -> None:
    kept = texts.storable(text)

    assert texts.storable(kept) == kept
    assert "\x00" not in kept
    kept.encode()


@given(st.text(st.characters(exclude_categories=[]), max_size=400))
def test_every_title_is_one_visible_line_that_fits(text: str) -> None:
    for title, longest in ((texts.title(text), 120), (texts.first_words(text), 61)):
        assert texts.is_visible(title)
        assert len(title) <= longest
        assert len(title.splitlines()) == 1
        assert title == title.strip()


@pytest.mark.parametrize(
    ("typed", "title"),
    [
        ("  My \n\n chat\t", "My chat"),
        ("", "Untitled chat"),
        ("\u200b\u202e", "Untitled chat"),
        ("🎉", "🎉"),
        ('"><script>', '"><script>'),
        ("x" * 10_000, "x" * 120),
        ("y" * 119 + " z", "y" * 119),
    ],
    ids=["spaces", "empty", "invisible", "emoji", "markup", "long", "cut at a space"],
)
def test_a_chosen_title_is_trimmed(typed: str, title: str) -> None:
    assert texts.title(typed) == title


@pytest.mark.parametrize(
    ("question", "title"),
    [
        ("Why?", "Why?"),
        ("\n\n  Why is it so?\nSecond line", "Why is it so?"),
        ("## Heading\ntext", "Heading"),
        ("> - * quoted", "quoted"),
        ("---\n\u200b\nAfter the rule", "After the rule"),
        ("```", "Untitled chat"),
        ("a" * 61, "a" * 60 + "…"),
        ("a" * 60, "a" * 60),
        ("word " * 20, ("word " * 12).rstrip() + "…"),
        ("a " + "b" * 80, "a " + "b" * 58 + "…"),
    ],
    ids=lambda text: text[:12],
)
def test_a_conversation_is_named_by_its_first_words(question: str, title: str) -> None:
    assert texts.first_words(question) == title


def test_every_control_and_format_character_is_invisible() -> None:
    shown = [
        hex(number)
        for number in range(0x110000)
        if unicodedata.category(letter := chr(number)) in {"Cc", "Cf", "Cs", "Zs", "Zl", "Zp"}
        and texts.is_visible(letter)
    ]

    assert not shown
    assert not re.search(r"\S", "".join(NOTHING_TO_SEE["spaces"]))


@pytest.mark.parametrize(
    ("said", "title"),
    [
        ("Colours of the sky", "Colours of the sky"),
        ("  Colours of\tthe sky.\n", "Colours of the sky"),
        ('"Colours of the sky"', "Colours of the sky"),
        ("“Colours of the sky.”", "Colours of the sky"),
        ("„Farben des Himmels“", "Farben des Himmels"),
        ("«Les couleurs du ciel»", "Les couleurs du ciel"),
        ("「空の色」", "空の色"),
        ("**Title:** Colours of the sky", "Colours of the sky"),
        ("title : `Colours`", "Colours"),
        ("Titre : Les couleurs", "Les couleurs"),
        ("标题:天空的颜色", "天空的颜色"),
        ("# Colours of the sky\n\nThe sky is blue because", "Colours of the sky"),
        ("Here is a title:\n\n**Colours of the sky**", "Colours of the sky"),
        ('"Yes" or "no"', '"Yes" or "no"'),
        ("Don't panic'", "Don't panic'"),
        ("Why is it so?", "Why is it so?"),
        ("And then …", "And then …"),
        ("And then...", "And then..."),
        ("a\x00b", "a\ufffdb"),
        ("x" * 80, "x" * 80),
        ("Sorry in French", "Sorry in French"),
    ],
    ids=ascii,
)
def test_a_models_title_is_what_it_meant(said: str, title: str) -> None:
    assert texts.suggested_title(said) == title


@pytest.mark.parametrize(
    "said",
    [
        "", " \n\u200b\n", "```", '""', "Title:", "x" * 81, "word " * 40,
        "I'm sorry, but I cannot give a title.", "I’m unable to do that.", "I cannot help with it",
        "As an AI, I have no titles", "Sorry, no.", "Unfortunately, no", "Es tut mir leid, nein.",
        "Je suis désolé", "Lo siento, no puedo", "I don't have enough context",
    ],
    ids=ascii,
)  # fmt: skip
def test_what_is_no_title_is_not_taken(said: str) -> None:
    assert texts.suggested_title(said) is None


@given(st.text(max_size=200))
def test_whatever_a_model_says_its_title_is_one_line_that_can_be_seen(said: str) -> None:
    title = texts.suggested_title(said)
    if title is not None:
        assert texts.is_visible(title)
        assert "\n" not in title
        assert len(title) <= texts.LONGEST_SUGGESTION
        assert title == texts.storable(title)
