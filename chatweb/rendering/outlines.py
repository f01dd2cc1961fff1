"""Which level a heading has: never one that leaves another out.

The page's title is h1, and each message has an h2 that says whose it is. Below that, texts open
with ``#``, ``##`` or ``###`` as their writers are used to, and leave levels out. Who listens to a
page moves by its headings, and takes a level left out for a part that was missed. So marks only
say what belongs below what: the outermost headings of a text are h3, those below one of them are
h4, and so on. A heading depends on those before it in its message, so a growing text and a
finished one agree.
"""


class Outline:
    """The headings that the next one may belong below."""

    def __init__(self, *marks: int) -> None:
        self._marks = list(marks)

    def copy(self) -> "Outline":
        return Outline(*self._marks)

    def enter(self, marks: int) -> None:
        """A heading with so many marks (1 to 6) begins."""
        self._marks = [*(above for above in self._marks if above < marks), marks]

    @property
    def tag(self) -> str:
        """The element of the heading entered last; the deepest that HTML has is h6."""
        return f"h{min(len(self._marks) + 2, 6)}"
