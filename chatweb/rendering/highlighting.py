"""Code in colours: ``<span class="k">`` and the like around what a reader looks for, no styles.

Colour is a help, never a condition: code that is long, or in a language not listed here, is shown
as it is. A language is one regular expression, each part of which takes what it has read or fails
at its first letters, so time grows with the length of the code and with nothing else. The lexers of
Pygments know more, but nearly all of them take the square of the length for something simple:
20,000 line ends that were said to be C kept a process busy for 18 s.

The classes are named as in Pygments: ``c`` comment, ``s`` string, ``m`` number, ``k`` keyword,
``nf`` a name that is called, ``na`` key or attribute, ``nt`` element, ``nd`` decorator, ``vi``
variable, ``cp`` preprocessor, ``gp`` prompt, ``gi``, ``gd``, ``gu`` lines of a difference.
"""

import re
from html import escape
from typing import NamedTuple

LONGEST = 20_000
"""Characters of code that are still coloured."""

CLASSES = frozenset(
    {"c", "s", "m", "k", "nf", "na", "nt", "nd", "vi", "cp", "gp", "gi", "gd", "gu"}
)
"""Every class a span of code may have."""

_BRACES = """
    abstract as async await bool boolean break byte case catch char class const constexpr continue
    contract debugger declare def default defer delete do double dynamic elif else enum event export
    extends extern extension false final finally float fn for foreach from fun func function go goto
    guard if impl implements import in inline instanceof int interface internal is keyof let long
    map match mod module mut mutable namespace native new nil noexcept null nullptr object of
    operator override package private protected protocol pub public range readonly record ref
    require return sealed select self set short signed sizeof static string struct super switch
    synchronized template this throw throws trait true try type typedef typename typeof uint
    undefined union unsafe unsigned use using val var virtual void volatile when where while yield
"""
_WORDS = """
    and as assert async await begin break case catch class const continue data def defmodule del
    deriving do done downto elif else elsif elseif end endif ensure except exception export extend
    False false final finally for foreach from fun function global goto if import in include
    inherit instance is lambda let library local loop match module mutable my newtype next nil None
    nonlocal not NULL null of open or our package pass raise rec redo repeat require rescue return
    self sig source struct sub super switch then throw to True true try type undef unless until use
    using val when where while with yield
"""
_SHELL = """
    alias break case catch continue cd do done echo elif else elseif esac eval exec exit export fi
    finally for foreach function if in local param return set sudo shift source switch then throw
    trap try unset until while
"""
_SQL = """
    add all alter and any as asc begin between by case cast check column commit constraint create
    cross database default delete desc distinct drop else end except exists explain foreign from
    full function group having if in index inner insert intersect into is join key left like limit
    not null offset on or order outer over partition primary references returning right rollback
    select set table then to transaction trigger true false union unique update using values view
    when where window with
"""
_BASIC = """
    allocate and as boolean by byref byval call case character class contains dim do double each
    else elseif end enddo endif false for friend function if implicit imports in inherits integer
    interface intent is logical loop me module namespace new next none not nothing of or private
    program property protected public real return select shared string structure sub subroutine then
    to true try type use until while with
"""


class _Language(NamedTuple):
    pattern: re.Pattern[str]
    keywords: frozenset[str]
    any_case: bool


