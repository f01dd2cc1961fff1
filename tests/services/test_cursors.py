"""Cursors travel through addresses, where anybody can write them."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from chatweb.services.cursors import Cursor

MOMENTS = st.integers(0, 200_000 * 86_400 * 10**6).map(
    lambda microseconds: datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds)
)


@pytest.fixture(autouse=True)
def context() -> None:
    """No database is needed here."""


@given(MOMENTS, st.uuids())
def test_a_cursor_reads_as_it_was_written(at: datetime, id: UUID) -> None:
    assert Cursor.read(str(Cursor(at, id))) == (at, id)


@given(MOMENTS, st.uuids())
def test_a_cursor_needs_no_escaping_in_an_address(at: datetime, id: UUID) -> None:
    assert set(str(Cursor(at, id))) <= set("0123456789abcdefT.-")


def test_a_cursor_is_the_same_in_every_zone() -> None:
    here = datetime(2026, 3, 29, 3, 30, tzinfo=timezone(timedelta(hours=2)))

    assert str(Cursor(here, UUID(int=1))) == str(Cursor(here.astimezone(UTC), UUID(int=1)))


@given(st.none() | st.text(st.characters(exclude_categories=[])))
@example("")
@example("-")
@example("20260101T000000.000000-")
@example("20261301T000000.000000-" + "0" * 32)
@example("00000101T000000.000000-" + "0" * 32)
@example("20260101T000000.000000-" + "g" * 32)
@example("20260101T000000.000000-" + "0" * 33)
@example("99999999T999999.999999-" + "0" * 32)
@example("20260101T000000.000000+" + "0" * 32)
def test_anything_else_is_the_first_page(text: str | None) -> None:
    assert Cursor.read(text) is None
