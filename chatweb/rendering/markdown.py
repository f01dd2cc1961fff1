"""Untrusted text into safe HTML. Nothing else in chatweb does that.

Whatever was written can be read: no word is hidden. Raw HTML, unusable addresses and pictures in
the text itself are shown as text; a picture elsewhere becomes a link; link titles and definitions
are shown where they stand; items of a list keep their numbers; cells beyond a table's width join
the last one. Where the parser would drop words, or fails, the text is shown as it was typed, in
``<pre class="raw">``.
"""

import logging
import re

from markdown_it.rules_block import StateBlock
from markdown_it.rules_block.table import escapedSplit, getLine, table
from markdown_it.rules_core import StateCore
from markdown_it.token import Token
from markupsafe import Markup, escape

from chatweb.rendering import elements, links

logger = logging.getLogger(__name__)

WIDEST_TABLE = 100
"""Columns; a wider "table" is an attack on the browser and stays text."""

MOST_MARKS = 8_000
"""Marks of Markdown in one paragraph; more are a maze that would keep the parser busy."""

_SURROGATES = re.compile("[\ud800-\udfff]")


class _MazeError(Exception):
    """A paragraph that would take too long."""


def to_html(text: str, *, growing: bool = False) -> Markup:
    """``text`` (Markdown) as HTML of a short list of harmless elements.

    ``growing``: more will come, so code that stands at the end is not coloured yet.
    """
    text = _encodable(text)
    try:
        tokens = _parser.parse(text)
        if any(token.level >= _DEEPEST for token in tokens):
            return _raw(text)
        made = elements.html(tokens, growing)
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


def _complete_table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """The parser's table, with the cells that it would drop joined to the last one of the row."""
    if start + 2 > end or _too_wide(state, start, end):
        return False
    first = len(state.tokens)
    if not table(state, start, end, silent):
        return False
    rows: list[list[Token]] = []
    for token in state.tokens[first:]:
        if token.type == "tr_open":
            rows.append([token])
        elif token.type == "inline":
            rows[-1].append(token)
    for opening, *cells in rows:
        line = opening.map[0] if opening.map else start
        surplus = _cells(getLine(state, line))[len(cells) :]
        cells[-1].content = " | ".join([cells[-1].content, *surplus])
    return True


def _too_wide(state: StateBlock, start: int, end: int) -> bool:
    """Whether a table would be mostly cells that nobody wrote."""
    columns = getLine(state, start + 1).count("|")
    if columns < 10 or columns > WIDEST_TABLE:
        return columns > WIDEST_TABLE
    line, written = start + 2, 0
    while line < end and not state.isEmpty(line):
        written += getLine(state, line).count("|")
        line += 1
    return columns * (line - start) > 1_000 + 4 * written


def _cells(line: str) -> list[str]:
    cells = [cell.strip() for cell in escapedSplit(line.strip())]
    if cells and not cells[0]:
        cells.pop(0)
    if cells and not cells[-1]:
        cells.pop()
    return cells


def _made_parser() -> links.Parser:
    parser = links.Parser("commonmark", {"html": False, "breaks": True, "inline_definitions": True})
    parser.enable(["table", "strikethrough"])
    parser.block.ruler.at("table", _complete_table, {"alt": ["paragraph", "reference"]})
    parser.core.ruler.after("block", "refuse_mazes", _refuse_mazes)
    parser.core.ruler.after("block", "number_items", _number_items)
    parser.core.ruler.push("link_bare_addresses", links.link_bare_addresses)
    return parser


_parser = _made_parser()
# The parser skips what is nested deeper than its limit, without a word. One level less is ours.
_DEEPEST = _parser.options.maxNesting - 1
