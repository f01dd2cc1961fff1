"""Text into safe HTML: nothing acts, nothing loads, nothing is hidden."""

import html
import re
import subprocess
import sys
from urllib.parse import unquote

import pytest
from bs4 import Tag
from hypothesis import given, settings
from hypothesis import strategies as st

from chatweb.rendering import highlighting, markdown
from chatweb.rendering.markdown import to_html
from chatweb.rendering.outlines import Outline
from tests.rendering.corpus import ATTACKS, CORPUS
from tests.rendering.documents import document
from tests.rendering.page import parsed
from tests.servers import REPOSITORY

CLASSES = {"code", "code-head", "code-language", "table", "host", "title", "definition", "raw"} | {
    "left",
    "center",
    "right",
}
ATTRIBUTES = {
    "a": {"href", "rel", "target"},
    "ol": {"dir", "start"},
    "pre": {"dir", "tabindex", "class"},
    "div": {"class", "tabindex"},
    "span": {"class", "dir"},
    "p": {"dir", "class"},
    "th": {"class"},
    "td": {"class"},
    **{tag: {"dir"} for tag in ("blockquote", "ul", "table", "h3", "h4", "h5", "h6")},
    "li": {"value"},
    **{tag: set() for tag in ("br", "hr", "em", "strong", "s", "code")},
    **{tag: set() for tag in ("thead", "tbody", "tr")},
}
MARKDOWN = st.text(
    st.one_of(
        st.sampled_from(list("ab1 .\n\n\t*_`~[]()!<>#-+|:\\&;\"'=/h")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=120,
)


def elements(text: str) -> Tag:
    return parsed(to_html(text))


def assert_harmless(made: str) -> None:
    for element in parsed(made).find_all(True):
        assert element.name in ATTRIBUTES, element.name
        assert set(element.attrs) <= ATTRIBUTES[element.name], element
        if element.name == "a":
            assert re.match(r"(https?://[^/]|mailto:)", str(element["href"])), element
            assert element["rel"] == ["noopener", "noreferrer", "nofollow"]
            assert element["target"] == "_blank"
        for name in element.get_attribute_list("class"):
            assert name is None or name in CLASSES | highlighting.CLASSES, name
    # htmx looks for these in what it receives before it parses it.
    assert not re.search(r"</?hx-|<head", made, re.IGNORECASE)
    assert "\r" not in made
    assert "\0" not in made
    made.encode()


def assert_complete(text: str, made: str) -> None:
    """Every word of ``text`` can be read, or is where a link leads."""
    tree = parsed(made)
    links = " ".join(str(link["href"]) for link in tree.find_all("a"))
    shown = " ".join([tree.get_text(), links, unquote(links)])
    shown += html.unescape(shown)
    counted = {number for ordered in tree.find_all("ol") for number in numbers(ordered)}
    for word in re.findall(r"[^\W_]+", html.unescape(text)):
        numbered = word.isdecimal() and int(word) in counted
        assert word in shown or numbered, f"{word!r} of {text!r} is not in {made}"


def numbers(ordered: Tag) -> list[int]:
    """The numbers that a browser shows before the items of a list."""
    shown: list[int] = []
    counted = int(str(ordered.get("start", 1))) - 1
    for item in ordered.find_all("li", recursive=False):
        counted = int(str(item.get("value", counted + 1)))
        shown.append(counted)
    return shown


@pytest.mark.parametrize(("name", "text"), CORPUS, ids=[name for name, _ in CORPUS])
def test_hostile_text_is_only_text(name: str, text: str) -> None:
    assert_harmless(to_html(text))


# What no page can hold, and addresses that are shown in another spelling.
RESPELLED = {"surrogates", "host like another", "odd addresses", "javascript entities"}
READABLE = [(name, text) for name, text in ATTACKS if name not in RESPELLED]


@pytest.mark.parametrize(("name", "text"), READABLE, ids=[name for name, _ in READABLE])
def test_no_word_of_hostile_text_is_hidden(name: str, text: str) -> None:
    assert_complete(text, to_html(text))


def test_no_word_of_random_documents_is_hidden() -> None:
    for seed in range(1500):
        text = document(seed, definitions=seed % 3 == 0)
        made = to_html(text)
        assert_harmless(made)
        assert_complete(text, made)


@settings(max_examples=600, derandomize=True, deadline=None, database=None)
@given(MARKDOWN)
def test_no_word_of_any_text_is_hidden(text: str) -> None:
    made = to_html(text)
    assert_harmless(made)
    assert_complete(text, made)


PLAIN_WORDS = st.text(
    st.one_of(
        st.sampled_from(list("abcXYZ 1.:,-'\"!?é你\u0627\n ")),
        st.characters(exclude_categories=["Cs"]),
    ),
    max_size=30,
)


@settings(max_examples=600, derandomize=True, deadline=None, database=None)
@given(PLAIN_WORDS)
def test_words_that_are_not_parsed_look_as_if_they_were(words: str) -> None:
    for text in (words, f"word {words}", f"{words}\n\n"):
        assert to_html(text) == markdown._parsed(text, Outline(), False)


def test_every_plain_character_looks_as_if_it_were_parsed() -> None:
    letters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    plain = [letter for letter in letters if markdown.PLAIN.fullmatch(letter)]
    for begin in range(0, len(plain), 5000):
        text = f"a{''.join(plain[begin : begin + 5000])}a"
        assert markdown._PLAIN_LINE.fullmatch(text)
        assert to_html(text) == markdown._parsed(text, Outline(), False)
    for letter in letters:
        if markdown._PLAIN_LINE.fullmatch(letter) and not markdown.PLAIN.fullmatch(letter):
            assert to_html(letter) == markdown._parsed(letter, Outline(), False), hex(ord(letter))


def test_a_line_end_is_a_line_break() -> None:
    assert elements("one\ntwo").select_one("p > br")


def test_a_link_whose_words_hide_the_host_is_followed_by_it() -> None:
    made = elements("[click](https://evil.example/x) [good.example](http://evil.example)")
    assert [host.text for host in made.select("a + .host")] == ["evil.example", "evil.example"]


@pytest.mark.parametrize(
    "text",
    [
        "https://e.org/a",
        "<https://e.org>",
        "[e.org](https://e.org/a)",
        "[https://E.org/](http://e.org)",
    ],
)
def test_a_link_whose_words_show_the_host_is_not(text: str) -> None:
    assert elements(text).select("a")
    assert not elements(text).select(".host")


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("see https://e.org/a_b_c.", "https://e.org/a_b_c"),
        ("(https://e.org/a_(b))", "https://e.org/a_(b)"),
        ("請看https://e.org/a。", "https://e.org/a"),
        ("**https://e.org**", "https://e.org"),
        ("![see https://e.org/a](x.png)", "https://e.org/a"),
        ("![https://e.org](x.png)", "https://e.org"),
        ("[see https://e.org/a](/c/1) and", "https://e.org/a"),
        ("![see https://e.org/a][none]", "https://e.org/a"),
        ("[[https://e.org/a]] b", "https://e.org/a"),
        ("https://e.org/a[1]", "https://e.org/a%5B1%5D"),
        ("https://e.org/a[1].", "https://e.org/a%5B1%5D"),
        ("[https://e.org/a[1]]", "https://e.org/a%5B1%5D"),
        ("https://[::1]/a]b", "https://[::1]/a"),
    ],
)
def test_a_bare_address_is_a_link(text: str, address: str) -> None:
    assert [link["href"] for link in elements(text).select("a")] == [address]