# What has begun and does not end is taken all the same, or each mark would be a new attempt.
_DOUBLE = r'"(?:[^"\\\n]++|\\.)*+"?'
_SINGLE = r"'(?:[^'\\\n]++|\\.)*+'?"
_QUOTED = f"{_DOUBLE}|{_SINGLE}"
_LONG_DOUBLE = r'"(?:[^"\\]++|\\[\s\S])*+"?'
_LONG_SINGLE = r"'[^']*+'?"
_LONG_QUOTED = f"{_LONG_DOUBLE}|{_LONG_SINGLE}"
_BACKTICKED = r"`(?:[^`\\]++|\\[\s\S])*+`?"
_LETTER = r"'(?:[^'\\\n]|\\[^\n][^'\\\n]{0,8})'"
_TRIPLE = r'"""[\s\S]*?(?:"""|\Z)|' + r"'''[\s\S]*?(?:'''|\Z)"
_HASH = r"(?<!\S)#.*+"
_STARS = r"/\*[\s\S]*?(?:\*/|\Z)"
_SLASHES = rf"//.*+|{_STARS}"
_AT = r"@[A-Za-z_][\w.]*+"
_VARIABLE = r"\$(?:\w++|\{\w++\}?)"
_KEY = r"(?<![\w.$/-])[\w.$/-]++(?=[ \t]{0,9}[:=](?:\s|\Z))"
_NUMBER = r"(?<!\w)(?:0[xX][\da-fA-F_]++|\d[\d_]*+(?:\.\d++)?(?:[eE][+-]?\d++)?)\w*+"
_NAME = r"[^\W\d]\w*+"
_LONG_NAME = r"[^\W\d][\w?!*<>=-]*+"


def _language(keywords: str = "", name: str = _NAME, **parts: str) -> _Language:
    """``parts``: what has which class, the first that fits; then numbers, and ``keywords``."""
    parts = {**parts, "m": _NUMBER, "name": name}
    pattern = "|".join(f"(?P<{kind}>{part})" for kind, part in parts.items())
    any_case = keywords in (_SQL, _BASIC)
    return _Language(re.compile(pattern, re.MULTILINE), frozenset(keywords.split()), any_case)


