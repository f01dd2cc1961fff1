"""Who owns conversations, and what they are known by: browsers and tokens."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from chatweb.database import Base
from chatweb.database.types import UTCDateTime


class User(Base):
    """An owner of conversations: a guest (no e-mail) or an account."""

    __tablename__ = "user"
    __table_args__ = (CheckConstraint("role IN ('learner', 'instructor', 'admin')", name="role"),)

    id: Mapped[UUID] = mapped_column(primary_key=True)
    email: Mapped[str | None]
    role: Mapped[str] = mapped_column(default="learner")
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)


Index("uq_user_email", func.lower(User.email), unique=True)


class Login(Base):
    """One browser, anonymous or signed in; its cookie holds a random id, kept here hashed."""

    __tablename__ = "login"

    token_hash: Mapped[bytes] = mapped_column(primary_key=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)


class Token(Base):
    """What a program shows to act for its owner: a secret that was shown once, kept here hashed.

    ``scope``: ``read``, or ``write``, which is everything. It is good until it expires (None:
    never) or is revoked. ``request_id`` came with the form: sent again it makes no second one.
    """

    __tablename__ = "token"
    __table_args__ = (
        CheckConstraint("scope IN ('read', 'write')", name="scope"),
        UniqueConstraint("user_id", "request_id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    secret_hash: Mapped[bytes] = mapped_column(unique=True)
    user_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    request_id: Mapped[UUID]
    name: Mapped[str]
    scope: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    expires_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    last_used_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
