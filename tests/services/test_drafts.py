"""What is typed and not sent: one for each conversation, and never back after it was sent."""

from collections.abc import Callable
from functools import partial
from uuid import UUID, uuid4

import pytest
from sqlalchemy.exc import IntegrityError

from chatweb.models import Draft, Login, Message, User
from chatweb.services import conversations, drafts, owners, questions
from chatweb.services.drafts import NOTHING, Typed
from chatweb.services.errors import Conflict, Invalid, NotFound
from chatweb.services.limits import UNLIMITED
from chatweb.services.owners import Owner
from tests import factories
from tests.factories import LONGEST

AtOnce = Callable[[list[Callable[[], object]]], list[object]]


@pytest.fixture
def mine(owner: Owner) -> UUID:
    """A conversation of the owner's whose answer has ended."""
    return factories.answered(owner).conversation_id


def draft_of(owner: Owner, conversation_id: UUID | None) -> Typed:
    """What a page has in its box."""
    if conversation_id is None:
        return drafts.of_new_chat(owner)
    found = conversations.find(owner, conversation_id)
    return Typed(found.draft or "", found.draft_id)


@pytest.fixture(params=["a conversation", "a new chat"])
def place(request: pytest.FixtureRequest, owner: Owner) -> UUID | None:
    """Where something is typed."""
    return factories.answered(owner).conversation_id if request.param == "a conversation" else None


def send(owner: Owner, place: UUID | None, text: str, request_id: UUID) -> UUID:
    if place:
        return factories.asked(owner, place, text, request_id=request_id).conversation_id
    return factories.begun(owner, text, request_id=request_id).conversation_id


def test_nothing_is_typed_at_first(owner: Owner, place: UUID | None) -> None:
    assert draft_of(owner, place) == NOTHING


def test_what_is_typed_is_there(owner: Owner, place: UUID | None) -> None:
    request_id = uuid4()

    drafts.save(owner, place, "Why is the s", request_id)

    assert draft_of(owner, place) == Typed("Why is the s", request_id)


def test_what_is_typed_next_takes_its_place(owner: Owner, place: UUID | None) -> None:
    drafts.save(owner, place, "Why", uuid4())
    request_id = uuid4()

    drafts.save(owner, place, "Why is the sky", request_id)

    assert draft_of(owner, place) == Typed("Why is the sky", request_id)
    assert len(factories.rows(Draft)) == 1


@pytest.mark.parametrize("text", ["", " \r\n\t", "\u200b\u3164"], ids=ascii)
def test_an_emptied_box_has_no_draft(owner: Owner, place: UUID | None, text: str) -> None:
    request_id = uuid4()
    drafts.save(owner, place, "Why", request_id)

    drafts.save(owner, place, text, request_id)

    assert factories.rows(Draft) == []


def test_a_box_that_never_held_it_does_not_empty_it(owner: Owner, place: UUID | None) -> None:
    drafts.save(owner, place, "Typed in another tab", uuid4())

    drafts.save(owner, place, "", uuid4())

    assert draft_of(owner, place).text == "Typed in another tab"


def test_each_conversation_and_the_new_chat_have_their_own(owner: Owner) -> None:
    places = [*factories.conversations(owner, 2), None]

    for place in places:
        drafts.save(owner, place, f"for {place}", uuid4())

    assert [draft_of(owner, place).text for place in places] == [
        f"for {place}" for place in places
    ]  # fmt: skip


def test_each_owner_has_their_own(owner: Owner, stranger: Owner) -> None:
    drafts.save(owner, None, "Mine", uuid4())
    drafts.save(stranger, None, "Theirs", uuid4())

    assert drafts.of_new_chat(owner).text == "Mine"
    assert drafts.of_new_chat(stranger).text == "Theirs"


def test_text_is_kept_as_both_databases_can(owner: Owner, place: UUID | None) -> None:
    drafts.save(owner, place, "  a\r\nb\x00c\ud800d\n", uuid4())

    assert draft_of(owner, place).text == "  a\nb\ufffdc\ufffdd\n"


def test_more_than_can_be_sent_is_kept(owner: Owner, place: UUID | None) -> None:
    text = "𠀀" * (LONGEST + 1)

    drafts.save(owner, place, text, uuid4())

    assert draft_of(owner, place).text == text


def test_a_new_guest_gets_rows_with_the_first_letter(owner: Owner) -> None:
    drafts.save(owner, None, " ", uuid4())
    assert factories.rows(User) == factories.rows(Login) == factories.rows(Draft) == []

    drafts.save(owner, None, "W", uuid4())

    assert [row.id for row in factories.rows(User)] == [owner.id]
    assert len(factories.rows(Login)) == len(factories.rows(Draft)) == 1


@pytest.mark.parametrize("text", ["Mine?", ""])
def test_a_strangers_conversation_takes_none(owner: Owner, stranger: Owner, text: str) -> None:
    theirs = factories.answered(stranger).conversation_id
    request_id = uuid4()
    drafts.save(stranger, theirs, "Theirs", request_id)

    for conversation_id in (theirs, uuid4()):
        with pytest.raises(NotFound):
            drafts.save(owner, conversation_id, text, request_id)

    assert [row.text for row in factories.rows(Draft)] == ["Theirs"]


