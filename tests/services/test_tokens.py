"""Tokens: told once, kept hashed, good until they end or are revoked, and of their owner only."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from flask import Flask
from sqlalchemy import insert, inspect, text, update
from sqlalchemy.exc import IntegrityError

from chatweb.database import db, reading, writing
from chatweb.models import Token, User
from chatweb.services import owners, tokens
from chatweb.services.errors import Conflict, Invalid, NotFound, StaleForm, TooMany, Unavailable
from chatweb.services.limits import Allowance
from chatweb.services.owners import Owner
from tests import factories, postgres
from tests.database.test_sqlite import as_nobody

AtOnce = Callable[[Sequence[Callable[[], Any]]], list[Any]]

ALREADY = "has made the token “Backup” already"


def made(owner: Owner, name: str = "Backup", scope: str = "read", days: int | None = 30) -> str:
    return tokens.make(owner, name, scope, days)


def row() -> Any:
    """The only token there is."""
    (row,) = factories.rows(Token)
    return row


def everything() -> str:
    """All that the database holds, as text."""
    with reading() as connection:
        names = inspect(connection).get_table_names()
        rows = [
            tuple(row) for name in names
            for row in connection.execute(text(f'SELECT * FROM "{name}"'))  # noqa: S608 our own names
        ]  # fmt: skip
    return repr(
        [[bytes(each) if isinstance(each, memoryview) else each for each in r] for r in rows]
    )


@contextmanager
def read_only() -> Iterator[None]:
    """Let the database be one that can only be read."""
    name = db.engine.url.database or ""
    ways = {"sqlite": read_only_file, "postgresql": read_only_server}
    with ways[db.engine.dialect.name](name):
        db.engine.dispose()
        yield
    db.engine.dispose()


@contextmanager
def read_only_file(name: str) -> Iterator[None]:
    file = Path(name)
    db.engine.dispose()
    file.parent.chmod(0o777)
    file.chmod(0o444)
    with as_nobody():
        yield
    file.chmod(0o600)


@contextmanager
def read_only_server(name: str) -> Iterator[None]:
    server = postgres.shared()
    server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = on')
    yield
    server.execute(f'ALTER DATABASE "{name}" SET default_transaction_read_only = off')


def test_a_token_is_what_was_asked_for(owner: Owner) -> None:
    before = datetime.now(UTC)

    tokens.make(owner, "  Nightly\n backup ", "write", 90)

    (listed,) = tokens.of(owner)
    assert (listed.name, listed.scope, listed.last_used_at) == ("Nightly backup", "write", None)
    assert before <= listed.created_at <= datetime.now(UTC)
    assert listed.expires_at - listed.created_at == timedelta(days=90)
    assert not listed.has_expired


def test_a_token_may_have_no_end(owner: Owner) -> None:
    secret = made(owner, days=None)

    (listed,) = tokens.of(owner)
    assert listed.expires_at is None
    assert not listed.has_expired
    assert tokens.recognise(secret)


def test_tokens_are_listed_newest_first_to_their_owner(owner: Owner, stranger: Owner) -> None:
    made(owner, "first")
    made(owner, "second")
    made(stranger, "another's")

    assert [each.name for each in tokens.of(owner)] == ["second", "first"]


def test_secrets_are_long_and_never_the_same(owner: Owner) -> None:
    secrets = {made(owner, f"number {n}") for n in range(20)}

    assert len(secrets) == 20
    assert {len(secret) for secret in secrets} == {len("chatweb_") + 43}
    assert all(secret.startswith("chatweb_") for secret in secrets)


def test_a_secret_is_kept_nowhere(owner: Owner) -> None:
    secret = made(owner)
    tokens.recognise(secret)

    kept = everything()
    assert "Backup" in kept
    for part in (secret, secret.removeprefix("chatweb_")):
        assert part not in kept
        assert part.encode().hex() not in kept


class TestASecret:
    def test_stands_for_its_owner(self, owner: Owner) -> None:
        factories.answered(owner)

        holder = tokens.recognise(made(owner))

        assert holder
        assert holder.owner.id == owner.id
        assert holder.owner.is_guest

    def test_stands_for_a_guest_who_had_written_nothing(self, owner: Owner) -> None:
        """The rows come with the token, and the cookie goes on to stand for the same guest."""
        token = owners.new_token()
        holder = tokens.recognise(made(owners.guest(token)))

        found = owners.recognise(token)
        assert holder
        assert found
        assert holder.owner.id == found.id
        assert [user.id for user in factories.rows(User)] == [found.id]

    def test_of_an_account_is_no_guests(self, owner: Owner) -> None:
        secret = made(owner)
        with writing() as connection:
            connection.execute(update(User).values(email="ada@example.org"))
            connection.commit()

        holder = tokens.recognise(secret)

        assert holder
        assert not holder.owner.is_guest

    @pytest.mark.parametrize(("scope", "may_write"), [("read", False), ("write", True)])
    def test_says_whether_anything_may_be_changed(
        self, owner: Owner, scope: str, may_write: bool
    ) -> None:
        holder = tokens.recognise(made(owner, scope=scope))

        assert holder
        assert holder.may_write is may_write

    def test_that_was_never_made_is_nobodys(self, owner: Owner) -> None:
        secret = made(owner)

        for other in ("", "chatweb_", secret[:-1], secret + "x", secret.swapcase(), "é", "\udcff"):
            assert tokens.recognise(other) is None

    def test_is_good_until_it_expires(self, owner: Owner) -> None:
        secret = made(owner)
        factories.set_token("Backup", expires_at=datetime.now(UTC) + timedelta(minutes=1))
        assert tokens.recognise(secret)

        factories.set_token("Backup", expires_at=datetime.now(UTC) - timedelta(seconds=1))

        assert tokens.recognise(secret) is None
        (listed,) = tokens.of(owner)
        assert listed.has_expired

    def test_is_good_until_it_is_revoked(self, owner: Owner) -> None:
        secret, other = made(owner, "Backup"), made(owner, "another")
        backup = tokens.of(owner)[1]

        assert tokens.revoke(owner, backup.id) == "Backup"

        assert tokens.recognise(secret) is None
        assert tokens.recognise(other)
        assert [each.name for each in tokens.of(owner)] == ["another"]


class TestToRevoke:
    def test_is_for_the_owner_only(self, owner: Owner, stranger: Owner) -> None:
        secret = made(owner)
        made(stranger, "another's")
        mine = tokens.of(owner)[0].id

        with pytest.raises(NotFound):
            tokens.revoke(stranger, mine)

        assert tokens.recognise(secret)

    def test_what_is_not_there_is_refused(self, owner: Owner) -> None:
        with pytest.raises(NotFound):
            tokens.revoke(owner, 1)

    def test_is_done_once(self, owner: Owner) -> None:
        made(owner)
        token_id = row().id
        tokens.revoke(owner, token_id)
        at = row().revoked_at

        with pytest.raises(NotFound):
            tokens.revoke(owner, token_id)

        assert row().revoked_at == at


class TestRefused:
    @pytest.fixture(autouse=True)
    def nothing_is_made(self) -> Iterator[None]:
        yield
        assert factories.rows(Token) == factories.rows(User) == []

    @pytest.mark.parametrize("name", ["", " \r\n\t", "\u200b\u3164"], ids=ascii)
    def test_is_a_token_without_a_name(self, owner: Owner, name: str) -> None:
        with pytest.raises(Invalid, match="Give the token a name") as caught:
            made(owner, name)

        assert set(caught.value.fields) == {"name"}

    @pytest.mark.parametrize("scope", ["", "READ", "admin", "read write"])
    def test_is_a_scope_that_there_is_not(self, owner: Owner, scope: str) -> None:
        with pytest.raises(Invalid, match="may read, or read and write") as caught:
            made(owner, scope=scope)

        assert set(caught.value.fields) == {"scope"}

    @pytest.mark.parametrize("days", [0, -1, 3661, 10**11])
    def test_is_a_life_too_short_or_too_long(self, owner: Owner, days: int) -> None:
        with pytest.raises(Invalid, match="1 to 3660 days") as caught:
            made(owner, days=days)

        assert set(caught.value.fields) == {"days"}


@pytest.mark.parametrize("days", [1, 3660])
def test_the_shortest_and_the_longest_life_are_taken(owner: Owner, days: int) -> None:
    assert tokens.recognise(made(owner, days=days))


def test_a_name_is_one_line_of_at_most_120_characters(owner: Owner) -> None:
    made(owner, "\x00 x\ud800\r\n" + "𠀀" * 200)

    assert row().name == "\ufffd x\ufffd " + "𠀀" * 115


class TestTheSameForm:
    def test_makes_one_token_and_says_so(self, owner: Owner) -> None:
        request_id = uuid4()
        secret = tokens.make(owner, "Backup", "read", 30, request_id)

        with pytest.raises(StaleForm, match=ALREADY):
            tokens.make(owner, "Another name", "write", None, request_id)

        assert row().scope == "read"
        assert tokens.recognise(secret)

    def test_makes_no_other_after_that_one_was_revoked(self, owner: Owner) -> None:
        request_id = uuid4()
        tokens.make(owner, "Backup", "read", 30, request_id)
        tokens.revoke(owner, row().id)

        with pytest.raises(StaleForm, match=ALREADY):
            tokens.make(owner, "Backup", "read", 30, request_id)

    def test_of_somebody_else_is_another(self, owner: Owner, stranger: Owner) -> None:
        request_id = uuid4()

        tokens.make(owner, "Backup", "read", 30, request_id)
        tokens.make(stranger, "Backup", "read", 30, request_id)

        assert len(factories.rows(Token)) == 2

    def test_sent_often_at_once_makes_one(self, owner: Owner, at_once: AtOnce) -> None:
        request_id = uuid4()

        told = at_once([lambda: tokens.make(owner, "Backup", "read", 30, request_id)] * 8)

        assert len(factories.rows(Token)) == 1
        assert sorted(type(each).__name__ for each in told) == ["StaleForm"] * 7 + ["str"]

    def test_makes_one_by_a_rule_of_the_database(self, owner: Owner) -> None:
        tokens.make(owner, "Backup", "read", 30)
        again = {**row()._mapping, "secret_hash": b"another"}
        del again["id"]

        with pytest.raises(IntegrityError), writing() as connection:
            connection.execute(insert(Token), again)


class TestTooMany:
    @pytest.fixture(autouse=True)
    def fifty(self, owner: Owner) -> None:
        made(owner)
        like = {**row()._mapping}
        del like["id"]
        others = [
            like | {"secret_hash": bytes([n]), "request_id": uuid4()} for n in range(2, 51)
        ]  # fmt: skip
        with writing() as connection:
            connection.execute(insert(Token), others)
            connection.commit()

    def test_are_more_than_fifty(self, owner: Owner) -> None:
        assert len(tokens.of(owner)) == 50

        with pytest.raises(Conflict, match="50 tokens already"):
            made(owner, "one more")

        assert len(tokens.of(owner)) == 50

    def test_are_no_more_once_one_is_revoked(self, owner: Owner) -> None:
        tokens.revoke(owner, tokens.of(owner)[0].id)

        assert tokens.recognise(made(owner, "one more"))
        with pytest.raises(Conflict):
            made(owner, "and one")

    def test_are_not_made_by_asking_at_once(self, owner: Owner, at_once: AtOnce) -> None:
        tokens.revoke(owner, tokens.of(owner)[0].id)

        told = at_once([lambda: made(owner, "one more")] * 6)

        assert len(tokens.of(owner)) == 50
        assert sorted(type(each).__name__ for each in told) == ["Conflict"] * 5 + ["str"]

    def test_are_anothers_to_count_for_themselves(self, stranger: Owner) -> None:
        assert tokens.recognise(made(stranger))


class TestTheLastUse:
    def test_is_told(self, owner: Owner) -> None:
        before = datetime.now(UTC)

        tokens.recognise(made(owner))

        (listed,) = tokens.of(owner)
        assert before <= listed.last_used_at <= datetime.now(UTC)

    def test_is_noted_at_most_once_a_minute(self, owner: Owner) -> None:
        secret = made(owner)
        lately = datetime.now(UTC) - timedelta(seconds=50)
        factories.set_token("Backup", last_used_at=lately)

        tokens.recognise(secret)

        assert row().last_used_at == lately

    def test_is_noted_anew_after_that_minute(self, owner: Owner) -> None:
        secret = made(owner)
        before = datetime.now(UTC)
        factories.set_token("Backup", last_used_at=before - timedelta(seconds=61))

        tokens.recognise(secret)

        assert row().last_used_at >= before

    def test_is_not_noted_for_a_secret_that_is_refused(self, owner: Owner) -> None:
        secret = made(owner)
        factories.set_token("Backup", expires_at=datetime.now(UTC) - timedelta(seconds=1))

        tokens.recognise(secret)

        assert row().last_used_at is None

    def test_stays_unsaid_while_nothing_can_be_written(self, owner: Owner) -> None:
        secret = made(owner)

        with read_only():
            with pytest.raises(Unavailable) as caught:
                made(owner, "another")
            holder = tokens.recognise(secret)

        assert caught.value.kind == "read_only"
        assert holder
        assert holder.owner.id == owner.id
        assert row().last_used_at is None

    def test_is_nothing_to_wait_for(self, app: Flask, owner: Owner) -> None:
        """While somebody else writes it stays unsaid, and the request goes on."""
        secret, holds, goes_on = made(owner), threading.Event(), threading.Event()

        def hold() -> None:
            with app.app_context(), writing() as connection:
                connection.execute(update(Token).values(name="held"))
                holds.set()
                goes_on.wait(10)

        with ThreadPoolExecutor(1) as pool:
            held = pool.submit(hold)
            assert holds.wait(10)
            started = time.monotonic()
            holder = tokens.recognise(secret)
            waited = time.monotonic() - started
            goes_on.set()
            held.result()

        assert holder
        assert waited < 1
        assert row().last_used_at is None
        assert tokens.recognise(secret)
        assert row().last_used_at


def test_new_guests_are_counted_by_their_address() -> None:
    allowance = Allowance(0, 2, 0, b"an address")
    for _ in range(2):
        tokens.make(owners.guest(owners.new_token()), "Backup", "read", 30, None, allowance)

    with pytest.raises(TooMany):
        tokens.make(owners.guest(owners.new_token()), "Backup", "read", 30, None, allowance)
