"""Random documents: made of the things Markdown is made of, put together without sense.

The same seed gives the same document, so a failure can be had again.
"""

import random

WORDS = [
    "alpha", "beta", "gamma delta", "é", "你好", "مرحبا", "x1", "1", "2026.", "A.", "😀", "a_b_c",
]  # fmt: skip
INLINE = [
    "**bold**", "*em*", "_em_", "~~gone~~", "`code`", "``a`b``",
    "[link](https://example.org/a)", '[t](https://example.org "a title")',
    "![pic](https://example.org/p.png)", "<https://example.org>", "https://example.org/x_y.",
    "<b>", "</div>", "<!-- c -->", "&amp;", "&nbsp;", "\\*", "\\", "**", "*", "_", "`", "~~",
    "[", "]", "](", "![", "<", "&", "[x](javascript:alert(1))", "|", "!", "#", "[]()", "[a][b]",
    "a@b.cd", "http://", "***x***", "**a `b** c`", "[**b**](https://e.org)", "<a@b.cd>",
]  # fmt: skip
STARTS = [
    "", "", "", "", "# ", "### ", "## ", "##### ", "- ", "- ", "* ", "+ ", "1. ", "1. ", "2. ", "7) ", "> ", "12. ", "9) ",
    "> - ", "- > ", "    ", "  ", "   ", "\t", " ", "- - ", "> > ", "- 1. ", "  - ", "   - ",
    "    - ", "- [ ] ", "> ```",
]  # fmt: skip
LINES = [
    "```", "```", "```python", "~~~", "~~~~ text", "  ```", "   ```", "- ```", "1. ```sh",
    "    ```", "````", "---", "***", "- - -", "===", "-", "*", "1.", "1)", "#", ">",
    "| a | b |", "|---|:-:|", "| 1 | 2 | 3 |", "| 1", "a | b", "--|--", "<div>", "", "", "", "",
    "", "  ", "\t", "```a`b", "``", "   ~~~", "\x0c", "\xa0", "-\tx", "1.\tx", "+", "- -",
    "12345678901. x", "&#10;", "> ",
]  # fmt: skip
DEFINITIONS = [
    "[b]: https://example.org/b", "[x]: /rel", "[b]: <https://e.org> 'two words'",
    "> [b]: https://e.org",
]  # fmt: skip
BEFORE_DEFINITIONS = [
    "",
    "",
    "",
    "# t\n",
    "---\n",
    "> ",
    "- ",
    "- x\n\n  ",
    "> x\n>\n> ",
    "1.\n   ",
]
NEWLINES = ["\n"] * 10 + ["\n\n"] * 6 + ["\r\n", "\r\n\r\n", "\r", "\n \n", "\n\t\n\n"]


def document(seed: int, lines: int = 14, definitions: bool = False) -> str:
    """A document of up to ``lines`` lines; one in three has line ends that are not ours."""
    chance = random.Random(seed)
    made: list[str] = []
    for _ in range(chance.randint(1, lines)):
        if definitions and chance.random() < 0.1:
            made.append(chance.choice(BEFORE_DEFINITIONS) + chance.choice(DEFINITIONS))
        elif definitions and chance.random() < 0.1:
            made.append("[a][b] [x]")
        elif chance.random() < 0.5:
            made.append(chance.choice(LINES))
        else:
            made.append(chance.choice(STARTS) + _sentence(chance))
        made.append(chance.choice(NEWLINES))
    ends = chance.choice(["\n", "\n", "\n", "\n", "\r", "\r\n"])
    return "".join(made).replace("\n", ends)


def _sentence(chance: random.Random) -> str:
    parts = [
        chance.choice(INLINE if chance.random() < 0.4 else WORDS)
        for _ in range(chance.randint(1, 6))
    ]
    return chance.choice([" ", " ", " ", ""]).join(parts)


def pieces(text: str, seed: int, most: int = 12) -> list[str]:
    """``text`` cut at random places."""
    chance = random.Random(seed)
    cut: list[str] = []
    while text:
        size = chance.randint(1, most)
        cut.append(text[:size])
        text = text[size:]
    return cut
