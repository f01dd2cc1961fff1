"""The state of one reader who follows an answer that is being written."""

import re
from html import escape
from itertools import pairwise

from markupsafe import Markup

from chatweb.rendering import blocks, changes, unfinished
from chatweb.rendering.markdown import PLAIN, to_html
from chatweb.rendering.outlines import Outline

LARGE = 1_000
"""Characters; a larger open block is rendered anew only when a 32nd of the surplus is new."""

HUGE = 8_000
"""Characters; of what is beyond that, an 8th must be new."""

_LETTER = re.compile(r"[^\W\d_]")
_AROUND_WORDS = re.compile(r"(?:</(?:strong|code)>)?(?:</(?:p|li|ul|ol|blockquote|h[3-6])>)+")
_NOT_VERBATIM = re.compile("[\\0\\r\ud800-\udfff]")


class Growing:
    """What one reader's page shows of an answer that is being written."""

    def __init__(self, position: int) -> None:
        self._position = position
        self._begun = False
        self._text = ""  # all of the answer that this reader was told of
        self._offset = 0  # where the open block begins
        self._outline = Outline()  # the headings before it
        self._below = Outline()  # and with those in it
        self._end = 0  # what lies between is shown, what lies behind waits
        self._rendered = 0  # how much of the text there was when the open block was rendered
        self._html = ""  # the inside of the open block
        self._fence = ""  # the code fence that the shown part ends in
        self._words_may_follow = False
        self._words_may_end = False  # no mark is closed that the text has not closed itself

    @property
    def offset(self) -> int:
        """Where the open block begins: the event's id."""
        return self._offset

    def update(self, text: str) -> str | None:
        """Markup that brings the page from what it shows to ``text``, the whole text so far.

        None when there is nothing to show. A half-made end waits for the next call.
        """
        if text == self._text:
            return None
        if not self._begun or not text.startswith(self._text):
            return self._replace(text, finished=False)
        self._text = text
        change = self._words(text) if self._words_may_follow else None
        if change is None and self._fence:
            change = self._code(text)
        if change is None:
            change = self._advance(text, finished=False)
        return change or None

    def finish(self, text: str) -> str | None:
        """The last change: afterwards the page shows ``blocks.body(position, text)``.

        ``text`` may be shorter than, or different from, what was shown before.
        """
        if not self._begun or not text.startswith(self._text):
            return self._replace(text, finished=True)
        self._text = text
        return self._advance(text, finished=True) or None

    def catch_up(self, shown: int | None) -> str | None:
        """What brings a page whose open block begins at ``shown`` (None: it has nothing) to what
        this reader's page shows; afterwards both get the same changes."""
        if not self._begun:
            return None
        # As it was when the open block was rendered: what waits since then may cut otherwise.
        begins = blocks.starts(self._text[: self._rendered])
        starts = [*(at for at in begins if at < self._offset), self._offset]
        outline = Outline()
        row = [
            blocks.block(self._position, begin, to_html(self._text[begin:end], outline))
            for begin, end in pairwise(starts)
        ]
        row.append(blocks.block(self._position, self._offset, self._html))
        if shown is None or shown not in starts:
            return changes.partial(f"#body-{self._position}", "innerHTML", "".join(row))
        return changes.partial(
            self._target(shown), "outerHTML", "".join(row[starts.index(shown) :])
        )

    def _replace(self, text: str, *, finished: bool) -> str:
        """The whole body, made anew."""
        self._begun = True
        self._text = text
        self._outline = Outline()
        row = self._row(text, blocks.starts(text), finished)
        return changes.partial(f"#body-{self._position}", "innerHTML", row)

    def _row(self, text: str, starts: list[int], finished: bool) -> str:
        """The blocks that begin at ``starts``; the last one is the open one from now on."""
        closed = [
            blocks.block(self._position, begin, to_html(text[begin:end], self._outline))
            for begin, end in pairwise(starts)
        ]
        self._offset = starts[-1]
        self._html = self._open_html(text, finished)
        return "".join([*closed, blocks.block(self._position, self._offset, self._html)])

    def _open_html(self, text: str, finished: bool) -> str:
        """The open block as it is to be shown; notes what may follow without rendering."""
        block = text[self._offset :]
        self._rendered = len(text)
        self._fence, self._words_may_follow = "", False
        self._below = self._outline.copy()
        if finished:
            self._end = len(text)
            return to_html(block, self._below)
        scan = blocks.Scan(block)
        if scan.fence:
            kept, closing = unfinished.code(block, scan.fence, scan.fence_line), ""
        else:
            kept, closing = unfinished.words(block, "```" in block or "~~~" in block)
        self._end = self._offset + len(kept)
        html = str(to_html(kept + closing, self._below, growing=True))
        if scan.fence and len(kept) > scan.fence_line and html.endswith("</code></pre></div>"):
            self._fence = scan.fence
        elif not scan.fence and not scan.defines:
            self._words_may_follow = _ends_in_words(kept, html)
            self._words_may_end = not closing
        return html

    def _words(self, text: str) -> str | None:
        """Plain words behind plain words need no rendering; None: it is not only that."""
        words = text[self._end :].rstrip(" \n" if self._words_may_end else " ")
        return self._append(words, words) if PLAIN.fullmatch(words) else None

    def _code(self, text: str) -> str | None:
        """More lines of code inside the open fence; None: it may have been closed."""
        line = unfinished.last_line(text, self._end)
        if _NOT_VERBATIM.search(text, line) or blocks.closed(self._fence, text, line):
            return None
        code = unfinished.code(text[line:], self._fence, -1)[self._end - line :]
        return self._append(code, escape(code, quote=False))

    def _append(self, added: str, html: str) -> str:
        if not added:
            return ""
        self._end += len(added)
        stable, closing = changes.split_closing(self._html)
        self._html = f"{stable}{html}{closing}"
        inside = ">:last-child" * closing.count("</")
        return changes.partial(self._target(self._offset) + inside, "beforeend", html)

    def _advance(self, text: str, *, finished: bool) -> str:
        """The open block goes on, or ends and others follow."""
        if not finished and self._too_soon(text):
            return ""
        scan = blocks.Scan(text, self._offset)
        if scan.defines and self._offset:
            return self._replace(text, finished=finished)
        starts = [self._offset] if scan.defines else scan.starts
        if len(starts) > 1:
            change = self._close(text, starts[1])
            row = self._row(text, starts[1:], finished)
            return change + changes.partial(f"#body-{self._position}", "beforeend", row)
        if finished:
            return self._close(text, len(text))
        shown, self._html = self._html, self._open_html(text, finished)
        return changes.within(self._target(self._offset), shown, self._html)

    def _close(self, text: str, end: int) -> str:
        """The open block ends at ``end``; plain words at its end need no rendering either."""
        if self._words_may_follow and self._words_may_end:
            change = self._words(text[:end])
            if change is not None:
                self._outline = self._below
                return change
        shown, self._html = self._html, to_html(text[self._offset : end], self._outline)
        return changes.within(self._target(self._offset), shown, self._html)

    def _too_soon(self, text: str) -> bool:
        """Whether a large open block has not grown enough to be rendered anew.

        Without this, long blocks would cost the square of their length.
        """
        size, new = len(text) - self._offset, len(text) - max(self._rendered, self._end)
        return new < (size - LARGE) // 32 or new < (size - HUGE) // 8

    def _target(self, offset: int) -> str:
        return f"#b{self._position}-{offset}"


def _ends_in_words(kept: str, html: str) -> bool:
    """Whether plain words behind ``kept`` would only be added at the end of ``html``."""
    stable, closing = changes.split_closing(html)
    line = kept[unfinished.last_line(kept) :]
    return bool(
        _LETTER.search(line)
        and PLAIN.fullmatch(line[-1])
        and "://" not in line[line.rfind(" ") + 1 :]
        and _AROUND_WORDS.fullmatch(closing)
        and stable.endswith(line[-1])
    )


def snapshot(position: int, text: str) -> tuple[Markup, int]:
    """The body of an unfinished answer as a page shows it, and the offset to connect with."""
    state = Growing(position)
    row = state._row(text, blocks.starts(text), finished=False)
    return Markup(row), state.offset  # noqa: S704 - blocks are made of cleaned HTML
