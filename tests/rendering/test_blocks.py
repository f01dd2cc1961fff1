"""A body is a row of blocks, and looks like the whole text rendered at once."""

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings

from chatweb.rendering import blocks
from chatweb.rendering.markdown import to_html
from chatweb.rendering.outlines import Outline
from tests.rendering.corpus import ATTACKS
from tests.rendering.documents import document
from tests.rendering.page import parsed
from tests.rendering.test_markdown import MARKDOWN, assert_harmless


def insides(text: str) -> str:
    """What stands in the blocks of ``text``."""
    starts = blocks.starts(text)
    ends, outline = [*starts[1:], len(text)], Outline()
    return "".join(
        to_html(text[begin:end], outline) for begin, end in zip(starts, ends, strict=True)
    )


def differs(text: str) -> bool:
    """Whether blocks show something else than the whole; a text shown as typed is its own case."""
    whole = to_html(text)
    return 'class="raw"' not in whole and insides(text) != whole


def test_blocks_of_random_documents_are_the_whole() -> None:
    assert [
        seed for seed in range(3000) if differs(document(seed, 4 + seed % 24, seed % 9 == 0))
    ] == []


@settings(max_examples=600, derandomize=True, deadline=None, database=None)
@given(MARKDOWN)
def test_blocks_of_any_text_are_the_whole(text: str) -> None:
    assert not differs(text)


@pytest.mark.parametrize(("name", "text"), ATTACKS, ids=[name for name, _ in ATTACKS])
def test_blocks_of_hostile_text_are_the_whole_and_harmless(name: str, text: str) -> None:
    assert not differs(text)
    assert_harmless(insides(text))


@pytest.mark.parametrize(
    ("name", "nothing"),
    [("_LIST_MARK", "(?!x)x(y)(z)"), ("_FENCE", "(?!x)x(y)(z)"), ("_DEFINITION", "(?!x)x")],
)
def test_the_comparison_notices_a_broken_rule(
    monkeypatch: pytest.MonkeyPatch, name: str, nothing: str
) -> None:
    monkeypatch.setattr(blocks, name, re.compile(nothing))
    assert any(differs(document(seed, 4 + seed % 24, seed % 9 == 0)) for seed in range(1500))


def test_a_cut_once_made_stays() -> None:
    """Blocks of a growing text only ever go on at the end."""
    for seed in range(400):
        text = document(seed)
        before: list[int] = [0]
        for end in range(1, len(text) + 1):
            starts = blocks.starts(text[:end])
            assert starts[: len(before)] == before, text[:end]
            before = starts


@pytest.mark.parametrize(
    ("text", "starts"),
    [
        ("", [0]),
        ("\n\na", [0, 2]),
        ("a\n\nb", [0, 3]),
        ("a\r\n\r\nb", [0, 5]),
        ("- a\n\n- b\n\nc", [0, 10]),
        ("- a\n\n* b\n\n", [0, 5]),
        ("1. a\n\n2. b\n", [0]),
        ("1. a\n\n2) b\n", [0, 6]),
        ("```\na\n\nb\n```\n\nc", [0, 14]),
        ("- a\n  ```\n  b\n\nc\n", [0, 15]),
        ("   ```\na\n\nb\n   ```\n\nc", [0, 20]),
        ("a\n\n-", [0]),
        ("a\n\n- ", [0, 3]),
        ("a\n\n12", [0]),
        ("a\n\n12 apples", [0, 3]),
        ("[a]\n\n[a]: https://e.org\n\nb", [0]),
        ("a\n\n```\n[a]: https://e.org\n```\n\nb", [0, 3, 31]),
        ("    a\n\n    b\n\nc", [0, 14]),
    ],
)
def test_where_blocks_begin(text: str, starts: list[int]) -> None:
    assert blocks.starts(text) == starts


def test_blocks_are_named_by_message_and_offset() -> None:
    body = parsed(blocks.body(7, "one\n\ntwo"))
    assert [block["id"] for block in body.select(".block")] == ["b7-0", "b7-5"]
    assert [block.text for block in body.select(".block")] == ["one", "two"]


def test_an_empty_message_has_one_empty_block() -> None:
    assert blocks.body(7, "") == '<div class="block" id="b7-0"></div>'


def headings(body: str) -> list[int]:
    return [int(heading.name[1]) for heading in parsed(body).select("h1, h2, h3, h4, h5, h6")]


@pytest.mark.parametrize(
    ("text", "levels"),
    [
        ("### a\n\n### b\n", [3, 3]),
        ("### a\n\n#### b\n\n##### c\n\n### d\n", [3, 4, 5, 3]),
        ("# a\n\n### b\n\n## c\n\n### d\n", [3, 4, 4, 5]),
        ("### a\n\n# b\n\n## c\n", [3, 3, 4]),
        ("a\n===\n\nb\n---\n\n> ### c\n\n- # d\n", [3, 4, 5, 3]),
        ("# a\n## b\n### c\n#### d\n##### e\n###### f\n", [3, 4, 5, 6, 6, 6]),
        ("#### a\n[x]: https://e.org\n\n###### b\n", [3, 4]),
    ],
)
def test_a_heading_s_level_says_what_it_is_below(text: str, levels: list[int]) -> None:
    assert headings(blocks.body(7, text)) == levels


def test_no_heading_of_a_message_leaves_a_level_out() -> None:
    for seed in range(600):
        levels = [2, *headings(blocks.body(7, document(seed, 24, seed % 9 == 0)))]
        assert all(3 <= level <= before + 1 for before, level in pairwise(levels))
