"""Who is asking.

A browser's cookie holds only a random token. A guest exists from the first page on as the owner
that the token stands for, but gets rows with the first write, so that a look leaves nothing and
two first writes at once are the same guest's.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from sqlalchemy import Connection, bindparam, select
from sqlalchemy.dialects import postgresql, sqlite

from chatweb.database import reading
from chatweb.models import Login, User

TOKEN_BYTES = 32

KNOWN = (
    select(Login.user_id, Login.revoked_at, User.email.is_(None).label("is_guest"))
    .join(User, User.id == Login.user_id)
    .where(Login.token_hash == bindparam("token_hash"))
)
LOCK_OWNER = (
    select(User.id).where(User.id == bindparam("id")).with_for_update(key_share=True)
)  # fmt: skip


@dataclass(frozen=True)
class Owner:
    """Whose rows a service may touch."""

    id: UUID
    token_hash: bytes
    is_guest: bool = True


def new_token() -> str:
    """What a new browser's cookie holds: 256 random bits."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def guest(token: str) -> Owner:
    """The owner that ``token`` stands for as long as nobody has signed in with it."""
    token_hash = hashlib.sha256(token.encode()).digest()
    return Owner(UUID(bytes=hashlib.sha256(b"guest" + token_hash).digest()[:16]), token_hash)


def of_session(session_id: UUID) -> str:
    """The token of an anonymous program that keeps a secret UUID; no cookie can be the same."""
    return f"session {session_id}"


def recognise(token: str) -> Owner | None:
    """The owner behind a cookie; None when its login was revoked.

    :raises Unavailable: the database is away
    """
    owner = guest(token)
    with reading() as connection:
        login = connection.execute(KNOWN, {"token_hash": owner.token_hash}).first()
    if login is None:
        return owner
    if login.revoked_at:
        return None
    return Owner(login.user_id, owner.token_hash, login.is_guest)


def ensure(connection: Connection, owner: Owner) -> bool:
    """Give a guest its rows, and hold the owner's row until the transaction ends.

    :returns: whether they were made just now, so that nothing else of this owner is there yet
    """
    if connection.execute(LOCK_OWNER, {"id": owner.id}).first():
        return False
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    now = datetime.now(UTC)
    made = connection.execute(
        insert(User).on_conflict_do_nothing(),
        {"id": owner.id, "role": "learner", "created_at": now},
    )
    connection.execute(
        insert(Login).on_conflict_do_nothing(),
        {"token_hash": owner.token_hash, "user_id": owner.id, "created_at": now},
    )
    if made.rowcount:
        return True
    connection.execute(LOCK_OWNER, {"id": owner.id})
    return False
