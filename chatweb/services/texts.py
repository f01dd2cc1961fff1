"""Rules for what people type, the same in front of both databases."""

from __future__ import annotations

import re
import unicodedata

from chatweb.services.errors import Invalid

UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
"""NUL is refused by PostgreSQL, lone surrogates by both; each becomes U+FFFD."""

UNSEEN = {"Cc", "Cf", "Cs", "Mn", "Mc", "Me", "Zs", "Zl", "Zp"}
"""Categories that show nothing by themselves. Letters without a category (Cn) are seen: they are
newer than this Python, as are the emoji of the year."""

INVISIBLE = re.compile(
    "[\u115f\u1160\u2065\u2800\u3164\uffa0\ufff0-\ufff8\U0001d159\U000e0000-\U000e0fff]"
)
"""Letters by their category that show nothing: fillers, the empty Braille cell and note head, and
what Unicode keeps for invisible use."""

TITLE_LENGTH = 120
FIRST_WORDS_LENGTH = 60
NO_TITLE = "Untitled chat"
LONGEST_SUGGESTION = 80
"""Characters of a model's title; what is longer is none."""

CALLED = re.compile(
    r"^(?:title|titel|titre|t[ií]tulo|titolo|otsikko|tytuł|название|заголовок|标题|標題|タイトル)"
    r"\s*[:\uff1a]\s*",
    re.I,
)
QUOTES = {
    '"': '"', "'": "'", "\u201c": "\u201d\u201c", "\u2018": "\u2019\u2018",
    "\u201e": "\u201c\u201d", "«": "»", "»": "«", "「": "」", "『": "』",
}  # fmt: skip
"""Marks that open a quotation, and those that close it."""

REFUSED = re.compile(
    r"^(?:i(?:['’]m| am) (?:sorry|unable|afraid|not able)|sorry[,.]|i can(?:no|['’])t |i cannot |"
    r"i apologi[sz]e|i do(?: not|n['’]t) |as an ai\b|unfortunately,|es tut mir leid|"
    r"(?:je suis )?désolé|lo siento)",
    re.I,
)
"""How a model says that it gives no title."""

MARKS = re.compile(r"^[\s#>*\-+_~=|]+|[*`]+")
"""Markdown that says nothing in a title."""


def storable(text: str) -> str:
    """``text`` as both databases keep it, with line ends as ``\\n``."""
    return UNSTORABLE.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def question(text: str, longest: int) -> str:
    """``text`` as it is stored.

    :raises Invalid: nothing visible in it, or more than ``longest`` characters
    """
    text = storable(text)
    if not is_visible(text):
        raise Invalid("There is nothing to send yet: write a question first.")
    if len(text) > longest:
        raise Invalid(
            f"This is {len(text):,} characters long; a message may have at most {longest:,}. "
            "Shorten it, or send it in parts."
        )
    return text


def draft(text: str, longest: int) -> str:
    """``text`` as it is kept while it is typed.

    :raises Invalid: more than ``longest`` characters
    """
    text = storable(text)
    if len(text) > longest:
        raise Invalid(
            f"This is {len(text):,} characters long; what is not sent yet is kept up to "
            f"{longest:,}. Shorten it, or keep the rest elsewhere."
        )
    return text


def is_visible(text: str) -> bool:
    """Whether anything in ``text`` leaves a mark on the page."""
    return any(
        unicodedata.category(letter) not in UNSEEN and not INVISIBLE.match(letter)
        for letter in text
    )


def line(text: str) -> str:
    """``text`` as one line of at most 120 characters."""
    return " ".join(storable(text).split())[:TITLE_LENGTH].rstrip()


def title(text: str) -> str:
    """A title somebody chose, or the one of what has none."""
    text = line(text)
    return text if is_visible(text) else NO_TITLE


def suggested_title(text: str) -> str | None:
    """The title in what a model said when it was asked for one; None where there is none."""
    lines = [line for line in storable(text).split("\n") if is_visible(line)]
    if len(lines) > 1 and lines[0].rstrip(" *").endswith((":", "\uff1a")):
        del lines[0]  # "Here is a title:"
    words = " ".join(MARKS.sub("", lines[0]).split()) if lines else ""
    words = unquoted(CALLED.sub("", words))
    if words.endswith(".") and not words.endswith(".."):
        words = words[:-1]
    taken = is_visible(words) and len(words) <= LONGEST_SUGGESTION and not REFUSED.match(words)
    return title(words) if taken else None


def unquoted(words: str) -> str:
    """``words`` without the quotation marks around all of them."""
    first, inside, last = words[:1], words[1:-1], words[-1:]
    closed = len(words) > 1 and last in QUOTES.get(first, "")
    return inside.strip() if closed and not {first, last} & set(inside) else words


def first_words(text: str) -> str:
    """The title a conversation begins with: the first line of its first question."""
    for line in text.split("\n"):
        words = " ".join(MARKS.sub("", line).split())
        if is_visible(words):
            return shortened(words)
    return NO_TITLE


def shortened(words: str) -> str:
    if len(words) <= FIRST_WORDS_LENGTH:
        return words
    cut = words[:FIRST_WORDS_LENGTH]
    at_word, space, _ = cut.rpartition(" ")
    return (at_word if space and len(at_word) > FIRST_WORDS_LENGTH // 2 else cut).rstrip() + "…"
