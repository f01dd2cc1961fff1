"""Titles by the model: in the place of first words, and when somebody asks for one."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import pytest

from chatweb.models import Change, Conversation
from chatweb.services import conversations, titles
from chatweb.services.errors import NotFound, TooMany
from chatweb.services.limits import UNLIMITED, Allowance
from chatweb.services.owners import Owner
from tests import factories

BETTER = "Colours of the sky"


def title_of(conversation_id: Any) -> tuple[str, str]:
    row = next(row for row in factories.rows(Conversation) if row.id == conversation_id)
    return row.title, row.title_source


def changed() -> list[Any]:
    return [row.conversation_id for row in factories.rows(Change)]


class TestImprove:
    def test_replaces_first_words_and_lets_pages_know(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id
        before = changed()
        assert titles.has_first_words(conversation_id)

        assert titles.improve(conversation_id, BETTER)

        assert title_of(conversation_id) == (BETTER, "model")
        assert changed() == [*before, conversation_id]
        assert not titles.has_first_words(conversation_id)

    def test_never_replaces_what_a_person_chose(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id
        conversations.change(owner, conversation_id, title="Mine")
        before = changed()

        assert not titles.improve(conversation_id, BETTER)

        assert title_of(conversation_id) == ("Mine", "person")
        assert changed() == before
        assert not titles.has_first_words(conversation_id)

    def test_nor_what_the_model_gave_before(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id
        titles.improve(conversation_id, BETTER)

        assert not titles.improve(conversation_id, "Another one")

        assert title_of(conversation_id) == (BETTER, "model")

    def test_is_nothing_to_a_conversation_that_is_deleted_or_gone(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id
        conversations.delete(owner, conversation_id)

        assert not titles.improve(conversation_id, BETTER)
        assert not titles.improve(uuid4(), BETTER)

        assert title_of(conversation_id)[1] == "first_words"

    def test_of_many_at_once_one_is_done_and_a_persons_choice_wins(
        self, owner: Owner, at_once: Any
    ) -> None:
        for _ in range(5):
            conversation_id = factories.answered(owner).conversation_id

            done = at_once([
                *[lambda id=conversation_id: titles.improve(id, BETTER)] * 4,
                lambda id=conversation_id: conversations.change(owner, id, title="Mine"),
            ])  # fmt: skip

            assert done.count(True) <= 1
            assert title_of(conversation_id) == ("Mine", "person")


class TestSuggest:
    def test_replaces_whatever_title_there_was(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id
        conversations.change(owner, conversation_id, title="Mine")
        before = changed()

        titles.suggest(owner, conversation_id, BETTER, instead_of="Mine")

        assert title_of(conversation_id) == (BETTER, "model")
        assert changed() == [*before, conversation_id]

    def test_leaves_one_that_was_chosen_meanwhile(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id
        gist = titles.gist(owner, conversation_id, UNLIMITED)
        conversations.change(owner, conversation_id, title="Mine")

        titles.suggest(owner, conversation_id, BETTER, instead_of=gist.title)

        assert title_of(conversation_id) == ("Mine", "person")

    def test_is_made_from_the_end_of_the_branch_shown(self, owner: Owner) -> None:
        conversation_id = factories.conversation(owner, 10)

        gist = titles.gist(owner, conversation_id, UNLIMITED)

        assert gist.title == "A long talk"
        assert [text for _, text in gist.said] == [factories.said(n) for n in range(5, 11)]

    def test_is_for_its_owner_alone(self, owner: Owner, stranger: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id
        before = factories.rows(Conversation)

        for nobodys in (conversation_id, uuid4()):
            with pytest.raises(NotFound):
                titles.gist(stranger, nobodys, UNLIMITED)
            with pytest.raises(NotFound):
                titles.suggest(stranger, nobodys, BETTER, instead_of="Why is the sky blue?")

        assert factories.rows(Conversation) == before

    def test_counts_as_a_question(self, owner: Owner) -> None:
        conversation_id = factories.answered(owner).conversation_id
        allowance = Allowance(1, 2, 0)
        for _ in range(2):
            titles.gist(owner, conversation_id, allowance)

        with pytest.raises(TooMany, match="2 questions a minute"):
            titles.gist(owner, conversation_id, allowance)

    def test_may_be_asked_for_while_an_answer_is_written(self, owner: Owner) -> None:
        conversation_id = factories.begun(owner).conversation_id

        assert titles.gist(owner, conversation_id, Allowance(1, 2, 0)).said
