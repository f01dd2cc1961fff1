"""What was said, and the pieces of what is being said."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import (
    JSON,
    CheckConstraint,
    ForeignKey,
    ForeignKeyConstraint,
    Index,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column

from chatweb.database import Base
from chatweb.database.types import BigId, UTCDateTime

STREAMING = text("status = 'streaming'")


class Message(Base):
    """One utterance in a conversation; never edited once it has ended.

    Its address is the conversation and the ``position``; ``parent`` is the position it follows
    (none for a first question), so an edit or another try is a sibling. ``details`` holds what
    was true when it was made: model, tokens, times, why it failed. ``stop_at``: how many
    characters its reader had seen when they asked to stop it.
    """

    __tablename__ = "message"
    __table_args__ = (
        UniqueConstraint("conversation_id", "position"),
        UniqueConstraint("owner_id", "request_id"),
        ForeignKeyConstraint(
            ["conversation_id", "owner_id"],
            ["conversation.id", "conversation.owner_id"],
            ondelete="CASCADE", onupdate="CASCADE",
        ),
        ForeignKeyConstraint(
            ["conversation_id", "parent"],
            ["message.conversation_id", "message.position"],
            ondelete="CASCADE",
        ),
        CheckConstraint("role IN ('system', 'user', 'assistant')", name="role"),
        CheckConstraint(
            "status IN ('complete', 'streaming', 'stopped', 'interrupted', 'failed')",
            name="status",
        ),
        CheckConstraint("position > 0 AND parent < position", name="order"),
        CheckConstraint("status = 'complete' OR role = 'assistant'", name="only_answers_end"),
        CheckConstraint(
            "(status = 'streaming') = (process_id IS NOT NULL)", name="streaming_has_process"
        ),
        Index(
            "uq_message_streaming", "conversation_id", unique=True,
            sqlite_where=STREAMING, postgresql_where=STREAMING,
        ),
        Index(
            "ix_message_process", "process_id",
            sqlite_where=STREAMING, postgresql_where=STREAMING,
        ),
        Index("ix_message_owner", "owner_id", "id"),
        Index("ix_message_parent", "conversation_id", "parent", "position"),
        Index(
            "ix_message_answering", "owner_id",
            sqlite_where=STREAMING, postgresql_where=STREAMING,
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner_id: Mapped[UUID]
    conversation_id: Mapped[UUID]
    position: Mapped[int]
    parent: Mapped[int | None]
    role: Mapped[str]
    status: Mapped[str]
    content: Mapped[str]
    request_id: Mapped[UUID | None]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UTCDateTime)
    details: Mapped[dict[str, Any]] = mapped_column("metadata", JSON, default=dict)
    process_id: Mapped[UUID | None] = mapped_column(ForeignKey("process.id"))
    stop_at: Mapped[int | None]


class ReplyPiece(Base):
    """Text of an answer in progress, from ``offset`` (characters) on; gone when it ends."""

    __tablename__ = "reply_piece"

    message_id: Mapped[int] = mapped_column(
        BigId, ForeignKey("message.id", ondelete="CASCADE"), primary_key=True
    )
    offset: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    text: Mapped[str]
