"""What of a half-written block can be shown already.

A reader should not see marks that turn into something else a moment later: a lone ``-``, half a
fence, ``**`` before its words, half a row of a table, half an address. They wait for what comes;
when the answer ends, everything is shown.
"""

import re
from typing import NamedTuple

_ONLY_MARKS = re.compile(r"[ \t>#*+|:=_`~-]*+(?:[0-9]{1,9}+[.)]?+)?+[ \t*_`~|\[-]*+")
_WAITING = re.compile(r"[ \t*_~`\[<&\\]+\Z")
_HALF_LINK = re.compile(
    r"!?\[[^\[\]]{0,200}(?:\]|\]\([^()]{0,500})?\Z|https?://\S{0,500}\Z", re.IGNORECASE
)
_CODE = re.compile(r"`+")


class Shown(NamedTuple):
    """A block as it is rendered while it grows."""

    text: str
    """The part of the block's own text that is shown; the rest waits."""
    closing: str
    """Marks that are rendered behind it, so that what is bold already looks bold."""


def words(block: str, has_fence: bool) -> Shown:
    """The presentable part of a block that is not inside a fence at the margin."""
    text = block.rstrip(" \t\r")
    line_start = last_line(text)
    line = text[line_start:]
    if _ONLY_MARKS.fullmatch(line) or line.startswith("|"):
        text = text[:line_start]
        line = ""
    if not line:
        text = _without_lone_row(text)
    if not line or has_fence or line.startswith(("    ", "\t")):
        return Shown(text.rstrip("\n\r \t"), "")
    text = text[: _cut(text, line)]
    return Shown(text, _unclosed(text[line_start:]))


def last_line(text: str, end: int | None = None) -> int:
    """Where the last line of ``text`` up to ``end`` begins."""
    return max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1


def _without_lone_row(text: str) -> str:
    """A first row is a row only when the line below it says so: it waits for that."""
    above = text.rstrip(" \t\n\r")
    start = last_line(above)
    row_before = above[last_line(above[: start - 1]) : start] if start else ""
    lone = above[start:].lstrip().startswith("|") and not row_before.lstrip().startswith("|")
    return above[:start] if lone and text[len(above) :].count("\n") < 2 else text


def _cut(text: str, line: str) -> int:
    """Where the part of the last line begins that waits."""
    end = len(text)
    half = _HALF_LINK.search(text, max(end - len(line), end - 800))
    if half:
        end = half.start()
    waiting = _WAITING.search(text, max(0, end - 100), end)
    return waiting.start() if waiting else end


def _unclosed(line: str) -> str:
    """The marks that end what has begun in ``line``: code, or bold."""
    opened = ""
    prose = []
    done = 0
    for run in _CODE.finditer(line):
        if not opened:
            prose.append(line[done : run.start()])
            opened = run[0]
        elif run[0] == opened:
            opened = ""
        done = run.end()
    if opened:
        return opened
    prose.append(line[done:])
    return "**" if "".join(prose).count("**") % 2 else ""


def code(block: str, fence: str, opening: int) -> str:
    """The presentable part of a block that ends inside a fence whose line begins at ``opening``."""
    block = block.removesuffix("\r")  # "\r\n" may be on its way
    line_start = last_line(block)
    if line_start <= opening:
        return block[:opening].rstrip("\n\r \t")
    line = block[line_start:].strip(" \t\r")
    return block if line.strip(fence[0]) else block[:line_start]
