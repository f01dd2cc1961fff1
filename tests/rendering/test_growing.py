"""A reader's page follows a growing text, and ends as a reload would show it."""

import random

import pytest

from chatweb.rendering import blocks, growing
from chatweb.rendering.growing import Growing, snapshot
from tests.rendering.corpus import ATTACKS, LARGE
from tests.rendering.documents import document, pieces
from tests.rendering.page import Page, parsed, plain
from tests.rendering.test_markdown import assert_harmless


def shown(body: str) -> str:
    return plain(parsed(body))


def assert_follows(text: str, seed: int, most: int) -> None:
    """After each piece the page is what a page loaded at that moment would be."""
    reader, page, have = Growing(7), Page(7), ""
    for piece in pieces(text, seed, most):
        have += piece
        page.apply(reader.update(have))
        loaded, offset = snapshot(7, have)
        assert page.body == shown(loaded), have
        assert reader.offset == offset
    page.apply(reader.finish(text))
    assert page.body == shown(blocks.body(7, text)), text


def test_random_documents_grow_into_their_bodies() -> None:
    for seed in range(250):
        text = document(seed, 4 + seed % 12, definitions=seed % 9 == 0)
        assert_follows(text, seed, most=(3, 12, 40)[seed % 3])


def test_large_documents_grow_into_their_bodies() -> None:
    for seed in range(12):
        text, reader, page, have = document(seed, 300, seed % 2 == 0), Growing(7), Page(7), ""
        for piece in pieces(text, seed, 60):
            have += piece
            page.apply(reader.update(have))
        page.apply(reader.finish(text))
        assert page.body == shown(blocks.body(7, text))


@pytest.mark.parametrize(("name", "text"), ATTACKS, ids=[name for name, _ in ATTACKS])
def test_hostile_text_grows_harmlessly(name: str, text: str) -> None:
    reader, page, have = Growing(7), Page(7), ""
    for piece in pieces(text, len(text), 5):
        have += piece
        page.apply(reader.update(have))
        for block in parsed(page.body).select(".block"):
            assert_harmless(block.decode_contents())
    page.apply(reader.finish(text))
    assert page.body == shown(blocks.body(7, text))


@pytest.mark.parametrize(("name", "text"), LARGE, ids=[name for name, _ in LARGE])
def test_large_hostile_text_arrives_whole(name: str, text: str) -> None:
    reader, page = Growing(7), Page(7)
    for end in (1000, len(text) // 2):
        page.apply(reader.update(text[:end]))
    page.apply(reader.finish(text))
    assert parsed(page.body).get_text() == parsed(blocks.body(7, text)).get_text()


def test_a_reader_resumes_at_any_point() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        text = document(seed, definitions=seed % 5 == 0)
        seen = text[: chance.randint(0, len(text))]
        later = text[: chance.randint(len(seen), len(text))]
        body, offset = snapshot(7, seen)
        page, reader = Page(7, body), Growing(7)
        if later:
            reader.update(later)
            page.apply(reader.catch_up(offset))
            assert page.body == shown(snapshot(7, later)[0])
        page.apply(reader.finish(text))
        assert page.body == shown(blocks.body(7, text))


def test_a_page_from_any_moment_catches_up_with_all_others() -> None:
    for seed in range(300):
        chance = random.Random(seed)
        text = document(seed, 4 + seed % 12, definitions=seed % 7 == 0)
        reader, page, have, others = Growing(7), Page(7), "", [(Page(7), None)]
        for piece in pieces(text, seed, (3, 12, 40)[seed % 3]):
            have += piece
            page.apply(reader.update(have))
            if chance.random() < 0.1:
                loaded, offset = snapshot(7, have)
                others.append((Page(7, loaded), offset))
            if chance.random() < 0.1:
                late, shown_from = others.pop(chance.randrange(len(others)))
                late.apply(reader.catch_up(shown_from))
                assert late.body == page.body, have
                others.append((late, reader.offset))
        page.apply(reader.finish(text))
        for late, shown_from in others:
            late.apply(reader.catch_up(shown_from))
            assert late.body == page.body == shown(blocks.body(7, text))


def test_a_repeated_event_changes_nothing() -> None:
    text = "one\n\ntwo\n\nthree words"
    body, offset = snapshot(7, text)
    page = Page(7, body)
    for _ in range(2):
        reader = Growing(7)
        reader.update(text)
        page.apply(reader.catch_up(offset))
        assert page.body == shown(body)


@pytest.mark.parametrize("kept", ["", "one", "one\n\ntw", "quite another\n\ntext"])
def test_the_page_takes_the_text_that_was_kept(kept: str) -> None:
    text = "one\n\ntwo\n\n- three\n- four"
    for resumed in (False, True):
        body, offset = snapshot(7, text)
        page, reader = Page(7, body), Growing(7)
        if resumed:
            reader.finish(kept)
            page.apply(reader.catch_up(offset))
        else:
            reader.update(text)
            page.apply(reader.catch_up(offset))
            page.apply(reader.finish(kept))
        assert page.body == shown(blocks.body(7, kept))


def test_an_answer_without_words_has_one_empty_block() -> None:
    reader, page = Growing(7), Page(7)
    assert reader.update("") is None
    page.apply(reader.finish(""))
    assert page.body == shown(blocks.body(7, ""))


def test_nothing_new_sends_nothing() -> None:
    reader = Growing(7)
    assert reader.update("some words")
    assert reader.update("some words") is None
    assert reader.update("some words ") is None
    assert reader.finish("some words \n") is None


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("words\n\n-", "words"),
        ("words\n\n1.", "words"),
        ("words\n\n``", "words"),
        ("words\n\n```py", "words"),
        ("words\n\n#", "words"),
        ("words **", "words"),
        ("words **bold", "words bold"),
        ("words `co", "words co"),
        ("words [link](https://e", "words"),
        ("words https://exam", "words"),
        ("words\n\n| a | b |", "words"),
        ("words\n\n| a | b |\n|--", "words"),
        ("| a | b |\n|---|---|\n| one | tw", "ab"),
        ("Title\n--", "Title"),
    ],
)
def test_a_half_made_end_waits(text: str, seen: str) -> None:
    page, reader = Page(7), Growing(7)
    page.apply(reader.update(text))
    assert parsed(page.body).get_text() == seen
    page.apply(reader.finish(text))
    assert page.body == shown(blocks.body(7, text))


