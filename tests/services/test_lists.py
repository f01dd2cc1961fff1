"""Lists of conversations: one's own, newest first, complete page by page."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatweb.services import conversations, lists
from chatweb.services.owners import Owner
from tests import factories
from tests.factories import LONG_AGO


def every_page(owner: Owner, limit: int) -> list[UUID]:
    found, cursor = [], None
    while True:
        rows, cursor = lists.recent(owner, cursor, limit)
        assert len(rows) <= limit
        found += [row.id for row in rows]
        if cursor is None:
            return found


class TestRecent:
    def test_is_empty_for_somebody_new(self, owner: Owner) -> None:
        assert lists.recent(owner) == ([], None)

    def test_is_newest_first_and_only_ones_own(self, owner: Owner, stranger: Owner) -> None:
        ids = factories.conversations(owner, 3)
        factories.conversations(stranger, 3)

        rows, more = lists.recent(owner)

        assert [row.id for row in rows] == ids[::-1]
        assert more is None

    def test_a_new_question_brings_a_talk_to_the_top(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 3)

        factories.asked(owner, ids[0])

        rows, _ = lists.recent(owner)
        assert [row.id for row in rows] == [ids[0], ids[2], ids[1]]
        assert [row.running for row in rows] == [True, False, False]

    @pytest.mark.parametrize("status", ["archived", "closed", "deleted"])
    def test_shows_active_ones_only(self, owner: Owner, status: str) -> None:
        factories.conversations(owner, 1)
        factories.set_all(status=status)

        assert lists.recent(owner) == ([], None)

    @pytest.mark.parametrize("limit", [1, 2, 7, 12, 50])
    def test_pages_are_complete_and_in_order(self, owner: Owner, limit: int) -> None:
        ids = factories.conversations(owner, 12)

        assert every_page(owner, limit) == ids[::-1]

    def test_a_page_that_is_just_full_is_the_last(self, owner: Owner) -> None:
        factories.conversations(owner, lists.PAGE)
        rows, more = lists.recent(owner)
        assert (len(rows), more) == (lists.PAGE, None)

        factories.conversations(owner, 1)
        rows, more = lists.recent(owner)
        assert len(rows) == lists.PAGE
        assert more

    def test_pages_stay_complete_when_all_are_of_one_moment(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 12)
        factories.set_all(last_message_at=LONG_AGO)

        assert every_page(owner, 5) == sorted(ids, reverse=True)

    def test_the_next_page_goes_on_while_new_ones_come(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 9)
        first, cursor = lists.recent(owner, limit=4)
        factories.begun(owner)
        conversations.delete(owner, ids[-1])

        second, cursor = lists.recent(owner, cursor, limit=4)
        factories.begun(owner)
        third, cursor = lists.recent(owner, cursor, limit=4)

        assert [row.id for row in (*first, *second, *third)] == ids[::-1]
        assert cursor is None

    def test_a_page_begins_behind_a_conversation_that_is_gone(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 4)
        rows, cursor = lists.recent(owner, limit=2)
        conversations.delete(owner, rows[-1].id)

        rows, _ = lists.recent(owner, cursor, limit=2)

        assert [row.id for row in rows] == [ids[1], ids[0]]

    @given(
        st.text(max_size=60) | st.datetimes().map(lambda at: f"{at:%Y%m%dT%H%M%S.%f}-" + "f" * 32)
    )
    def test_no_cursor_made_by_hand_shows_what_is_anothers(self, owner: Owner, cursor: str) -> None:
        rows, _ = lists.recent(owner, cursor)

        assert not rows


class TestChosen:
    def test_is_all_that_is_not_deleted(self, owner: Owner, stranger: Owner) -> None:
        active, archived, closed, deleted = factories.conversations(owner, 4)
        factories.conversations(stranger, 1)
        conversations.change(owner, archived, status="archived")
        conversations.change(owner, closed, status="closed")
        conversations.delete(owner, deleted)

        rows, more = lists.chosen(owner)

        assert [row.id for row in rows] == [closed, archived, active]
        assert more is None

    @pytest.mark.parametrize("status", lists.STATUSES)
    def test_is_what_has_a_status(self, owner: Owner, status: str) -> None:
        for number, id in enumerate(factories.conversations(owner, 6)):
            conversations.change(owner, id, status=lists.STATUSES[number % 3])

        rows, _ = lists.chosen(owner, status)

        assert [row.status for row in rows] == [status, status]

    def test_pages_are_complete_and_in_order(self, owner: Owner) -> None:
        ids = factories.conversations(owner, 5)
        found, cursor = [], None
        for _ in range(3):
            rows, cursor = lists.chosen(owner, None, cursor, 2)
            found += [row.id for row in rows]

        assert (found, cursor) == (ids[::-1], None)


class TestPassedOver:
    def test_gives_a_page_and_the_number_of_all(self, owner: Owner, stranger: Owner) -> None:
        ids = factories.conversations(owner, 5)
        factories.conversations(stranger, 1)

        rows, total = lists.passed_over(owner, 2, 3)

        assert [row.id for row in rows] == [ids[1], ids[0]]
        assert total == 5

    def test_is_empty_behind_the_end(self, owner: Owner) -> None:
        factories.conversations(owner, 1)

        assert lists.passed_over(owner, 10, 1) == ([], 1)
