"""Asking: a question and its empty answer are committed together.

Only after that commit is anything shown or any model called; from then on the server owns both.
Nothing is ever overwritten: an edited question, another try and an answer that goes on are siblings
of what was there before.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from chatweb.database import reading, retried, writing
from chatweb.services import asking, branches, drafts, limits, owners, texts
from chatweb.services.asking import Asked
from chatweb.services.conversations import locked
from chatweb.services.errors import Conflict, NotFound
from chatweb.services.limits import Allowance
from chatweb.services.owners import Owner


@retried
def begin(
    owner: Owner, text: str, longest: int, request_id: UUID, process_id: UUID,
    allowance: Allowance, earlier: Sequence[tuple[str, str]] = (),
) -> Asked:  # fmt: skip
    """Make a conversation with its first question and the empty answer.

    ``earlier``: role and text of what was said before, elsewhere, oldest first.

    :raises Invalid: the text is empty or over ``longest`` characters
    :raises StaleForm: the request id was used for something else
    :raises TooMany: ``allowance`` is used up
    """
    text = texts.question(text, longest)
    with writing() as connection:
        is_new = owners.ensure(connection, owner)
        first = {"role": "user", "parent": len(earlier) or None, "content": text}
        if not is_new and (asked := asking.before(connection, owner, request_id, first)):
            return asked
        limits.count(connection, owner, allowance, begins=True)
        title = texts.first_words(asking.first_said(earlier, text))
        asked = asking.add_first(
            connection, owner, title, text, request_id, process_id, earlier
        )  # fmt: skip
        drafts.forget(connection, owner, request_id)
        connection.commit()
    return asked


@retried
def ask(
    owner: Owner, conversation_id: UUID, text: str, longest: int, request_id: UUID,
    process_id: UUID, allowance: Allowance, shown: int | None = None, parent: int | None = None,
    earlier: Sequence[tuple[str, str]] = (),
) -> Asked:  # fmt: skip
    """Add a question and its empty answer to the branch shown, or behind ``parent``, an answer (0:
    as a first question).

    ``shown`` is the newest message that the asker saw; where another branch has been chosen
    meanwhile, the question follows what the asker saw. ``earlier``: as for :func:`begin`, what an
    empty conversation begins with; in others it is not looked at.

    :raises Invalid, StaleForm, TooMany: as for :func:`begin`, or nothing can follow ``parent``
    :raises Conflict: an answer is being written, or the conversation is closed
    :raises NotFound: no such conversation of this owner
    """
    text = texts.question(text, longest)
    with writing() as connection:
        conversation = locked(connection, owner, conversation_id)
        # Only now, with the conversation held: earlier, one of many equal sends slips through.
        same = {"role": "user", "conversation_id": conversation_id, "content": text}
        if parent is not None:
            same |= {"parent": parent or None}
        if asked := asking.before(connection, owner, request_id, same):
            return asked
        asking.check_free(connection, conversation)
        limits.count(connection, owner, allowance)
        follows = (
            branches.end(connection, conversation, shown)
            if parent is None
            else asking.followed(connection, conversation_id, parent)
        )
        asked = asking.add_next(
            connection, owner, conversation, follows, text, request_id, process_id,
            () if conversation.message_count else earlier,
        )  # fmt: skip
        drafts.forget(connection, owner, request_id)
        connection.commit()
    return asked


def known(
    owner: Owner, conversation_id: UUID | None, text: str, request_id: UUID,
    earlier: Sequence[tuple[str, str]] = (),
) -> Asked | None:  # fmt: skip
    """What a request to :func:`begin`, or to :func:`ask` in a conversation, gave the first time.

    :raises StaleForm: the request id was used for something else
    """
    same: dict[str, Any] = {"role": "user", "content": texts.storable(text)}
    if conversation_id is None:
        same["parent"] = len(earlier) or None
    else:
        same["conversation_id"] = conversation_id
    with reading() as connection:
        return asking.before(connection, owner, request_id, same)


@retried
def edit(
    owner: Owner, conversation_id: UUID, position: int, text: str, longest: int, request_id: UUID,
    process_id: UUID, allowance: Allowance,
) -> Asked:  # fmt: skip
    """Ask the question at ``position`` in other words: a sibling of it, whose branch is shown.

    :raises Invalid, StaleForm, TooMany, Conflict: as for :func:`ask`
    :raises NotFound: no such question of this owner
    """
    text = texts.question(text, longest)
    with writing() as connection:
        conversation = locked(connection, owner, conversation_id)
        first = asking.find(connection, conversation_id, position, "user")
        same = {
            "role": "user", "conversation_id": conversation_id, "parent": first.parent,
            "content": text,
        }  # fmt: skip
        if asked := asking.before(connection, owner, request_id, same, after=position):
            return asked
        asking.check_free(connection, conversation)
        limits.count(connection, owner, allowance)
        asked = asking.add_exchange(
            connection, owner, conversation, first.parent, conversation.message_count + 1, text,
            request_id, process_id, datetime.now(UTC),
        )  # fmt: skip
        asking.grow(connection, owner, conversation_id, asked.answer, asked.at)
        connection.commit()
    return asked


@retried
def retry(
    owner: Owner, conversation_id: UUID, position: int, request_id: UUID, process_id: UUID,
    allowance: Allowance, *, goes_on: bool = False,
) -> Asked:  # fmt: skip
    """Begin another answer, a sibling of the one at ``position``, and show its branch.

    ``goes_on``: it begins with the text of that one, which was cut, and goes on from there.

    :raises StaleForm, TooMany: as for :func:`begin`
    :raises Conflict: an answer is being written, the conversation is closed, or nothing was cut
    :raises NotFound: no such answer of this owner
    """
    with writing() as connection:
        conversation = locked(connection, owner, conversation_id)
        first = asking.find(connection, conversation_id, position, "assistant")
        if first.parent is None:
            raise NotFound  # a program's greeting: nobody asked for it
        same = {
            "role": "assistant", "conversation_id": conversation_id, "parent": first.parent,
        }  # fmt: skip
        if asked := asking.before(connection, owner, request_id, same, after=position):
            return asked
        asking.check_free(connection, conversation)
        if goes_on and not (first.status in {"stopped", "interrupted"} and first.content):
            raise Conflict("This answer was not cut short: there is nothing to go on with.")
        question = asking.find(connection, conversation_id, first.parent, "user")
        limits.count(connection, owner, allowance)
        asked = asking.add_answer(
            connection, owner, conversation, question, request_id, process_id,
            datetime.now(UTC), first.content if goes_on else "",
        )  # fmt: skip
        connection.commit()
    return asked
