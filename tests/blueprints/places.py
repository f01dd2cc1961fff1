"""Places to wait for answers, all of them taken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from flask import Flask

from chatweb import replies
from chatweb.services import owners
from chatweb.services.errors import TooMany


@contextmanager
def no_place_to_wait(app: Flask) -> Iterator[None]:
    """As many programs wait as may."""
    somebody = owners.guest(owners.new_token())
    with app.app_context(), ExitStack() as waiting:
        while True:
            somebody = owners.guest(owners.new_token())
            try:
                waiting.enter_context(replies.place_to_wait(somebody))
            except TooMany:
                break
        yield
