"""Tokens: what programs show to act for their owner.

A secret is told once, when it is made; what is kept is its hash, so nobody can read it again. It is
256 random bits, so a fast hash is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import Connection, bindparam, func, insert, or_, select, update

from chatweb.database import reading, writing
from chatweb.database.types import AnyRow
from chatweb.models import Token, User
from chatweb.services import limits, owners, texts
from chatweb.services.errors import Conflict, Invalid, NotFound, StaleForm, Unavailable
from chatweb.services.limits import UNLIMITED, Allowance
from chatweb.services.owners import Owner

PREFIX = "chatweb_"
"""How a secret begins: whoever finds one in a file or a log knows what it is."""

SCOPES = ("read", "write")
LONGEST_LIFE = 3660
"""Days."""
MOST = 50
"""Tokens of one owner that are not revoked."""

USE_NOTED_EVERY = timedelta(minutes=1)
PATIENCE = 0.1
"""Seconds: nobody waits longer than that for a note of when a token was used."""

SHOWN = (
    select(
        Token.id, Token.scope, Token.user_id, Token.last_used_at,
        User.email.is_(None).label("is_guest"),
    )
    .join(User, User.id == Token.user_id)
    .where(
        Token.secret_hash == bindparam("secret_hash"),
        Token.revoked_at.is_(None),
        or_(Token.expires_at.is_(None), Token.expires_at > bindparam("now")),
    )
)  # fmt: skip
THERE = (Token.user_id == bindparam("owner_id")) & Token.revoked_at.is_(None)
ALL = (
    select(
        Token.id, Token.name, Token.scope, Token.created_at, Token.expires_at, Token.last_used_at,
        (Token.expires_at <= bindparam("now")).label("has_expired"),
    )
    .where(THERE)
    .order_by(Token.id.desc())
)  # fmt: skip
COUNT = select(func.count()).select_from(Token).where(THERE)
MADE_BY = select(Token.name).where(
    Token.user_id == bindparam("owner_id"), Token.request_id == bindparam("request_id")
)


class Holder(NamedTuple):
    """For whom a program acts, and whether it may change anything."""

    owner: Owner
    may_write: bool


def make(
    owner: Owner, name: str, scope: str, days: int | None, request_id: UUID | None = None,
    allowance: Allowance = UNLIMITED,
) -> str:  # fmt: skip
    """Make a token that is good for ``days`` days; None: until it is revoked.

    :returns: its secret, which cannot be told again
    :raises Invalid: no name, no such scope, or a life of less than a day or more than ten years
    :raises StaleForm: this request has made one already
    :raises Conflict: there are too many
    :raises TooMany: it would make one guest too many from this address
    """
    name = texts.line(name)
    _check(name, scope, days)
    secret = PREFIX + secrets.token_urlsafe(32)
    request_id, now = request_id or uuid4(), datetime.now(UTC)
    with writing() as connection:
        if owners.ensure(connection, owner):
            limits.count_guest(connection, allowance)
        _check_room(connection, owner, request_id)
        connection.execute(
            insert(Token),
            {
                "secret_hash": _hash(secret), "user_id": owner.id, "request_id": request_id,
                "name": name, "scope": scope, "created_at": now,
                "expires_at": None if days is None else now + timedelta(days=days),
            },
        )  # fmt: skip
        connection.commit()
    return secret


def _check(name: str, scope: str, days: int | None) -> None:
    if not texts.is_visible(name):
        raise Invalid("Give the token a name, so that you know it again.", {"name": "a name"})
    if scope not in SCOPES:
        raise Invalid("A token may read, or read and write.", {"scope": "read or write"})
    if days is not None and not 0 < days <= LONGEST_LIFE:
        said = f"1 to {LONGEST_LIFE} days"
        raise Invalid(f"A token is good for {said}, or until it is revoked.", {"days": said})


def _check_room(connection: Connection, owner: Owner, request_id: UUID) -> None:
    wanted = {"owner_id": owner.id, "request_id": request_id}
    name = connection.execute(MADE_BY, wanted).scalar()
    if name is not None:
        raise StaleForm(
            f"This form has made the token “{name}” already, and its secret cannot be shown "
            "again. If you do not have it, revoke that token and make another."
        )
    if connection.execute(COUNT, {"owner_id": owner.id}).scalar_one() >= MOST:
        raise Conflict(f"There are {MOST} tokens already. Revoke one that is not needed.")


def of(owner: Owner) -> Sequence[AnyRow]:
    """The tokens that are not revoked, newest first, those that have expired too."""
    with reading() as connection:
        return connection.execute(ALL, {"owner_id": owner.id, "now": datetime.now(UTC)}).all()


def revoke(owner: Owner, token_id: int) -> str:
    """From now on nobody gets in with this token.

    :returns: its name
    :raises NotFound: no such token of this owner
    """
    with writing() as connection:
        name = connection.execute(
            update(Token)
            .where(Token.id == token_id, Token.user_id == owner.id, Token.revoked_at.is_(None))
            .values(revoked_at=datetime.now(UTC))
            .returning(Token.name)
        ).scalar()
        if name is None:
            raise NotFound
        connection.commit()
    return str(name)


def recognise(secret: str) -> Holder | None:
    """Whom a secret stands for; None where it is none, is revoked or has expired.

    :raises Unavailable: the database is away
    """
    now = datetime.now(UTC)
    secret_hash = _hash(secret)
    with reading() as connection:
        row = connection.execute(SHOWN, {"secret_hash": secret_hash, "now": now}).first()
    if row is None:
        return None
    if row.last_used_at is None or now - row.last_used_at > USE_NOTED_EVERY:
        note_use(row.id, now)
    return Holder(Owner(row.user_id, secret_hash, row.is_guest), row.scope == "write")


def note_use(token_id: int, at: datetime) -> None:
    """Remember when a token was used; while nothing can be written soon that stays unsaid."""
    with suppress(Unavailable), writing(PATIENCE) as connection:
        connection.execute(update(Token).where(Token.id == token_id).values(last_used_at=at))
        connection.commit()


def _hash(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()