def test_a_deleted_conversation_takes_none_and_keeps_its_own(owner: Owner, mine: UUID) -> None:
    request_id = uuid4()
    drafts.save(owner, mine, "Before", request_id)
    conversations.delete(owner, mine)

    with pytest.raises(NotFound):
        drafts.save(owner, mine, "After", request_id)

    conversations.restore(owner, mine)
    assert draft_of(owner, mine).text == "Before"


class TestSending:
    def test_takes_it_away(self, owner: Owner, place: UUID | None) -> None:
        request_id = uuid4()
        drafts.save(owner, place, "Why is the sky", request_id)

        conversation_id = send(owner, place, "Why is the sky blue?", request_id)

        assert draft_of(owner, place) == draft_of(owner, conversation_id) == NOTHING
        assert factories.rows(Draft) == []

    def test_leaves_what_is_typed_elsewhere(self, owner: Owner, mine: UUID) -> None:
        """In another conversation, in a new chat, or in this one in a tab that has another id."""
        other = factories.conversation(owner)
        for place in (mine, other, None):
            drafts.save(owner, place, "Elsewhere", uuid4())

        send(owner, mine, "Here", uuid4())
        send(owner, None, "An example", uuid4())

        assert [draft_of(owner, place).text for place in (mine, other, None)] == ["Elsewhere"] * 3

    def test_once_more_changes_nothing(self, owner: Owner, place: UUID | None) -> None:
        request_id = uuid4()
        send(owner, place, "Why?", request_id)
        drafts.save(owner, place, "And next", uuid4())

        send(owner, place, "Why?", request_id)

        assert draft_of(owner, place).text == "And next"

    def test_that_is_refused_keeps_it(self, owner: Owner) -> None:
        running = factories.begun(owner).conversation_id
        request_id = uuid4()
        drafts.save(owner, running, "While it is written", request_id)

        with pytest.raises(Conflict):
            send(owner, running, "While it is written", request_id)

        assert draft_of(owner, running) == Typed("While it is written", request_id)

    def test_what_is_too_long_keeps_it(self, owner: Owner, place: UUID | None) -> None:
        request_id, text = uuid4(), "x" * (LONGEST + 1)
        drafts.save(owner, place, text, request_id)

        with pytest.raises(Invalid):
            send(owner, place, text, request_id)

        assert draft_of(owner, place) == Typed(text, request_id)

    def test_that_breaks_off_keeps_it(self, owner: Owner, mine: UUID) -> None:
        """It is gone together with the question's coming, or not at all."""
        request_id = uuid4()
        drafts.save(owner, mine, "Why?", request_id)
        no_process = uuid4()

        with pytest.raises(IntegrityError):
            questions.ask(owner, mine, "Why?", LONGEST, request_id, no_process, UNLIMITED)

        assert draft_of(owner, mine) == Typed("Why?", request_id)
        assert len(factories.rows(Message)) == 2

    @pytest.mark.parametrize("late", ["Why is the sk", "Why is the sky blue?", ""])
    def test_is_not_undone_by_a_save_that_comes_late(
        self, owner: Owner, place: UUID | None, late: str
    ) -> None:
        request_id = uuid4()
        conversation_id = send(owner, place, "Why is the sky blue?", request_id)

        drafts.save(owner, place, late, request_id)

        assert draft_of(owner, place) == draft_of(owner, conversation_id) == NOTHING

    def test_leaves_what_is_typed_on_by_who_has_not_heard_of_it(
        self, owner: Owner, place: UUID | None
    ) -> None:
        request_id = uuid4()
        send(owner, place, "Why?", request_id)

        kept_as = drafts.save(owner, place, "Why? And at night?", request_id)

        assert kept_as != request_id
        assert draft_of(owner, place) == Typed("Why? And at night?", kept_as)

    def test_is_not_undone_after_something_else_was_typed(
        self, owner: Owner, place: UUID | None
    ) -> None:
        request_id, next_id = uuid4(), uuid4()
        send(owner, place, "Why?", request_id)
        drafts.save(owner, place, "And next", next_id)

        drafts.save(owner, place, "Wh", request_id)

        assert draft_of(owner, place) == Typed("And next", next_id)


class TestAtOnce:
    def test_saves_leave_one(self, owner: Owner, place: UUID | None, at_once: AtOnce) -> None:
        """Also the very first of a new guest."""
        ids = [uuid4() for _ in range(12)]

        results = at_once([partial(drafts.save, owner, place, str(id), id) for id in ids])

        assert results == ids
        (row,) = factories.rows(Draft)
        assert row.text == str(row.request_id)
        assert row.request_id in ids

    @pytest.mark.parametrize("is_new", [True, False], ids=["a new chat", "a conversation"])
    def test_a_save_and_a_send_leave_none(
        self, stranger: Owner, is_new: bool, at_once: AtOnce
    ) -> None:
        """Whichever is first: the question is there and its draft is not."""
        for _ in range(15):
            owner = owners.guest(owners.new_token()) if is_new else stranger
            place, request_id = None if is_new else factories.conversation(owner), uuid4()
            save = partial(drafts.save, owner, place, "Why is the sk", request_id)

            *saved, sent = at_once(
                [save, save, save, partial(send, owner, place, "Why is the sky blue?", request_id)]
            )

            assert saved == [request_id] * 3
            assert isinstance(sent, UUID)
            assert factories.rows(Draft) == []
