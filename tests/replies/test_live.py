"""The text of one answer: grows in one thread, is followed in others, until its end is kept."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from chatweb.replies import live
from chatweb.replies.live import End, Glimpse, LiveText

FOR_EVER = 3600.0
PATIENCE = 20.0


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers look all the time, and get a sign of life when two looks found nothing."""
    monkeypatch.setattr(live, "PACE", 0.001)
    monkeypatch.setattr(live, "HEARTBEAT", 0.002)


@pytest.fixture
def woken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Readers look only when they are woken."""
    monkeypatch.setattr(live, "PACE", FOR_EVER)
    monkeypatch.setattr(live, "HEARTBEAT", FOR_EVER)


def followed(text: LiveText) -> tuple[threading.Thread, list[Glimpse]]:
    """Somebody who follows, and what they see."""
    seen: list[Glimpse] = []
    reader = threading.Thread(target=lambda: seen.extend(text.follow()), daemon=True)
    reader.start()
    return reader, seen


def test_an_ended_text_is_seen_whole_at_once() -> None:
    text = LiveText(1)
    text.append("Once upon")
    text.append(" a time")
    text.finish()

    assert list(text.follow()) == [Glimpse("Once upon a time", True)]


def test_a_text_that_ends_without_a_word_is_seen_to_end() -> None:
    text = LiveText(1)
    text.finish()

    assert list(text.follow()) == [Glimpse("", True)]


@pytest.mark.usefixtures("hasty")
def test_it_is_seen_to_grow() -> None:
    text = LiveText(1)
    glimpses = (each for each in text.follow() if each.text is not None)

    text.append("Once")
    first = next(glimpses)
    text.append(" upon")
    second = next(glimpses)
    text.finish()

    assert [first, second, *glimpses] == [
        Glimpse("Once", False), Glimpse("Once upon", False), Glimpse("Once upon", True),
    ]  # fmt: skip


@pytest.mark.usefixtures("woken")
def test_the_first_letter_and_the_end_wake_its_readers() -> None:
    text = LiveText(1)
    reader, seen = followed(text)

    text.append("O")
    text.finish()
    reader.join(PATIENCE)

    assert not reader.is_alive()
    assert seen[-1] == Glimpse("O", True)


@pytest.mark.usefixtures("hasty")
def test_an_end_that_is_not_kept_yet_is_no_end() -> None:
    """What is shown after the end is what a reload shows."""
    text = LiveText(1)
    text.append("Once")
    text.end = End("complete")
    glimpses = text.follow()

    assert {next(glimpses).ended for _ in range(5)} == {False}


def test_its_end_may_have_another_text() -> None:
    text = LiveText(1)
    text.append("What was seen")

    text.finish("What is stored")

    assert list(text.follow()) == [Glimpse("What is stored", True)]
    assert len(text) == len("What is stored")


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("other", ["", "On", "Once upon a time"])
def test_it_may_be_replaced_by_another_even_a_shorter_one(other: str) -> None:
    text = LiveText(1)
    text.append("Once")
    glimpses = text.follow()
    assert next(glimpses) == Glimpse("Once", False)

    text.replace(other)

    assert next(each for each in glimpses if each.text is not None) == Glimpse(other, False)
    assert text.text() == other


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("begin", [lambda text: None, lambda text: text.append("Once")])
def test_silence_is_broken_by_signs_of_life(begin: Callable[[LiveText], None]) -> None:
    text = LiveText(1)
    begin(text)
    glimpses = text.follow()

    signs = [next(each for each in glimpses if each.text is None) for _ in range(3)]

    assert signs == [Glimpse(None, False)] * 3


def test_a_text_goes_on_from_what_is_there() -> None:
    text = LiveText(1, "Once upon")

    text.append(" a time")

    assert (text.text(), len(text)) == ("Once upon a time", 16)


def test_readers_are_counted_while_they_read() -> None:
    before, text = LiveText.readers, LiveText(1)
    text.append("Once")
    one, two = text.follow(), text.follow()
    next(one), next(two)
    assert LiveText.readers == before + 2

    one.close()
    assert LiveText.readers == before + 1
    text.finish()
    list(two)
    assert LiveText.readers == before


@pytest.mark.usefixtures("hasty")
def test_many_readers_and_a_writer_agree_at_every_moment() -> None:
    text, words = LiveText(1), [f"word{number} " for number in range(2000)]
    readers = [followed(text) for _ in range(8)]

    for word in words:
        text.append(word)
    text.finish()
    for reader, _ in readers:
        reader.join(PATIENCE)

    whole = "".join(words)
    for _, seen in readers:
        assert seen[-1] == Glimpse(whole, True)
        texts = [each.text for each in seen if each.text is not None]
        assert all(whole.startswith(each) for each in texts)
        assert [*map(len, texts)] == sorted(map(len, texts))
