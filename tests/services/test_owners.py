"""Who is asking: a look leaves nothing, the first write makes a guest, once."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from chatweb.database import writing
from chatweb.models import Login, User
from chatweb.services import owners
from tests import factories


def ensure(owner: owners.Owner) -> None:
    with writing() as connection:
        owners.ensure(connection, owner)
        connection.commit()


def test_tokens_are_long_and_never_the_same() -> None:
    tokens = {owners.new_token() for _ in range(100)}

    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}


def test_a_token_always_stands_for_the_same_guest() -> None:
    token = owners.new_token()

    assert owners.guest(token) == owners.guest(token) == owners.recognise(token)
    assert owners.guest(token) != owners.guest(owners.new_token())


def test_a_look_leaves_nothing() -> None:
    owners.recognise(owners.new_token())

    assert factories.rows(User) == factories.rows(Login) == []


def test_the_first_write_gives_a_guest_its_rows() -> None:
    token = owners.new_token()
    owner = owners.guest(token)

    ensure(owner)
    ensure(owner)

    (user,), (login,) = factories.rows(User), factories.rows(Login)
    assert (user.id, user.email, user.role) == (owner.id, None, "learner")
    assert (login.user_id, login.token_hash, login.revoked_at) == (owner.id, owner.token_hash, None)
    assert owners.recognise(token) == owner


def test_the_token_itself_is_kept_nowhere() -> None:
    token = owners.new_token()
    ensure(owners.guest(token))

    kept = repr([tuple(row) for table in (User, Login) for row in factories.rows(table)])
    assert token not in kept
    assert token.encode().hex() not in kept


def test_twenty_first_writes_at_once_are_one_guest(owner: owners.Owner, at_once) -> None:
    assert at_once([lambda: ensure(owner)] * 20) == [None] * 20

    assert len(factories.rows(User)) == len(factories.rows(Login)) == 1


def test_a_login_that_was_moved_to_an_account_is_that_accounts() -> None:
    token = owners.new_token()
    guest, account = owners.guest(token), factories.guest()
    ensure(guest)
    with writing() as connection:
        connection.execute(
            update(Login).where(Login.token_hash == guest.token_hash).values(user_id=account.id)
        )
        connection.commit()

    assert owners.recognise(token) == owners.Owner(account.id, guest.token_hash)


def test_a_revoked_login_is_nobody() -> None:
    token = owners.new_token()
    ensure(owners.guest(token))
    with writing() as connection:
        connection.execute(update(Login).values(revoked_at=datetime.now(UTC)))
        connection.commit()

    assert owners.recognise(token) is None


@pytest.mark.parametrize("email", ["ada@example.org", "ADA@Example.ORG"])
def test_an_email_is_one_accounts_without_regard_to_case(email: str) -> None:
    ada, bob = factories.guest(), factories.guest()
    with writing() as connection:
        connection.execute(update(User).where(User.id == ada.id).values(email="Ada@example.org"))
        connection.commit()

    with pytest.raises(IntegrityError), writing() as connection:
        connection.execute(update(User).where(User.id == bob.id).values(email=email))


def test_every_role_has_a_name_that_is_known() -> None:
    with pytest.raises(IntegrityError), writing() as connection:
        connection.execute(
            insert(User),
            {"id": owners.guest("x").id, "role": "root", "created_at": datetime.now(UTC)},
        )
