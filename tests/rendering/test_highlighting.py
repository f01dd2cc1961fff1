"""Colours help to read, and change nothing."""

import random

import pytest

from chatweb.rendering import highlighting
from chatweb.rendering.highlighting import highlight
from tests.rendering.page import parsed


@pytest.mark.parametrize("language", sorted(highlighting.LANGUAGES))
def test_colours_change_no_character(language: str) -> None:
    chance = random.Random(language)
    marks = [
        "'",
        '"',
        "`",
        "\\",
        "/*",
        "*/",
        "//",
        "#",
        "--",
        "<!--",
        "<",
        "&",
        "{",
        "%",
        "$",
        "(",
        ")",
    ]
    marks += [
        "\n",
        "\n",
        " ",
        "\t",
        "if",
        "a1",
        "1.5",
        ":",
        "=",
        "@x",
        "[",
        "]",
        "\x0c",
        "é",
        "\ufeff",
        ";",
    ]
    for _ in range(50):
        code = "".join(chance.choice(marks) for _ in range(40))
        made = parsed(highlight(code, language))
        assert made.get_text() == code
        assert {str(span["class"][0]) for span in made.select("span")} <= highlighting.CLASSES


@pytest.mark.parametrize(
    ("language", "code", "kinds"),
    [
        ("python", "@a.b", {"nd": ["@a.b"]}),
        ("py", "def f(x): # it's", {"k": ["def"], "nf": ["f"], "c": ["# it's"]}),
        ("Python", "f'''a\n\"''' + 'b\\'c'", {"s": ["'''a\n\"'''", "'b\\'c'"]}),
        ("js", "// a\n`b\nc` + 0x1f", {"c": ["// a"], "s": ["`b\nc`"], "m": ["0x1f"]}),
        ("c", "#include <a>\nint x = '\\n';", {"cp": ["#include"], "k": ["int"], "s": ["'\\n'"]}),
        ("rust", "fn f<'a>(x: &'a u8)", {"k": ["fn"]}),
        ("sh", "$ echo $A 'b\nc'", {"gp": ["$ "], "k": ["echo"], "vi": ["$A"], "s": ["'b\nc'"]}),
        ("sql", "SELECT f(1) -- a", {"k": ["SELECT"], "nf": ["f"], "m": ["1"], "c": ["-- a"]}),
        (
            "html",
            "<p id='a'>don't</p>",
            {"nt": ["<p", ">", "</p", ">"], "na": ["id"], "s": ["'a'"]},
        ),
        ("json", '{"a": "b", "c": null}', {"na": ['"a"', '"c"'], "s": ['"b"'], "k": ["null"]}),
        ("yaml", "a-b: don't # c", {"na": ["a-b"], "c": ["# c"]}),
        ("css", "a:hover { color: #fff }", {"na": ["color"]}),
        ("diff", "@@ 1\n-a\n+b\n c", {"gu": ["@@ 1"], "gd": ["-a"], "gi": ["+b"]}),
        ("c", '"no end\nint', {"s": ['"no end'], "k": ["int"]}),
        ("c", "/* no end\nint", {"c": ["/* no end\nint"]}),
    ],
)
def test_what_a_reader_looks_for_is_coloured(
    language: str, code: str, kinds: dict[str, list[str]]
) -> None:
    found: dict[str, list[str]] = {}
    for span in parsed(highlight(code, language)).select("span"):
        found.setdefault(str(span["class"][0]), []).append(span.text)
    assert found == kinds