def test_both_addresses_of_a_broken_link_are_links() -> None:
    made = elements("![https://e.org/a](https://f.org/b c)").select("a")
    assert [link["href"] for link in made] == ["https://e.org/a", "https://f.org/b"]


def test_an_address_in_a_picture_s_description_can_be_read() -> None:
    made = elements("![see https://e.org/a](https://f.org/b.png)").select("a")
    assert [(link.text, link["href"]) for link in made] == [
        ("see https://e.org/a", "https://f.org/b.png")
    ]


def test_an_address_in_code_or_in_a_link_is_no_second_link() -> None:
    assert len(elements("`https://a.org` [https://b.org](https://b.org)").select("a")) == 1


def test_a_picture_becomes_a_link_in_its_words() -> None:
    made = elements("![a cat](https://e.org/c.png) ![](https://e.org/d.png)")
    assert [link.text for link in made.select("a")] == ["a cat", "https://e.org/d.png"]


def test_a_picture_inside_a_link_is_its_words_and_then_its_address() -> None:
    made = elements("[![a cat](https://e.org/c.png)](https://f.org)")
    assert [(link.text, link["href"]) for link in made.select("a")] == [
        ("a cat", "https://f.org"),
        ("https://e.org/c.png", "https://e.org/c.png"),
    ]