def test_plain_words_are_not_rendered_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, page, text = Growing(7), Page(7), "- A list with **bold** words"
    page.apply(reader.update(text))
    with monkeypatch.context() as patch:
        patch.setattr(growing, "to_html", None)
        for words in (" and", " more,", " until the", " end", ". "):
            text += words
            page.apply(reader.update(text))
    assert page.body == shown(snapshot(7, text)[0])


@pytest.mark.parametrize(
    "text",
    [
        "Some words",
        "Some words\n\n",
        "- A list with **bold** words",
        "# A *fine* title\n",
        "> 1. words\n",
    ],
)
def test_a_block_that_ends_in_plain_words_is_not_rendered_again(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    reader, page = Growing(7), Page(7)
    page.apply(reader.update(text.rstrip()))
    with monkeypatch.context() as patch:
        patch.setattr(growing, "to_html", None)
        page.apply(reader.update(text))
        page.apply(reader.finish(text))
    assert page.body == shown(blocks.body(7, text))


@pytest.mark.parametrize("text", ["Some **words\n", "Some **words\n\nand others", "a `b c\n"])
def test_a_mark_that_stays_open_is_shown_at_last(text: str) -> None:
    reader, page = Growing(7), Page(7)
    for end in range(1, len(text)):
        page.apply(reader.update(text[:end]))
    page.apply(reader.finish(text))
    assert page.body == shown(blocks.body(7, text))


def test_a_title_that_ends_in_plain_words_is_above_what_follows() -> None:
    reader, page, text = Growing(7), Page(7), "## One\n\n### Two\n\n#### Three\n\n## Four"
    for end in range(1, len(text)):
        page.apply(reader.update(text[:end]))
    page.apply(reader.finish(text))
    assert [title.name for title in parsed(page.body).select("h3, h4, h5")] == [
        "h3", "h4", "h5", "h3",
    ]  # fmt: skip


def test_a_long_answer_costs_little_on_the_wire() -> None:
    sentence = "It rains in **Spain**, mainly in the `plain`, and what is more it stays there. "
    text = (("# Title\n\n" + sentence * 3 + "\n\n- one\n- two\n\n") * 60)[:12_000]
    reader, page = Growing(7), Page(7)
    for end in range(8, len(text) + 1, 8):
        page.apply(reader.update(text[:end]))
    page.apply(reader.finish(text))
    assert page.received < 25 * len(text)
