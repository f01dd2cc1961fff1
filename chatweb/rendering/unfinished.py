"""What of a half-written block can be shown already.

A reader should not see marks that turn into something else a moment later: a lone ``-``, half a
fence, ``**`` before its words, half a row of a table, half an address. They wait for what comes;
when the answer ends, everything is shown.
"""

import re
from typing import NamedTuple

_ONLY_MARKS = re.compile(r"[ \t]*(?:[>#*+|:=_`~-]+[ \t]*)*(?:[0-9]{1,9}[.)]?[ \t]*)?[*_`~|\[ \t-]*")
_WAITING = re.compile(r"[ \t*_~`\[<&\\]+\Z")
_HALF_LINK = re.compile(
    r"!?\[[^\[\]]{0,200}(?:\]|\]\([^()]{0,500})?\Z|https?://\S{0,500}\Z", re.IGNORECASE
)
_TABLE_BEGUN = re.compile(r"(?:\A|\n)[ \t]*(\|[^\n]*\n?[ \t|:-]*)\Z")
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
    begun = _TABLE_BEGUN.search(text) if "|" in text else None
    if begun and not _row_before(text, begun.start(1)):
        text, line = text[: begun.start(1)], ""
    if not line or has_fence or line.startswith(("    ", "\t")):
        return Shown(text.rstrip("\n\r \t"), "")
    text = text[: _cut(text, line)]
    return Shown(text, _unclosed(text[line_start:]))


def last_line(text: str, end: int | None = None) -> int:
    """Where the last line of ``text`` up to ``end`` begins."""
    return max(text.rfind("\n", 0, end), text.rfind("\r", 0, end)) + 1


def _row_before(text: str, start: int) -> bool:
    """Whether the line before ``start`` looks like a row of the same table."""
    before = text[:start].rstrip(" \t").removesuffix("\n").removesuffix("\r")
    return before[last_line(before) :].lstrip().startswith("|")


def _cut(text: str, line: str) -> int:
    """Where the part of the last line begins that waits."""
    end = len(text)
    half = _HALF_LINK.search(line)
    if half:
        end -= len(line) - half.start()
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
