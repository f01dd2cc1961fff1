"""Code in colours: Pygments' tokens as ``<span class="k">`` and the like, no styles.

Colour is a help, never a condition: code that is long, or in a language not listed here, or that
a lexer would change, is shown as it is.
"""

from functools import cache, lru_cache
from html import escape

from pygments.lexer import Lexer  # type: ignore[import-untyped]  # Pygments has no types
from pygments.lexers import get_lexer_by_name  # type: ignore[import-untyped]
from pygments.token import STANDARD_TYPES, _TokenType  # type: ignore[import-untyped]

LONGEST = 20_000
"""Characters of code that are still coloured."""

_LANGUAGES = """
    awk bash bat c c# c++ clojure cmake console cpp cs csharp css dart diff docker
    dockerfile elixir erlang f# fortran fsharp go golang graphql groovy haskell hs html
    html+jinja http ini java javascript jinja js json julia kotlin latex lisp lua make
    makefile markdown matlab md nginx nix objective-c objectivec ocaml octave perl php pl
    powershell ps1 protobuf py py3 pycon python python3 r rb rs ruby rust scala scheme sh
    shell solidity sql swift tcl terraform tex toml ts tsx typescript udiff vb.net vim xml
    yaml yml zig zsh
"""
LANGUAGES = frozenset(_LANGUAGES.split())
"""The names of languages that are coloured, as they are written behind a fence."""
CLASSES = frozenset(name for name in STANDARD_TYPES.values() if name)
"""Every class a span of code may have."""


def highlight(code: str, language: str) -> str:
    """``code`` as HTML, coloured when ``language`` is known and ``code`` is not too long."""
    language = language.lower()
    if language not in LANGUAGES or len(code) > LONGEST:
        return escape(code, quote=False)
    return _coloured(code, language)


@lru_cache(maxsize=64)  # a growing answer asks for the same finished code again and again
def _coloured(code: str, language: str) -> str:
    spans: list[tuple[str, str]] = []
    for _, kind, value in _lexer(language).get_tokens_unprocessed(code):
        name = _class(kind)
        if spans and spans[-1][0] == name:
            spans[-1] = (name, spans[-1][1] + value)
        else:
            spans.append((name, value))
    if "".join(value for _, value in spans) != code:
        return escape(code, quote=False)
    return "".join(_span(name, value) for name, value in spans)


def _span(name: str, value: str) -> str:
    text = escape(value, quote=False)
    return f'<span class="{name}">{text}</span>' if name and value.strip() else text


@cache
def _lexer(language: str) -> Lexer:
    return get_lexer_by_name(language)


@cache
def _class(kind: _TokenType) -> str:
    """The short class of a kind of token, or of the nearest kind above it that has one."""
    while kind not in STANDARD_TYPES:
        kind = kind.parent
    name: str = STANDARD_TYPES[kind]
    return "" if name == "w" else name
