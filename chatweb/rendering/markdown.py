"""Untrusted text into safe HTML. Nothing else in chatweb does that.

Whatever was written can be read: no word is hidden. Raw HTML, unusable addresses and pictures in
the text itself are shown as text; a picture elsewhere becomes a link; link titles and definitions
are shown where they stand; items of a list keep their numbers; cells beyond a table's width join
the last one. Where the parser would drop words, or fails, the text is shown as it was typed, in
``<pre class="raw">``.
"""

import logging
import re

from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup, escape

from chatweb.rendering import elements, links, tables
from chatweb.rendering.outlines import Outline

logger = logging.getLogger(__name__)

MOST_MARKS = 8_000
"""Marks of Markdown in one paragraph; more are a maze that would keep the parser busy."""

# Characters that mean the same wherever they stand behind a word: no marks of Markdown, nothing
# that HTML escapes, no white space but the blank.
PLAIN = re.compile(
    r"[ !\"',.:?A-Za-z0-9-\u00c0-\u167f\u1681-\u1fff\u2010-\u2027\u2030-\u205e\u2070-\u2fff"
    r"\u3001-\ud7ff\uf900-\ufdcf\uff00-\uffef\U00010000-\U0001fffd]*"
)
_PLAIN_LINE = re.compile(rf"[^\W\d_]{PLAIN.pattern}")

_SURROGATES = re.compile("[\ud800-\udfff]")


class _MazeError(Exception):
    """A paragraph that would take too long."""


def to_html(text: str, outline: Outline | None = None, *, growing: bool = False) -> Markup:
    """``text`` (Markdown) as HTML of a short list of harmless elements.

    ``outline``: the headings above ``text`` in its message; those of ``text`` join it.
    ``growing``: more will come, so code that stands at the end is not coloured yet.
    """
    words = text.rstrip(" \n")
    if _PLAIN_LINE.fullmatch(words):  # nothing to parse, and nothing to clean away
        return Markup(f'<p dir="auto">{words}</p>')  # noqa: S704 - just words
    return _parsed(_encodable(text), outline or Outline(), growing)


def _parsed(text: str, outline: Outline, growing: bool) -> Markup:
    try:
        tokens = _parser.parse(text)
        if any(token.level >= _DEEPEST for token in tokens):
            return _raw(text)
        made = elements.html(tokens, outline, growing)
    except _MazeError:
        return _raw(text)
    except Exception:  # a fault in a parser of hostile text must not hide the text
        logger.exception("A text of %d characters could not be rendered", len(text))
        return _raw(text)
    return Markup(elements.ALLOWED.clean(made))  # noqa: S704 - cleaned just now


def begins_element(text: str) -> bool:
    """Whether an outermost element (not a part of one) begins at the last line of ``text``."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n")
    tokens: list[Token] = []
    _parser.block.parse(lines, _parser, {}, tokens)
    last = lines.count("\n")
    return any(token.level == 0 and token.map and token.map[0] == last for token in tokens)


def _raw(text: str) -> Markup:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "\ufffd")
    return Markup('<pre class="raw" dir="auto">{}</pre>').format(escape(lines))


def _encodable(text: str) -> str:
    """``text`` with lone surrogates, which no page can hold, replaced one by one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def _inline(state: StateCore) -> None:
    """The parser's own rule, which costs a lot even where no mark of Markdown stands."""
    marks = state.md.inline.terminator_re
    for token in state.tokens:
        if token.type != "inline":
            continue
        if marks.search(token.content):
            token.children = state.md.inline.parse(token.content, state.md, state.env, [])
        else:
            token.children = [Token("text", "", 0, content=token.content)]


def _refuse_mazes(state: StateCore) -> None:
    for token in state.tokens:
        if len(token.content) > MOST_MARKS and token.type == "inline":
            words = token.content
            if sum(words.count(mark) for mark in "[]*_`<~&:") > MOST_MARKS:
                raise _MazeError


def _number_items(state: StateCore) -> None:
    """Items of an ordered list that do not count up say their number themselves.

    But ``1.`` before every item is Markdown's way to leave the counting to others.
    """
    lists: list[tuple[int | None, int]] = []  # the number all items so far bear, the last one shown
    for token in state.tokens:
        if token.type == "ordered_list_open":
            start = int(token.attrs.get("start", 1))
            lists.append((start, start - 1))
        elif token.type == "ordered_list_close":
            lists.pop()
        elif token.type == "list_item_open" and token.info:
            (same, last), number = lists[-1], int(token.info)
            if number not in (same, last + 1):
                token.attrs["value"] = number
            lists[-1] = (same, last + 1) if number == same else (None, number)


def _made_parser() -> links.Parser:
    parser = links.Parser("commonmark", {"html": False, "breaks": True, "inline_definitions": True})
    parser.enable(["table", "strikethrough"])
    parser.block.ruler.at("table", tables.table, {"alt": ["paragraph", "reference"]})
    parser.core.ruler.after("block", "refuse_mazes", _refuse_mazes)
    parser.core.ruler.after("block", "number_items", _number_items)
    parser.core.ruler.at("inline", _inline)
    parser.core.ruler.push("link_bare_addresses", links.link_bare_addresses)
    return parser


_parser = _made_parser()
# Rules are put in order with their first use, and two threads at once would meet half of them.
for _ruler in (_parser.core, _parser.block, _parser.inline):
    _ruler.ruler.getRules("")
_parser.inline.ruler2.getRules("")
# The parser skips what is nested deeper than its limit, without a word. One level less is ours.
_DEEPEST = _parser.options.maxNesting - 1
