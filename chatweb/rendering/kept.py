"""HTML that was shown lately, so that showing it again costs nothing."""

from __future__ import annotations

import sys
import threading
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from typing import Generic, TypeVar

from markupsafe import Markup

Key = TypeVar("Key", bound=Hashable)

AROUND = 300
"""Bytes that remembering anything costs beside it."""


class Kept(Generic[Key]):
    """The most recently used texts, up to a number of bytes. Safe between threads."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._size = 0
        self._kept: OrderedDict[Key, Markup] = OrderedDict()
        self._lock = threading.Lock()

    def among(self, keys: Iterable[Key]) -> dict[Key, Markup]:
        """Those of ``keys`` that are remembered."""
        found = {}
        with self._lock:
            for key in keys:
                if html := self._kept.get(key):
                    self._kept.move_to_end(key)
                    found[key] = html
        return found

    def keep(self, key: Key, html: Markup) -> None:
        """Remember ``html``, unless it alone would take an eighth of the room."""
        size = _size(html)
        if size > self._limit // 8:
            return
        with self._lock:
            if key not in self._kept:
                self._kept[key] = html
                self._size += size
            while self._size > self._limit:
                self._size -= _size(self._kept.popitem(last=False)[1])


def _size(html: Markup) -> int:
    return sys.getsizeof(html) + AROUND
