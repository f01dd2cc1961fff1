"""Places to wait: so many in a process, and of them so many for one owner."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask

from chatweb import replies
from chatweb.replies.waiting_room import WaitingRoom
from chatweb.services.errors import TooMany
from chatweb.services.owners import Owner

Waiting = Callable[[Callable[[], Any]], int]


@pytest.fixture
def taken() -> Iterator[Waiting]:
    """Takes as many places as there are and says how many; they are held until the end."""
    with ExitStack() as held:

        def take(place: Callable[[], Any]) -> int:
            for count in range(1000):
                try:
                    held.enter_context(place())
                except TooMany:
                    return count
            raise AssertionError("there is no end of places")

        yield take


def test_nobody_takes_more_than_a_share_and_all_no_more_than_there_are(taken: Waiting) -> None:
    room = WaitingRoom(5, 2)
    somebody, another, third = uuid4(), uuid4(), uuid4()

    assert [taken(lambda who=who: room.place(who)) for who in (somebody, another, third)] == [
        2, 2, 1,
    ]  # fmt: skip


def test_a_place_is_given_back_whatever_happened() -> None:
    room, somebody = WaitingRoom(1, 1), uuid4()
    for _ in range(3):
        with pytest.raises(KeyError), room.place(somebody):
            raise KeyError

    assert not room._taken


@pytest.mark.parametrize(
    ("threads", "at_once", "most", "share"),
    [("64", "3", 16, 3), ("64", "100", 16, 8), ("64", "0", 16, 16), ("8", "3", 2, 1),
     ("2", "3", 1, 1)],
)  # fmt: skip
def test_a_quarter_of_the_threads_may_wait_and_one_owner_not_in_all_of_them(
    make_app: Callable[..., Flask], taken: Waiting, owner: Owner, stranger: Owner,
    threads: str, at_once: str, most: int, share: int,
) -> None:  # fmt: skip
    app = make_app(THREADS=threads, LIMIT_ANSWERS_AT_ONCE=at_once)
    with app.app_context():
        assert taken(lambda: replies.place_to_wait(owner)) == share
        assert taken(lambda: replies.place_to_wait(stranger)) == min(share, most - share)
