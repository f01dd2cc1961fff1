"""The server processes that answers live in."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy.orm import Mapped, mapped_column

from chatweb.database import Base


class Process(Base):
    """One running server process. ``heartbeat``: when it last said that it lives, in seconds by
    the database's clock; an answer whose process has gone quiet is interrupted, not lost."""

    __tablename__ = "process"

    id: Mapped[UUID] = mapped_column(primary_key=True)
    heartbeat: Mapped[float]
