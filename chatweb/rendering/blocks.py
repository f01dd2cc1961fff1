"""A message's body: a row of blocks, each named by its message and the offset where it begins.

An answer is shown while it is written, and must not be made anew with every word. So a text is
cut where nothing that follows can change what stands before: before a line at the margin, behind
a blank one, outside a code fence, that does not go on with a list. Whether a place is such a cut
depends only on the text before it and the first characters of its line. So a growing answer and a
finished one are cut alike, and the blocks side by side are what ``to_html`` makes of the whole.

Link definitions (``[label]: address``) act across the whole text: a text with one is one block.
"""

import re
from collections.abc import Iterable

from markupsafe import Markup

from chatweb.rendering import markdown
from chatweb.rendering.outlines import Outline

_LINE = re.compile(r"([^\r\n]*)(\r\n|\r|\n|\Z)")
_FENCE = re.compile(r"(`{3,})[^`]*\Z|(~{3,})")
_LIST_MARK = re.compile(r" {0,3}(?:([-+*])|[0-9]{1,9}([.)]))(?=[ \t]|\Z)")
_PERHAPS_LIST_MARK = re.compile(r"[-+*]|[0-9]{1,9}[.)]?")
_DEFINITION = re.compile(  # at the begin of a line, however lines end
    r"(?<![^\r\n])[ \t>]*(?:(?:[-+*]|[0-9]{1,9}[.)])[ \t>]+)*\[(?:\\.|[^\[\]\\])+\]:", re.DOTALL
)


class Scan:
    """Where the blocks of ``text`` from ``begin`` on, itself the begin of one, lie."""

    def __init__(self, text: str, begin: int = 0) -> None:
        self.starts = [begin]
        self.fence = ""
        """The fence that is still open at the end."""
        self.fence_line = begin
        """Where the line that opened it begins."""
        self.defines = False
        """Whether one of the blocks has a link definition."""
        self._text = text
        self._forget_block()
        behind_blank = False
        for line in _LINE.finditer(text, begin):
            words = line[1].strip(" \t")
            if self.fence:
                if _closes(self.fence, line[1]):
                    self.fence = ""
            elif words:
                if behind_blank and self._begins_block(line):
                    self._end_block(line.start())
                self._note(line[1], words, line.start())
            behind_blank = not words and not self.fence
        self._end_block(None)

    def _forget_block(self) -> None:
        self._list_marks: set[str] = set()
        self._inner_fence = False
        self._asked_next = 0
        self._perhaps_defines = False

    def _end_block(self, end: int | None) -> None:
        block = slice(self.starts[-1], end)
        if self._perhaps_defines and _DEFINITION.search(self._text[block]):
            self.defines = True
        if end is not None:
            self.starts.append(end)
        self._forget_block()

    def _begins_block(self, line: re.Match[str]) -> bool:
        """Whether a line behind a blank one begins a block, whatever may follow in it."""
        if line[1][0] in " \t" or line.start() == self.starts[-1]:
            return False
        if not line[2] and _PERHAPS_LIST_MARK.fullmatch(line[1]):
            return False  # half-made: "-" may become a list item or a rule
        mark = _LIST_MARK.match(line[1])
        if mark and (mark[1] or mark[2]) in self._list_marks:
            return False
        if self._inner_fence:
            return self._parser_says(line.end(1))
        return True

    def _parser_says(self, end: int) -> bool:
        """An indented fence is inside a list item, or not: only the parser can tell.

        It is asked less often the longer the block is, or a long block would take for ever.
        """
        size = end - self.starts[-1]
        if size < self._asked_next:
            return False
        self._asked_next = size + size // 8
        return markdown.begins_element(self._text[self.starts[-1] : end])

    def _note(self, line: str, words: str, start: int) -> None:
        mark = _LIST_MARK.match(line)
        if mark:
            self._list_marks.add(mark[1] or mark[2])
        if "]:" in words:
            self._perhaps_defines = True
        opened = _FENCE.match(words)
        if opened and line[0] in " \t":
            self._inner_fence = True
        elif opened and not self._inner_fence:  # else it may be the end of that one
            self.fence, self.fence_line = opened[1] or opened[2], start


def _closes(fence: str, line: str) -> bool:
    words = line.strip(" \t")
    indent = len(line) - len(line.lstrip(" "))
    return (
        len(words) >= len(fence)
        and not words.strip(fence[0])
        and indent < 4
        and line[indent : indent + 1] == fence[0]
    )


def closed(fence: str, text: str, begin: int) -> bool:
    """Whether one of the lines of ``text`` from ``begin`` on closes ``fence``."""
    return fence in text[begin:] and any(
        _closes(fence, line[1]) for line in _LINE.finditer(text, begin)
    )


def starts(text: str) -> list[int]:
    """The offsets at which the blocks of ``text`` begin; always at least 0."""
    scan = Scan(text)
    return [0] if scan.defines else scan.starts


def block(position: int, offset: int, html: str) -> Markup:
    """One block of message ``position`` around finished ``html``."""
    return Markup(f'<div class="block" id="b{position}-{offset}">{html}</div>')  # noqa: S704 - see html


def row(position: int, text: str, offsets: Iterable[int]) -> Markup:
    """The blocks of ``text``, which begin at ``offsets``, 0 the first of them."""
    begins = list(offsets)
    ends = [*begins[1:], len(text)]
    outline = Outline()
    return Markup("").join(
        block(position, begin, markdown.to_html(text[begin:end], outline))
        for begin, end in zip(begins, ends, strict=True)
    )


def body(position: int, text: str) -> Markup:
    """The whole row of blocks of a message that has ended, question or answer."""
    return row(position, text, starts(text))
