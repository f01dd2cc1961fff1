"""One connection for all reads of a request: fetching one costs as much as a small read.

It is fetched with the first read and given back when the page is being put together, or before
anything is written: a request never holds two, or requests could wait for each other until the
pool's patience ends.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from contextvars import ContextVar

from flask import Flask, before_render_template
from sqlalchemy import Connection

_held: ContextVar[Held | None] = ContextVar("held", default=None)


class Held:
    """The connection that reads for one request."""

    def __init__(self) -> None:
        self._connection: Connection | None = None
        self._stack = ExitStack()

    def get(self, fetch: Callable[[], AbstractContextManager[Connection]]) -> Connection:
        if self._connection is None:
            self._connection = self._stack.enter_context(fetch())
        return self._connection

    def let_go(self) -> None:
        self._connection = None
        self._stack.close()


def held() -> Held | None:
    """Where this request keeps its connection; None outside of requests."""
    return _held.get()


def _begin() -> None:
    _held.set(Held())


def _render(_app: Flask, **_: object) -> None:
    if here := _held.get():
        here.let_go()


def _end(_error: BaseException | None) -> None:
    if here := _held.get():
        _held.set(None)
        here.let_go()


def init_app(app: Flask) -> None:
    app.before_request(_begin)
    app.teardown_request(_end)
    before_render_template.connect(_render, app)
