"""How much one asker may ask: counted in the database, so exactly, whoever serves the request.

A question is counted in the transaction that asks it, by one statement for all its counts. It holds
their rows until the commit, so the questions of one owner are counted one after the other, and what
is refused is undone with everything else. Periods are fixed, by the database's clock.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Connection,
    bindparam,
    case,
    cast,
    delete,
    exists,
    func,
    literal,
    select,
    tuple_,
)
from sqlalchemy.dialects import postgresql, sqlite

from chatweb.database import reading, writing
from chatweb.database.types import now_seconds
from chatweb.models import Conversation, Message, QuestionCount
from chatweb.services.errors import TooMany
from chatweb.services.owners import Owner

MINUTE = 60
DAY = 86_400
"""Seconds of a period."""

GUESTS_PER_ADDRESS = 10
"""So many times what one owner may ask is taken from all guests of one address."""

SOON = 5
"""Seconds after which one of several answers may well have ended."""

PERIODS = {MINUTE: "a minute", DAY: "a day"}


@dataclass(frozen=True)
class Allowance:
    """What may be asked by whoever is asking; 0 is no limit.

    ``address`` stands for where the request came from, not to be read back; None: not known.
    """

    answers_at_once: int
    questions_per_minute: int
    questions_per_day: int
    address: bytes | None = None


UNLIMITED = Allowance(0, 0, 0)


class Left(NamedTuple):
    """Of ``most`` questions in a period, so many are left in the ``seconds`` until its end."""

    period: int
    most: int
    left: int
    seconds: int


class Rule(NamedTuple):
    """At most so many of something are taken from an asker in a period, of so many seconds."""

    asker: bytes
    period: int
    most: int
    what: str
    whose: str


def upsert(insert: Any) -> Any:
    """Count one more, in the running period or as the first of a new one."""
    length = bindparam("length", type_=BigInteger)
    statement = insert(QuestionCount).values(
        asker=bindparam("whom"), period=length, questions=literal(1),
        number=cast(func.floor(now_seconds() / length), BigInteger),
    )  # fmt: skip
    goes_on = QuestionCount.number == statement.excluded.number
    ends = (QuestionCount.number + 1) * QuestionCount.period
    return statement.on_conflict_do_update(
        index_elements=["asker", "period"],
        set_={
            "questions": case((goes_on, QuestionCount.questions + 1), else_=1),
            "number": statement.excluded.number,
        },
    ).returning(
        QuestionCount.asker, QuestionCount.period, QuestionCount.questions,
        (ends - now_seconds()).label("left"),
    )  # fmt: skip


RUNS = QuestionCount.number == cast(func.floor(now_seconds() / QuestionCount.period), BigInteger)
COUNT = {"sqlite": upsert(sqlite.insert), "postgresql": upsert(postgresql.insert)}
LEFT = select(
    QuestionCount.period,
    case((RUNS, QuestionCount.questions), else_=0).label("questions"),
    (
        (func.floor(now_seconds() / QuestionCount.period) + 1) * QuestionCount.period
        - now_seconds()
    ).label("left"),
).where(QuestionCount.asker == bindparam("whom"))
HAS_ASKED = select(exists().where(Conversation.owner_id == bindparam("owner_id")))
ANSWERING = (
    select(func.count())
    .select_from(Message)
    .where(Message.owner_id == bindparam("owner_id"), Message.status == "streaming")
)
KEY = (QuestionCount.asker, QuestionCount.period)
# What is being counted at this moment is left alone: waiting for it could wait in a circle.
OVER = (
    select(*KEY)
    .where((QuestionCount.number + 1) * QuestionCount.period < now_seconds())
    .with_for_update(skip_locked=True)
)


def count(
    connection: Connection, owner: Owner, allowance: Allowance, *, begins: bool = False
) -> None:
    """Count a question; to be called where it is certain to be a new one.

    ``begins``: it makes a conversation, and so may be the first of a new guest.

    :raises TooMany: it is one too many; the transaction must be left without a commit
    """
    rules = list(_rules(connection, owner, allowance, begins))
    if rules:
        _count(connection, rules)
    if allowance.answers_at_once:
        _count_answers(connection, owner, allowance.answers_at_once)


def left(owner: Owner, allowance: Allowance) -> list[Left]:
    """How much an owner may still ask, the shortest period first."""
    with reading() as connection:
        rows = connection.execute(LEFT, {"whom": _asker(owner)}).all()
    counted = {row.period: row for row in rows}
    return [
        Left(period, most, max(0, most - counted[period].questions), ceil(counted[period].left))
        if period in counted
        else Left(period, most, most, period)
        for period, most in _limits(allowance).items()
    ]


def count_guest(connection: Connection, allowance: Allowance) -> None:
    """Count a guest who gets rows before the first question, by whose address alone it is known.

    :raises TooMany: it is one too many; the transaction must be left without a commit
    """
    if allowance.address and allowance.questions_per_minute:
        rule = _new_visitors(b"typing", allowance.address, allowance.questions_per_minute)
        _count(connection, [rule])


def forget() -> None:
    """Forget counts of periods that are over."""
    with writing() as connection:
        connection.execute(delete(QuestionCount).where(tuple_(*KEY).in_(OVER)))
        connection.commit()


def _rules(
    connection: Connection, owner: Owner, allowance: Allowance, begins: bool
) -> Iterator[Rule]:
    me = _asker(owner)
    limited = _limits(allowance)
    for period, most in limited.items():
        yield Rule(me, period, most, "question", "for each person")
    if allowance.answers_at_once and not limited:
        # Only to be held: whoever counts this owner's answers must be alone.
        yield Rule(me, MINUTE, 2**31, "question", "for each person")
    if not owner.is_guest or not allowance.address:
        return
    for period, most in limited.items():
        most *= GUESTS_PER_ADDRESS
        yield Rule(allowance.address, period, most, "question", "from one network")
    if begins and MINUTE in limited and _is_first(connection, owner):
        yield _new_visitors(b"new", allowance.address, limited[MINUTE])


def _new_visitors(doing: bytes, address: bytes, most: int) -> Rule:
    them = hashlib.sha256(doing + address).digest()
    return Rule(them, MINUTE, most, "new visitor", "from one network")


def _asker(owner: Owner) -> bytes:
    return hashlib.sha256(b"owner" + owner.id.bytes).digest()


def _limits(allowance: Allowance) -> dict[int, int]:
    limits = {MINUTE: allowance.questions_per_minute, DAY: allowance.questions_per_day}
    return {period: most for period, most in limits.items() if most}


def _is_first(connection: Connection, owner: Owner) -> bool:
    return not connection.execute(HAS_ASKED, {"owner_id": owner.id}).scalar()


def _count(connection: Connection, rules: list[Rule]) -> None:
    """
    :raises TooMany: a rule is broken; of several the one that is longest in force
    """
    known = {rule[:2]: rule for rule in rules}
    # In one order always: two who hold what the other waits for would wait for ever.
    keys = [{"whom": asker, "length": period} for asker, period in sorted(known)]
    rows = connection.execute(COUNT[connection.dialect.name], keys).all()
    counted = [(row.left, row.questions, known[row.asker, row.period]) for row in rows]
    if broken := [(left, rule) for left, questions, rule in counted if questions > rule.most]:
        raise _too_many(*max(broken))


def _count_answers(connection: Connection, owner: Owner, most: int) -> None:
    """Exact because :func:`_count` came before: this owner's questions wait for each other.

    :raises TooMany: so many are being written already
    """
    if connection.execute(ANSWERING, {"owner_id": owner.id}).scalar_one() >= most:
        raise TooMany(
            f"The limit here is {_number(most, 'answer')} at once for each person. "
            "Wait for one to end or stop one, then send again.",
            SOON,
        )


def _too_many(left: float, rule: Rule) -> TooMany:
    seconds = max(1, ceil(left))
    return TooMany(
        f"The limit here is {_number(rule.most, rule.what)} {PERIODS[rule.period]} {rule.whose}. "
        f"You can go on in {_time(seconds)}.",
        seconds,
    )


def _time(seconds: int) -> str:
    for unit, length in (("hour", 3600), ("minute", 60)):
        if seconds > 1.5 * length:
            return _number(ceil(seconds / length), unit)
    return _number(seconds, "second")


def _number(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
