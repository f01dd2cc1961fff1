"""From what a page shows to what it should show: the smallest change, as htmx partials."""

import re

_TAG = re.compile(r"<(/?)([a-z0-9]+)[^>]*>")
_VOID = frozenset({"br", "hr"})


def partial(target: str, swap: str, html: str) -> str:
    """One change: ``html`` goes to the element ``target`` in the manner of ``swap``."""
    return f'<hx-partial hx-target="{target}" hx-swap="{swap}">{html}</hx-partial>'


def within(target: str, shown: str, wanted: str) -> str:
    """What makes the inside of ``target`` from ``shown`` into ``wanted``; empty if it is."""
    if shown == wanted:
        return ""
    added = _appended(target, shown, wanted)
    whole = partial(target, "innerMorph", wanted)
    return whole if added is None or len(added) > len(whole) else added


def split_closing(html: str) -> tuple[str, str]:
    """``html`` and the closing tags at its end."""
    end = len(html)
    while html.endswith(">", 0, end):
        tag = html.rfind("<", 0, end)
        if html[tag + 1] != "/":
            break
        end = tag
    return html[:end], html[end:]


def _appended(target: str, shown: str, wanted: str) -> str | None:
    """Only what is new inside the last elements; None when something else changed too."""
    stable, closing = split_closing(shown)
    if not wanted.startswith(stable):
        return None
    depth = closing.count("</")  # of the element in which new things are added
    inside = 0  # of elements that are new themselves
    parts: list[str] = []
    begin = len(stable)
    for tag in _TAG.finditer(wanted, begin):
        if tag[2] in _VOID:
            continue
        if not tag[1]:
            inside += 1
        elif inside:
            inside -= 1
        else:
            _add(parts, target, depth, wanted[begin : tag.start()])
            depth -= 1
            begin = tag.end()
    _add(parts, target, depth, wanted[begin:])
    return "".join(parts) if depth == 0 else None


def _add(parts: list[str], target: str, depth: int, html: str) -> None:
    if html:
        parts.append(partial(target + ">:last-child" * depth, "beforeend", html))
