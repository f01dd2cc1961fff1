"""Who owns conversations, and the browsers they are signed in with."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, func
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
