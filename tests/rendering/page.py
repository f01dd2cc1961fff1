"""A reader's page without a browser: what htmx does with ``<hx-partial>`` elements, in brief."""

import re

from bs4 import BeautifulSoup, Tag

_PARTIAL = re.compile(
    r'<hx-partial hx-target="#([\w-]+)((?:>:last-child)*)" hx-swap="(\w+)">(.*?)</hx-partial>',
    re.DOTALL,
)


def parsed(html: str) -> Tag:
    """An element that holds the elements of ``html``, with all their white space."""
    tree = BeautifulSoup(f"<pre>{html}</pre>", "html.parser").pre
    assert tree is not None
    return tree


def plain(tree: Tag) -> str:
    """``tree`` as text that is equal when the trees are."""
    tree.smooth()
    return tree.decode_contents()


class Page:
    """A page with the body of one message, as htmx changes it."""

    def __init__(self, position: int, body: str = "") -> None:
        self._tree = parsed(f'<div class="body" id="body-{position}">{body}</div>')
        self._body = self._tree.find(id=f"body-{position}")
        self.received = 0

    def apply(self, markup: str | None) -> None:
        """One message of the event stream."""
        if markup is None:
            return
        self.received += len(markup)
        assert not _PARTIAL.sub("", markup), f"not only partials: {markup}"
        # htmx finds all targets before it changes the first of them.
        for target, swap, html in [
            (self._target(found[1], found[2].count(">")), found[3], found[4])
            for found in _PARTIAL.finditer(markup)
        ]:
            self._swap(target, swap, parsed(html))

    def _target(self, name: str, depth: int) -> Tag:
        target = self._tree.find(id=name)
        assert isinstance(target, Tag), f"nothing is called {name}"
        for _ in range(depth):
            children = target.find_all(True, recursive=False)
            assert children, f"{name} is not so deep"
            target = children[-1]
        return target

    @staticmethod
    def _swap(target: Tag, swap: str, tree: Tag) -> None:
        if swap in ("innerHTML", "innerMorph"):
            target.clear()
        if swap == "outerHTML":
            target.replace_with(*list(tree.contents))
        else:
            target.extend(list(tree.contents))

    @property
    def body(self) -> str:
        """The inside of the message's body."""
        assert isinstance(self._body, Tag)
        return plain(self._body)
