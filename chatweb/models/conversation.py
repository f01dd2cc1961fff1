"""A thread of messages, what is typed into it but not sent, and that something in it changed."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from sqlalchemy import CheckConstraint, ForeignKey, Index, UniqueConstraint, false, text
from sqlalchemy.orm import Mapped, mapped_column

from chatweb.database import Base
from chatweb.database.types import BigId, UTCDateTime


class Conversation(Base):
    """A thread of messages. ``head`` is the position of the newest message of the branch shown;
    both it and ``message_count`` are 0 while there is none. ``unseen``: an answer has ended since
    its owner last looked. ``chapter``: of a book or course, where it is about one; empty where it
    came from such a place and is about none."""

    __tablename__ = "conversation"
    __table_args__ = (
        UniqueConstraint("id", "owner_id"),
        CheckConstraint("status IN ('active', 'archived', 'closed', 'deleted')", name="status"),
        CheckConstraint("title_source IN ('first_words', 'model', 'person')", name="title_source"),
        CheckConstraint("head BETWEEN 0 AND message_count", name="head"),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    title: Mapped[str]
    title_source: Mapped[str] = mapped_column(default="first_words")
    status: Mapped[str] = mapped_column(default="active")
    pinned: Mapped[bool] = mapped_column(default=False)
    message_count: Mapped[int] = mapped_column(default=0)
    head: Mapped[int] = mapped_column(default=0)
    unseen: Mapped[bool] = mapped_column(default=False, server_default=false())
    chapter: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(UTCDateTime)
    last_message_at: Mapped[datetime] = mapped_column(UTCDateTime)


Index(
    "ix_conversation_newest",
    Conversation.owner_id,
    Conversation.last_message_at.desc(),
    Conversation.id.desc(),
)
Index(
    "ix_conversation_chapter", Conversation.owner_id, Conversation.chapter,
    sqlite_where=Conversation.chapter.is_not(None),
    postgresql_where=Conversation.chapter.is_not(None),
)  # fmt: skip


class Draft(Base):
    """What its owner has typed and not sent, one for each conversation and one for a new one.

    ``request_id`` is the one that sending it will carry: a draft that was sent cannot come back.
    """

    __tablename__ = "draft"
    __table_args__ = (
        UniqueConstraint("owner_id", "conversation_id"),
        Index(
            "uq_draft_new", "owner_id", unique=True,
            sqlite_where=text("conversation_id IS NULL"),
            postgresql_where=text("conversation_id IS NULL"),
        ),
    )  # fmt: skip

    id: Mapped[int] = mapped_column(primary_key=True)
    owner_id: Mapped[UUID] = mapped_column(ForeignKey("user.id", ondelete="CASCADE"))
    conversation_id: Mapped[UUID | None] = mapped_column(
        ForeignKey("conversation.id", ondelete="CASCADE")
    )
    text: Mapped[str]
    request_id: Mapped[UUID]
    updated_at: Mapped[datetime] = mapped_column(UTCDateTime)


class Change(Base):
    """Something in a conversation is not as it was: what open pages of its owner look out for.

    Added in the transaction that made the change, and forgotten after a while. ``made_at``:
    seconds by the database's clock. No foreign keys: adding one must never wait for anybody.
    """

    __tablename__ = "change"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    owner_id: Mapped[UUID]
    conversation_id: Mapped[UUID]
    made_at: Mapped[float]


Index("ix_change_owner", Change.owner_id, Change.id)
