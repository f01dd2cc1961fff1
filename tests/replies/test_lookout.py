"""The lookout tells each owner's pages what changed, once, whatever the order of the commits."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, insert, update

from chatweb.database import writing
from chatweb.database.types import now_seconds
from chatweb.models import Change
from chatweb.replies import lookout as lookouts
from chatweb.replies.lookout import Lookout
from chatweb.services import changes
from chatweb.services.errors import Unavailable
from tests.replies.statements import Statements
from tests.replies.writing import Clock

ME, SOMEBODY = uuid4(), uuid4()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch, context: None) -> Clock:
    clock = Clock()
    monkeypatch.setattr(lookouts, "time", clock)
    return clock


class Page:
    def __init__(self, lookout: Lookout, owner_id: UUID = ME) -> None:
        self.heard: list[set[UUID]] = []
        lookout.watch(owner_id, self.heard.append)


def change(number: int, owner_id: UUID = ME, ago: float = 0) -> UUID:
    conversation_id = uuid4()
    with writing() as connection:
        connection.execute(
            insert(Change).values(
                id=number, owner_id=owner_id, conversation_id=conversation_id,
                made_at=now_seconds() - ago,
            )
        )  # fmt: skip
        connection.commit()
    return conversation_id


def look(lookout: Lookout, clock: Clock) -> None:
    clock.now += 1.01 * lookouts.PACE
    lookout.look()


def test_what_changes_is_told_once(clock: Clock) -> None:
    lookout = Lookout(lambda: None)
    page, other = Page(lookout), Page(lookout, SOMEBODY)
    look(lookout, clock)
    first, second = change(1), change(2)
    look(lookout, clock)
    look(lookout, clock)

    assert page.heard == [{first, second}]
    assert other.heard == []


def test_a_commit_that_comes_late_is_told_too(clock: Clock) -> None:
    lookout = Lookout(lambda: None)
    page = Page(lookout)
    look(lookout, clock)
    later = change(9)
    look(lookout, clock)
    earlier = change(5)
    look(lookout, clock)

    assert page.heard == [{later}, {earlier}]


def test_what_is_older_than_the_page_is_not_told_and_what_is_as_young_is(clock: Clock) -> None:
    change(1, ago=60)
    young = change(2)
    lookout = Lookout(lambda: None)
    page = Page(lookout)

    look(lookout, clock)

    assert page.heard == [{young}]


def test_the_horizon_moves_and_nothing_is_told_twice(clock: Clock) -> None:
    lookout = Lookout(lambda: None)
    page = Page(lookout)
    look(lookout, clock)
    told = []
    for number in range(1, 80):
        told.append({change(number)})
        look(lookout, clock)

    assert page.heard == told
    assert len(lookout._known) < 60


def test_after_an_outage_it_goes_on_from_where_it_was(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    lookout = Lookout(lambda: None)
    page = Page(lookout)
    look(lookout, clock)
    with monkeypatch.context() as away:
        away.setattr(lookouts.changes, "since", lambda number: _away())
        for _ in range(60):
            with pytest.raises(Unavailable):
                look(lookout, clock)
    missed = change(1, ago=2 * lookouts.LATE)
    look(lookout, clock)

    assert page.heard == [{missed}]


def test_after_quiet_minutes_what_changes_is_told(clock: Clock) -> None:
    lookout = Lookout(lambda: None)
    page = Page(lookout)
    look(lookout, clock)
    for _ in range(5):
        noted()
    look(lookout, clock)
    be_quiet(lookout, clock)
    changes.forget()
    be_quiet(lookout, clock)
    page.heard.clear()

    late = noted()
    look(lookout, clock)
    look(lookout, clock)

    assert page.heard == [{late}]


@pytest.mark.parametrize("left", [0, 3], ids=["nothing", "an older state"])
def test_where_numbers_begin_again_so_does_it(clock: Clock, left: int) -> None:
    """As in a database that was restored."""
    lookout = Lookout(lambda: None)
    page = Page(lookout)
    look(lookout, clock)
    for number in range(1, 10):
        change(number, ago=2 * lookouts.LATE)
    look(lookout, clock)
    be_quiet(lookout, clock)
    with writing() as connection:
        connection.execute(delete(Change).where(Change.id > left))
        connection.commit()
    look(lookout, clock)
    page.heard.clear()

    late = change(left + 1)
    look(lookout, clock)
    look(lookout, clock)

    assert page.heard == [{late}]


def test_a_look_is_one_query(clock: Clock, statements: Statements) -> None:
    lookout = Lookout(lambda: None)
    Page(lookout)
    change(1)
    look(lookout, clock)
    be_quiet(lookout, clock)
    statements.forget()

    look(lookout, clock)

    assert len(statements.with_words("change")) == 1


def noted() -> UUID:
    """A change as services note it."""
    conversation_id = uuid4()
    with writing() as connection:
        changes.note(connection, ME, conversation_id)
        connection.commit()
    return conversation_id


def be_quiet(lookout: Lookout, clock: Clock) -> None:
    """So long that every change there is could be forgotten."""
    with writing() as connection:
        connection.execute(update(Change).values(made_at=Change.made_at - 2 * changes.KEPT_FOR))
        connection.commit()
    for _ in range(60):
        look(lookout, clock)


def _away() -> None:
    raise Unavailable("away")


def test_nobody_is_no_load(clock: Clock, statements: Statements) -> None:
    lookout = Lookout(lambda: None)
    Page(lookout)
    lookout.leave(ME)

    look(lookout, clock)

    assert not lookout.is_needed
    assert statements.with_words("change") == []
