"""How much has been asked lately, by whom."""

from __future__ import annotations

from sqlalchemy import BigInteger
from sqlalchemy.orm import Mapped, mapped_column

from chatweb.database import Base


class QuestionCount(Base):
    """Questions of one asker in the running period.

    ``asker`` is a hash, of an owner or of an address; ``period`` its length in seconds, ``number``
    which one since 1970 it is by the database's clock.
    """

    __tablename__ = "question_count"

    asker: Mapped[bytes] = mapped_column(primary_key=True)
    period: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    number: Mapped[int] = mapped_column(BigInteger)
    questions: Mapped[int]
