"""Tables as GitHub knows them: the library's rule, but nothing written is lost, little is made up.

The library drops the cells that a row has too many, and fills up those that it has too few for as
long as it likes: 48 KB of almost empty rows took 2.7 s. Here the first join the last cell of the
row, and a "table" that would be mostly cells nobody wrote stays text. A test compares the two.
"""

import re
from collections.abc import Sequence
from itertools import zip_longest

from markdown_it.common.utils import mdTrim
from markdown_it.rules_block import StateBlock

WIDEST = 100
"""Columns; a wider "table" is an attack on the browser and stays text."""

MOST_MISSING = 100
"""Cells nobody wrote; more than these, and half as many as were written, are too many."""

_REFUSED = "refused"
"""In the parser's environment: the line before which no table begins, or each would be tried."""

_UNDERLINE = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?[ \t]*")
_BETWEEN_CELLS = re.compile(r"(?<!\\)\|")
_SIDES = {(True, False): "left", (True, True): "center", (False, True): "right"}


def table(state: StateBlock, start: int, end: int, silent: bool) -> bool:
    """A rule of the parser: a row, a row of dashes with as many cells, and more rows."""
    if start + 2 > end or start < state.env.get(_REFUSED, 0) or state.is_code_block(start):
        return False
    sides = _sides(state, start + 1)
    line = _line(state, start)
    header = _cells(line) if sides and "|" in line else []
    if not header or len(header) != len(sides):
        return False
    if silent:
        return True
    parent, state.parentType = state.parentType, "table"
    rows = _rows(state, start + 2, end, len(header))
    state.parentType = parent
    if rows is not None:
        _push(state, start, sides, header, rows)
    return rows is not None


def _sides(state: StateBlock, line: int) -> list[str]:
    """What the row below the first says: which side the words of each column keep to."""
    if state.sCount[line] < state.blkIndent or state.is_code_block(line):
        return []
    dashes = _line(state, line)
    if len(dashes) < 2 or not _UNDERLINE.fullmatch(dashes) or dashes.startswith(("- ", "-\t")):
        return []
    columns = [column for dash in dashes.split("|") if (column := dash.strip(" \t"))]
    if len(columns) > WIDEST:
        return []
    return [_SIDES.get((column[0] == ":", column[-1] == ":"), "") for column in columns]


def _rows(state: StateBlock, line: int, end: int, columns: int) -> list[list[str]] | None:
    """The rows from ``line`` on; None when too many cells are missing."""
    rows: list[list[str]] = []
    others = state.md.block.ruler.getRules("blockquote")
    written, missing = columns, 0
    while line < end and not state.isEmpty(line) and state.sCount[line] >= state.blkIndent:
        if any(begins(state, line, end, True) for begins in others) or state.is_code_block(line):
            break
        row = _cells(_line(state, line))
        written += len(row)
        missing += max(0, columns - len(row))
        line += 1
        if missing > MOST_MISSING + written // 2:
            state.env[_REFUSED] = line
            return None
        rows.append([*row[: columns - 1], " | ".join(row[columns - 1 :])])
    state.line = line
    return rows


def _push(
    state: StateBlock,
    start: int,
    sides: Sequence[str],
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
) -> None:
    """The tokens: a cell is one, of type inline, with its tag and its side."""
    state.push("table_open", "table", 1).map = [start, state.line]
    state.push("thead_open", "thead", 1)
    _push_row(state, "th", sides, header)
    state.push("thead_close", "thead", -1)
    if rows:
        state.push("tbody_open", "tbody", 1)
        for row in rows:
            _push_row(state, "td", sides, row)
        state.push("tbody_close", "tbody", -1)
    state.push("table_close", "table", -1)


def _push_row(state: StateBlock, tag: str, sides: Sequence[str], cells: Sequence[str]) -> None:
    state.push("tr_open", "tr", 1)
    for side, words in zip_longest(sides, cells, fillvalue=""):
        cell = state.push("inline", tag, 0)
        cell.content, cell.info = words, side
    state.push("tr_close", "tr", -1)


def _line(state: StateBlock, line: int) -> str:
    return state.src[state.bMarks[line] + state.tShift[line] : state.eMarks[line]]


def _cells(line: str) -> list[str]:
    cells = _BETWEEN_CELLS.split(mdTrim(line))
    if not cells[0]:
        cells.pop(0)
    if cells and not cells[-1]:
        cells.pop()
    return [mdTrim(cell.replace("\\|", "|")) for cell in cells]
