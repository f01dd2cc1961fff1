"""What must hold after every fault (I1 to I8), checked from what people were told and what is kept.

:func:`violations` compares a :class:`History`, written down outside the product while it was
being hurt, with the :class:`Stored` rows read by plain drivers afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from tests.faults.histories import Conversation, History, Message, Stored


def violations(history: History, stored: Stored) -> list[str]:
    """Every invariant that is broken, by name."""
    return [
        *_acknowledged_once(history, stored),
        *_ordered(history, stored),
        *_ended(stored),
        *_shown_is_stored(history, stored),
        *_others_untouched(history, stored),
        *_health_was_true(history),
        *_nothing_secret(history),
        *_still_in_the_box(history),
    ]


def _acknowledged_once(history: History, stored: Stored) -> Iterator[str]:
    rows: dict[UUID | None, list[Message]] = {}
    followed = set()
    for message in stored.messages:
        rows.setdefault(message.request_id, []).append(message)
        followed.add((message.conversation, message.parent))
    for send in history.sends:
        found = rows.get(send.request_id, [])
        name = send.text or f"another answer than {send.sibling_of}"
        if len(found) > 1 or (send.acknowledged and not found):
            yield f"I1: {name!r} is there {len(found)} times"
        for row in found:
            address = (row.conversation, row.position)
            if send.text and row.content != send.text:
                yield f"I1: {name!r} became {row.content!r}"
            if send.acknowledged and address != (send.conversation, send.position):
                yield f"I1: {name!r} is not where it was said to be"
            if row.role == "user" and address not in followed:
                yield f"I1: {name!r} has no answer, not even a failed one"
    for row in never_asked(history, stored):
        yield f"I1: nobody asked for the {row.role} message {row.content[:40]!r}"


def never_asked(history: History, stored: Stored) -> list[Message]:
    """Messages that no form accounts for: of what is there twice, all but one.

    A form accounts for one question and its first answer, or for one other answer.
    """
    sent = {send.request_id for send in history.sends}
    theirs = set(history.bystanders.messages) if history.bystanders else set()
    answered = set()
    unasked = []
    for message in stored.messages:
        question = (message.conversation, message.parent)
        is_first_answer = (
            message.role == "assistant" and not message.request_id and question not in answered
        )
        if is_first_answer:
            answered.add(question)
        elif message.request_id not in sent and message not in theirs:
            unasked.append(message)
    return unasked


def _ordered(history: History, stored: Stored) -> Iterator[str]:
    known = {conversation.id for conversation in stored.conversations}
    if any(message.conversation not in known for message in stored.messages):
        yield "I2: a message belongs to no conversation"
    by_conversation = stored.by_conversation()
    for conversation in stored.conversations:
        messages = by_conversation.get(conversation.id, [])
        positions = [message.position for message in messages]
        if positions != list(range(1, conversation.message_count + 1)):
            yield f"I2: positions {positions}, but a count of {conversation.message_count}"
        yield from _grown(conversation, {message.position: message for message in messages})
    told: dict[UUID, int] = {}
    done: set[UUID] = set()
    for send in history.sends:
        if send.request_id in done or send.conversation is None or send.position is None:
            continue
        done.add(send.request_id)
        if send.position <= told.get(send.conversation, 0):
            yield f"I2: {send.text!r} is not behind what was sent before it"
        told[send.conversation] = send.position
    yield from _as_asked(history, by_conversation)


def _grown(conversation: Conversation, messages: dict[int, Message]) -> Iterator[str]:
    """Whether it is a tree of questions and answers in turn, of which one whole way is shown."""
    before = {"user": {None, "assistant"}, "assistant": {"user"}}
    for message in messages.values():
        parent = messages.get(message.parent) if message.parent is not None else None
        if message.parent is not None and (parent is None or parent.position >= message.position):
            yield f"I2: {message.position} follows {message.parent}, which does not come before it"
        elif (parent.role if parent else None) not in before[message.role]:
            yield f"I2: {message.position} ({message.role}) follows {message.parent}"
    if conversation.head not in [0, *messages]:
        yield f"I2: the head {conversation.head} is no message"
    elif any(message.parent == conversation.head for message in messages.values()):
        yield f"I2: the head {conversation.head} is not the end of its branch"


def _as_asked(history: History, stored: dict[UUID, list[Message]]) -> Iterator[str]:
    """Whether siblings are siblings, and whether pages showed whole branches."""
    trees = {
        conversation: {each.position: each for each in messages}
        for conversation, messages in stored.items()
    }
    for send in history.sends:
        tree = trees.get(send.conversation, {}) if send.conversation else {}
        one, other = tree.get(send.position or 0), tree.get(send.sibling_of or 0)
        if (
            send.sibling_of
            and one
            and (other is None or (other.parent, other.role) != (one.parent, one.role))
        ):
            yield f"I2: {send.position} is no sibling of {send.sibling_of}"
    for (conversation, end), shown in history.ways.items():
        if shown != (way := _way(trees.get(conversation, {}), end)):
            yield f"I2: of the branch to {end} {shown} was shown, which is {way}"


def _way(tree: dict[int, Message], end: int) -> list[int]:
    """The positions from the root to ``end``."""
    way: list[int] = []
    while end in tree and end not in way:
        way.insert(0, end)
        end = tree[end].parent or 0
    return way


def _ended(stored: Stored) -> Iterator[str]:
    for message in stored.messages:
        if message.status == "streaming":
            yield f"I3: an answer is still streaming: {message.content[:40]!r}"
    if stored.pieces:
        yield f"I3: {stored.pieces} pieces of ended answers are left"


def _shown_is_stored(history: History, stored: Stored) -> Iterator[str]:
    texts = {(each.conversation, each.position): each.content for each in stored.messages}
    for address, words in [*history.shown.items(), *history.told]:
        if words.split() != texts.get(address, "").split():
            yield f"I4: shown {words[-40:]!r}, stored {texts.get(address, '')[-40:]!r}"
    for address, words in history.kept.items():
        if not texts.get(address, "").startswith(words):
            yield f"I4: {words[-40:]!r} had been seen and is gone"
    pieced = {send.request_id for send in history.sends if send.goes_on}
    for each in stored.messages:
        whole = history.whole.get(texts.get((each.conversation, each.parent or 0), ""))
        if each.status != "complete" or whole is None or each.request_id in pieced:
            continue
        if each.content != whole:
            yield f"I4: {each.content[-40:]!r} is called complete and is not {whole[-40:]!r}"


def _others_untouched(history: History, stored: Stored) -> Iterator[str]:
    before = history.bystanders
    if before and not (
        set(before.conversations) <= set(stored.conversations)
        and set(before.messages) <= set(stored.messages)
    ):
        yield "I5: rows of somebody else have changed"


def _health_was_true(history: History) -> Iterator[str]:
    for report in history.reports:
        if (report.status == 200) != report.well:
            yield f"I6: /health said {report.status} of a database that was well: {report.well}"
        if report.seconds > 2.5:
            yield f"I6: /health took {report.seconds:.1f} s"


def _nothing_secret(history: History) -> Iterator[str]:
    for secret in history.secrets:
        if secret in history.log:
            yield f"I7: the log holds {secret!r}"


def _still_in_the_box(history: History) -> Iterator[str]:
    acknowledged = Counter(send.request_id for send in history.sends if send.acknowledged)
    for send in history.sends:
        # Where the connection broke off the page stays as it is, with what was typed.
        refused = send.status is not None and not send.acknowledged
        if refused and not acknowledged[send.request_id] and send.box != send.text:
            yield f"I8: {send.text!r} was refused ({send.status}) and is not in the box"