def test_cells_beyond_the_table_join_the_last_one() -> None:
    made = elements("> | a | b |\n> |--:|---|\n> | 1 | 2 | 3 | 4 |\n")
    assert [cell.text for cell in made.select("td")] == ["1", "2 | 3 | 4"]
    assert [cell.get("class") for cell in made.select("th")] == [["right"], None]


def test_a_definition_is_shown_where_it_stands_and_works() -> None:
    made = elements('[x][y]\n\n[y]: https://e.org "its title"\n')
    assert made.select_one('p > a[href="https://e.org"]')
    assert "its title" in made.select(".definition")[0].text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("1. a\n2. b\n3. c", [[1, 2, 3]]),
        ("7. a\n8. b\n12. c\n13. d", [[7, 8, 12, 13]]),
        ("3. a\n2. b\n2. c\n1. d", [[3, 2, 2, 1]]),
        ("0) a\n1) b\n3) c", [[0, 1, 3]]),
        ("7. 8. 1986.", [[7], [8], [1986]]),
        ("1. a\n\n   5. b\n   7. c\n\n4. d", [[1, 4], [5, 7]]),
        ("- 2. a\n  4. b\n- 3. c", [[2, 4], [3]]),
        ("1. a\n1. b\n1. c", [[1, 2, 3]]),  # Markdown for: count for me
        ("1. a\n1. b\n2. c\n1. d", [[1, 2, 2, 1]]),
    ],
)
def test_items_of_a_list_keep_their_numbers(text: str, shown: list[list[int]]) -> None:
    assert [numbers(ordered) for ordered in elements(text).select("ol")] == shown


def test_only_a_number_that_does_not_count_up_is_said() -> None:
    made = elements("7. a\n8. b\n12. c\n13. d\n").select("li")
    assert [item.get("value") for item in made] == [None, None, "12", None]


def test_text_nested_too_deep_is_shown_as_typed() -> None:
    text = ">" * 30 + " words\n\n<b>&amp;\r\n"
    raw = elements(text).select_one("pre.raw")
    assert raw is not None
    assert raw.text == text.replace("\r\n", "\n")


def test_code_is_coloured_by_classes_and_says_its_language() -> None:
    made = elements("```python title=x\nimport os\n```")
    assert made.select_one(".code .code-head .code-language").text == "python title=x"
    assert made.select_one(".code pre code .k").text == "import"


@pytest.mark.parametrize(
    "text",
    [
        "```nonsense\nimport os\n```",
        "```python\n" + "import os\n" * 3000 + "```",
        "```\nx\n```",
        "    x",
    ],
)
def test_code_that_is_long_or_unknown_is_plain(text: str) -> None:
    assert elements(text).select("pre > code")
    assert not elements(text).select("code span")


def test_code_that_still_grows_is_plain() -> None:
    text = "```python\nimport os\n```\n```python\nimport sys"
    coloured = [
        bool(code.select("span")) for code in parsed(to_html(text, growing=True)).select("code")
    ]
    assert coloured == [True, False]


def test_only_outermost_elements_choose_a_direction() -> None:
    made = elements("> - مرحبا\n\n- a\n  - b\n\nc\n")
    assert [tag.name for tag in made.select("[dir=auto]")] == ["blockquote", "ul", "p"]


def test_the_parser_is_whole_before_threads_use_it() -> None:
    """Its rules are put in order with their first use: another thread would meet half of them."""
    whole = "from chatweb.rendering.markdown import _parser as made; "
    whole += "rulers = [made.core.ruler, made.block.ruler, made.inline.ruler, made.inline.ruler2]; "
    whole += "assert all(vars(each)['__cache__'] for each in rulers)"

    subprocess.run([sys.executable, "-c", whole], check=True, cwd=REPOSITORY)  # noqa: S603
