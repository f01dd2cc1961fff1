"""Full-text structures: filled by the database itself, for ended messages, by owner."""

from uuid import UUID

import pytest
from sqlalchemy import delete, insert, text, update

from chatweb.database import db, reading, writing
from chatweb.models import Conversation, Message, User
from chatweb.services import answers
from chatweb.services.owners import Owner
from chatweb.services.pieces import Piece
from tests import factories

SQLITE = text(
    "SELECT m.conversation_id, m.position FROM message_search"
    " JOIN message m ON m.id = message_search.rowid WHERE message_search MATCH :query ORDER BY m.id"
)
POSTGRESQL = text(
    "SELECT conversation_id, position FROM message WHERE owner_id = :owner"
    " AND message_search @@ plainto_tsquery('simple', :word) ORDER BY id"
)


def found(owner: Owner, word: str) -> list[int]:
    """Positions of an owner's messages with a word in them."""
    with reading() as connection:
        if db.engine.dialect.name == "sqlite":
            query = f'{{content}}:("{word}") AND {{owner}}:"u{owner.id.hex}"'
            rows = connection.execute(SQLITE, {"query": query}).all()
        else:
            rows = connection.execute(POSTGRESQL, {"owner": owner.id, "word": word}).all()
    return [row.position for row in rows]


def count_indexed() -> int:
    """Rows of the index, whosever they are."""
    statement = (
        "SELECT count(*) FROM message_search_docsize"
        if db.engine.dialect.name == "sqlite"
        else "SELECT count(*) FROM message WHERE message_search IS NOT NULL"
    )
    with reading() as connection:
        return connection.execute(text(statement)).scalar_one()


def move(conversation_id: UUID, owner: Owner) -> None:
    with writing() as connection:
        connection.execute(
            update(Conversation).where(Conversation.id == conversation_id).values(owner_id=owner.id)
        )
        connection.commit()


def test_a_question_is_found_at_once(owner: Owner) -> None:
    factories.begun(owner, "Why is the sky blue?")

    assert found(owner, "sky") == found(owner, "SKY") == [1]
    assert found(owner, "sea") == []


def test_an_answer_is_found_when_it_has_ended(owner: Owner) -> None:
    asked = factories.begun(owner, "Why?")
    assert asked.process_id
    answers.keep(asked.process_id, [Piece(asked.answer_id, 0, "scattering")], [], heartbeat=False)
    assert found(owner, "scattering") == []

    factories.ended(asked, "By scattering.")

    assert found(owner, "scattering") == [2]
    assert count_indexed() == 2


@pytest.mark.parametrize("status", ["complete", "stopped", "interrupted", "failed"])
def test_an_answer_is_found_however_it_ended(owner: Owner, status: str) -> None:
    factories.ended(factories.begun(owner), "Scattering", status)

    assert found(owner, "scattering") == [2]


def test_an_interrupted_answer_is_found(owner: Owner) -> None:
    asked = factories.begun(owner)
    assert asked.process_id
    answers.keep(asked.process_id, [Piece(asked.answer_id, 0, "scattering")], [], heartbeat=False)

    answers.interrupt(factories.left(asked))

    assert found(owner, "scattering") == [2]


def test_what_the_system_says_is_not_searched(owner: Owner) -> None:
    conversation_id = factories.conversation(owner, 0)
    with writing() as connection:
        connection.execute(
            insert(Message),
            factories.message(owner, conversation_id, 1, "You are a tutor", role="system"),
        )
        connection.commit()

    assert found(owner, "tutor") == []
    assert count_indexed() == 0


def test_nobody_finds_what_is_anothers(owner: Owner, stranger: Owner) -> None:
    factories.answered(owner, "Why is the sky blue?")
    factories.answered(stranger, "Is the sky the limit?")

    assert found(owner, "blue") == [1]
    assert found(stranger, "blue") == []
    assert found(owner, "limit") == []


def test_the_index_follows_a_deletion(owner: Owner, stranger: Owner) -> None:
    factories.answered(owner, "Why is the sky blue?")
    factories.begun(owner, "Is the sky blue yet?")
    factories.answered(stranger, "The sky")

    with writing() as connection:
        connection.execute(delete(User).where(User.id == owner.id))
        connection.commit()

    assert found(owner, "sky") == []
    assert found(stranger, "sky") == [1]
    assert count_indexed() == 2


def test_the_index_follows_a_move_to_another_owner(owner: Owner) -> None:
    account = factories.guest()
    asked = factories.answered(owner, "Why is the sky blue?", "Scattering of the sky")

    move(asked.conversation_id, account)

    assert found(owner, "sky") == []
    assert found(account, "sky") == [1, 2]
    assert count_indexed() == 2


def test_an_answer_that_moves_while_it_is_written_is_found_in_the_end(owner: Owner) -> None:
    account = factories.guest()
    asked = factories.begun(owner, "Why?")

    move(asked.conversation_id, account)
    factories.ended(asked, "Scattering")

    assert found(owner, "scattering") == []
    assert found(account, "scattering") == [2]


def test_the_index_agrees_with_the_messages(owner: Owner) -> None:
    account = factories.guest()
    moved, removed = (factories.answered(owner, f"Why {word}?") for word in ("here", "there"))
    factories.begun(owner, "Still running")
    move(moved.conversation_id, account)
    with writing() as connection:
        connection.execute(delete(Conversation).where(Conversation.id == removed.conversation_id))
        connection.commit()

    if db.engine.dialect.name == "sqlite":
        with writing() as connection:
            # Rebuilt from the messages it must be the same: nothing more and nothing less.
            before = connection.execute(text(INDEXED)).all()
            connection.execute(text("INSERT INTO message_search(message_search) VALUES('rebuild')"))
            assert connection.execute(text(INDEXED)).all() == before
            # With 1 it also compares the index with the messages, and raises if they differ.
            check = "INSERT INTO message_search(message_search, rank) VALUES('integrity-check', 1)"
            connection.execute(text(check))

    assert count_indexed() == 3


INDEXED = "SELECT id, sz FROM message_search_docsize ORDER BY id"
