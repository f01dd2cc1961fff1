"""Tables are those of the library, but whole."""

import random
from collections.abc import Iterator

import pytest
from markdown_it.rules_block.table import table as library_table
from markdown_it.token import Token

from chatweb.rendering import markdown, tables
from chatweb.rendering.markdown import to_html
from tests.rendering.documents import document
from tests.rendering.page import parsed

PIECES = [
    "| a | b |", "|---|:-:|", "--|--", ":-|-:|", "a|b", "| 1 | 2 | 3 |", "| 1", "|", "||", "|-|",
    "a \\| b | c", "\\|", "\\\\| x |", "| `a|b` | c |", "- | -", "-|", "|:|", "| - |", ":--", "---",
    "text", "# a|b", "> a|b", "> -|-", "- a|b", "  -|-", "    a|b", "\t|-|-|", "   a|b", "   -|-",
    "```", "|\xa0|\u2003|", "| |", "|a|\\", "-\t|-", "|-|-", "a||b", "", "",
]  # fmt: skip


def lines(seed: int) -> str:
    chance = random.Random(seed)
    return "\n".join(chance.choice(PIECES) for _ in range(chance.randint(2, 9)))


def outline(tokens: list[Token]) -> Iterator[tuple[str, str, str]]:
    """What the blocks are; the cells of either rule alike."""
    tag = side = ""
    for token in tokens:
        if token.type in ("th_open", "td_open"):
            tag, side = token.tag, str(token.attrs.get("style", "")).removeprefix("text-align:")
        elif token.type in ("th_close", "td_close"):
            tag = side = ""
        elif token.type == "inline":
            yield token.tag or tag, token.content, token.info or side
        else:
            yield token.type, token.content, ""


def test_they_are_the_library_s() -> None:
    ours, theirs = markdown._made_parser(), markdown._made_parser()
    theirs.block.ruler.at("table", library_table, {"alt": ["paragraph", "reference"]})
    made = 0
    for seed in range(6000):
        text = lines(seed) if seed % 3 else document(seed)
        mine, known = outline(ours.parse(text)), outline(theirs.parse(text))
        for (kind, words, side), (known_kind, known_words, known_side) in zip(
            mine, known, strict=True
        ):
            assert (kind, side) == (known_kind, known_side), text
            # Cells that a row has too many join the last one.
            assert words == known_words or words.startswith(f"{known_words} | "), text
            made += kind == "table_open"
    assert made > 500


@pytest.mark.parametrize("columns", [2, 5, 9, 50])
@pytest.mark.parametrize("row", ["x\n", "|\n"])
def test_a_table_of_mostly_missing_cells_stays_text(columns: int, row: str) -> None:
    head = "|" + "a|" * columns + "\n|" + "-|" * columns + "\n"
    assert not parsed(to_html(head + row * 1000)).select("table")


def test_a_table_with_some_missing_cells_is_one() -> None:
    text = "| a | b | c |\n|---|---|---|\n" + "| **part** |\n| x | y | z |\n| x | y | z |\n" * 100
    assert len(parsed(to_html(text)).select("tr")) == 301


def test_behind_a_refused_table_others_are_tables() -> None:
    head = "|a|b|c|\n|-|-|-|\n"
    assert len(parsed(to_html(head + "x\n" * 1000 + "\n" + head + "|1|2|3|\n")).select("tr")) == 2


def test_a_table_of_too_many_columns_stays_text() -> None:
    assert not parsed(to_html("a|" * 200 + "\n" + "-|" * 200 + "\n")).select("table")
    columns = tables.WIDEST
    assert parsed(to_html("a|" * columns + "\n" + "-|" * columns + "\n")).select("table")
