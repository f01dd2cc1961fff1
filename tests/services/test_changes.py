"""What changed is remembered for a while, for its owner's pages."""

from uuid import uuid4

from sqlalchemy import update

from chatweb.database import writing
from chatweb.models import Change
from chatweb.services import changes
from chatweb.services.owners import Owner
from tests import factories


def noted(owner: Owner, *, ago: float = 0) -> None:
    with writing() as connection:
        changes.note(connection, owner.id, uuid4())
        connection.execute(
            update(Change).where(Change.owner_id == owner.id).values(made_at=Change.made_at - ago)
        )  # fmt: skip
        connection.commit()


def test_changes_come_in_their_order_and_with_their_age(owner: Owner, stranger: Owner) -> None:
    assert changes.newest() == 0
    noted(owner, ago=5)
    noted(stranger)

    first, second = changes.since(0)

    assert (first.owner_id, second.owner_id) == (owner.id, stranger.id)
    assert 5 <= first.age < 60
    assert changes.newest() == second.id
    assert [row.id for row in changes.since(first.id)] == [second.id]


def test_old_ones_are_forgotten(owner: Owner, stranger: Owner) -> None:
    noted(owner, ago=2 * changes.KEPT_FOR)
    noted(stranger)

    assert changes.lately(owner.id) == []
    changes.forget()

    assert [row.owner_id for row in factories.rows(Change)] == [stranger.id]


def test_the_newest_is_not_forgotten_so_that_numbers_go_on(owner: Owner) -> None:
    noted(owner)
    noted(owner, ago=2 * changes.KEPT_FOR)
    newest = changes.newest()

    changes.forget()
    noted(owner)

    assert [row.id for row in factories.rows(Change)] == [newest, newest + 1]
    assert changes.lately(owner.id) != []


def test_the_newest_comes_whatever_is_asked_for(owner: Owner) -> None:
    noted(owner)
    newest = changes.newest()

    assert [row.id for row in changes.since(newest + 1000)] == [newest]


def test_what_was_rolled_back_never_was(owner: Owner) -> None:
    with writing() as connection:
        changes.note(connection, owner.id, uuid4())

    assert changes.since(0) == []