_GROUPS = {
    "c c++ cpp objective-c objectivec": _language(
        _BRACES, cp=r"^[ \t]*+#[ \t]*+[a-z]++", c=_SLASHES, s=f"{_DOUBLE}|{_LETTER}", nd=_AT
    ),
    "java c# csharp cs kotlin scala groovy swift go rust rs zig": _language(
        _BRACES, c=_SLASHES, s=f"{_TRIPLE}|{_DOUBLE}|{_LETTER}|{_BACKTICKED}", nd=_AT
    ),
    "javascript js typescript ts tsx dart solidity protobuf": _language(
        _BRACES, c=_SLASHES, s=f"{_TRIPLE}|{_QUOTED}|{_BACKTICKED}", nd=_AT
    ),
    "php": _language(
        _BRACES + "echo", c=f"{_SLASHES}|{_HASH}", s=_QUOTED, vi=_VARIABLE, cp=r"<\?(?:php|=)?|\?>"
    ),
    "python python3 py py3 pycon julia": _language(
        _WORDS, c=_HASH, s=f"{_TRIPLE}|{_QUOTED}", gp=r"^(?:>>>|\.\.\.) ", nd=_AT
    ),
    "ruby rb perl pl r elixir awk tcl nginx": _language(
        _WORDS, c=_HASH, s=_QUOTED, vi=rf"@@?\w++|{_VARIABLE}"
    ),
    "bash sh shell console cmake powershell ps1 docker dockerfile": _language(
        _SHELL, _LONG_NAME, c=_HASH, s=_LONG_QUOTED, vi=_VARIABLE,
        k=r"^[A-Z]{3,11}(?= )", gp=r"^(?:[\w@:~/-]*+[$%>]) ",
    ),
    "make makefile": _language(
        _SHELL, c=_HASH, nf=r"^[\w./%-]++(?=:)", vi=r"\$(?:[({][\w.-]++[)}]?|.)", s=_QUOTED
    ),
    "sql": _language(_SQL, c=rf"--.*+|{_STARS}", s=_LONG_SINGLE),
    "lua": _language(_WORDS, c=r"--\[\[[\s\S]*?(?:\]\]|\Z)|--.*+", s=_QUOTED),
    "haskell hs": _language(
        _WORDS, c=r"--.*+|\{-[\s\S]*?(?:-\}|\Z)", s=f"{_DOUBLE}|{_LETTER}"
    ),
    "ocaml f# fsharp": _language(
        _WORDS, c=r"\(\*(?!\))[\s\S]*?(?:\*\)|\Z)|//.*+", s=f"{_LONG_DOUBLE}|{_LETTER}"
    ),
    "lisp scheme clojure": _language(
        c=r";.*+", s=_LONG_DOUBLE, na=r"(?<!\S):[\w-]++", k=rf"(?<=\(){_LONG_NAME}", name=_LONG_NAME
    ),
    "nix terraform graphql": _language(
        _BRACES + "inherit with then rec", c=f"{_HASH}|{_STARS}", s=_LONG_DOUBLE, na=_KEY
    ),
    "erlang": _language(_WORDS, c="%.*+", s=_DOUBLE, nd=r"^-[a-z]++"),
    "matlab octave": _language(_WORDS, c="%.*+", s=rf"{_DOUBLE}|(?<![\w)\].'])'[^'\n]*+'?"),
    "latex tex": _language(c=r"(?<!\\)%.*+", k=r"\\(?:[A-Za-z@]++\*?|.)", s=r"\$[^$\n]*+\$?"),
    "fortran": _language(_BASIC, c="!.*+", s=_QUOTED),
    "vb.net": _language(_BASIC, c="'.*+", s=r'"[^"\n]*+"?'),
    "html xml jinja html+jinja": _language(
        name="(?!)",
        c=r"<!--[\s\S]*?(?:-->|\Z)|\{#[\s\S]*?(?:#\}|\Z)",
        cp=r"\{[{%][\s\S]*?(?:[%}]\}|\Z)|<[!?][^<>]*+>?",
        nt=r"</?[A-Za-z][\w:.-]*+|(?<!\s)/?>",
        s=r"""(?<==)(?:"[^"]*+"?|'[^']*+'?)""",
        na=r"(?<=\s)[\w:@.-]++(?==)",
    ),
    "css": _language(
        name="(?!)", c=_STARS, s=_QUOTED, k=r"@[\w-]++|![a-z]++", vi=r"--[\w-]++",
        na=r"(?<![\w.#:$-])[\w-]++(?=[ \t]{0,9}:[^:\w])",
    ),
    "json": _language(
        "true false null", c=_SLASHES, na=r'"(?:[^"\\\n]++|\\.)*+"(?=\s{0,9}:)', s=_DOUBLE
    ),
    "yaml yml ini toml": _language(
        "true false null yes no on off", c=rf"{_HASH}|^;.*+", nt=r"^\[[^\]\n]*+\]?", na=_KEY,
        s=rf"{_TRIPLE}|(?<!\w)(?:{_QUOTED})",
    ),
    "diff udiff": _language(
        name="(?!)", gu=r"^(?:@@|diff |---|\+\+\+).*+", gi=r"^[+>].*+", gd=r"^[-<].*+"
    ),
}  # fmt: skip
_LANGUAGES = {name: language for names, language in _GROUPS.items() for name in names.split()}

LANGUAGES = frozenset(_LANGUAGES)
"""The names of languages that are coloured, as they are written behind a fence."""


def highlight(code: str, language: str) -> str:
    """``code`` as HTML, coloured when ``language`` is known and ``code`` is not too long."""
    known = _LANGUAGES.get(language.lower())
    if known is None or len(code) > LONGEST:
        return escape(code, quote=False)
    made: list[str] = []
    done = 0
    for found in known.pattern.finditer(code):
        kind = _kind(found, known)
        if kind:
            made.append(escape(code[done : found.start()], quote=False))
            made.append(f'<span class="{kind}">{escape(found[0], quote=False)}</span>')
            done = found.end()
    made.append(escape(code[done:], quote=False))
    return "".join(made)


def _kind(found: re.Match[str], language: _Language) -> str | None:
    if found.lastgroup != "name":
        return found.lastgroup
    if (found[0].lower() if language.any_case else found[0]) in language.keywords:
        return "k"
    return "nf" if found.string.startswith("(", found.end()) else None
