"""Which addresses a text may link to, and which name a reader must see beside the link.

Only ``http``, ``https`` and ``mailto`` become links; everything else stays text. A link whose
words do not say where it leads is followed by its host, so that nobody is led astray.
"""

import re
from collections.abc import Sequence
from html import escape

import nh3
from markdown_it import MarkdownIt
from markdown_it.rules_core import StateCore
from markdown_it.token import Token

_WEB_ADDRESS = re.compile(
    r"https?://(?P<login>[^/?#@]*@)?(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]*)?(?:[/?#]|$)",
    re.IGNORECASE,
)
_MAIL_ADDRESS = re.compile(r"mailto:(?P<mailbox>[^?\s]+@[^?\s]+)", re.IGNORECASE)
# Quotation marks, the punctuation of Chinese and Japanese and the middle of a broken link end an
# address that has no spaces around it.
_BARE_ADDRESS = re.compile(
    r"(?<![A-Za-z0-9_/])https?://"
    r"(?:[^\s<>\"`\\{}|^\]\u3000-\u303f\uff00-\uffef\u2018-\u201d«»]|\](?!\())+",
    re.IGNORECASE,
)
_BRACKET = re.compile(r"[\[\]]")

SCHEMES = {"http", "https", "mailto"}
_FOLLOWER = nh3.Cleaner(
    tags={"a"},
    attributes={"a": {"href"}},
    url_schemes=SCHEMES,
    url_relative="deny",
    link_rel=None,
)


class Parser(MarkdownIt):
    """markdown-it that takes only the addresses chatweb links to for addresses."""

    def normalizeLink(self, url: str) -> str:  # noqa: N802 - the library calls it so
        """The address as it is written into the page; empty when it must not be linked."""
        if url.startswith("//"):
            url = "https:" + url
        address = super().normalizeLink(url)
        known = _WEB_ADDRESS.match(address) or _MAIL_ADDRESS.match(address)
        return address if known and _is_understood(address) else ""

    def validateLink(self, url: str) -> bool:  # noqa: N802 - the library calls it so
        return bool(url)


def _is_understood(address: str) -> bool:
    """Whether a browser could follow ``address``; ports and host names have many ways to fail."""
    return "href" in _FOLLOWER.clean(f'<a href="{escape(address)}"></a>')


def unsaid_host(address: str, words: str) -> str:
    """The host (or mailbox) of ``address`` that ``words`` do not plainly show; empty if they do."""
    mail = _MAIL_ADDRESS.match(address)
    if mail:
        mailbox = mail["mailbox"]
        return "" if words.strip().lower().removeprefix("mailto:") == mailbox.lower() else mailbox
    web = _WEB_ADDRESS.match(address)
    if web is None:
        return ""
    words = words.strip()
    shown = _WEB_ADDRESS.match(words if "://" in words else "https://" + words)
    # "login@host" shows a host, and a wrong one first: say the true one again.
    plain = shown is not None and not web["login"] and not shown["login"]
    if plain and shown is not None and shown["host"].lower() == web["host"].lower():
        return ""
    return web["host"]


def link_bare_addresses(state: StateCore) -> None:
    """A rule of the parser: an address written as such becomes a link to itself."""
    for token in state.tokens:
        if token.type == "inline" and token.children and "://" in token.content:
            token.children = _linked(token.children, state.md)


def _linked(tokens: Sequence[Token], parser: MarkdownIt) -> list[Token]:
    linked: list[Token] = []
    links_open = 0
    for token in tokens:
        links_open += token.nesting if token.type in ("link_open", "link_close") else 0
        if token.type == "text" and not links_open and "://" in token.content:
            linked.extend(_pieces(token, parser))
        else:
            linked.append(token)
    return linked


def _pieces(token: Token, parser: MarkdownIt) -> list[Token]:
    pieces: list[Token] = []
    done = 0
    for found in _BARE_ADDRESS.finditer(token.content):
        written = _without_closing_punctuation(found[0])
        address = parser.normalizeLink(written)
        if not address:
            continue
        pieces.append(_text(token.content[done : found.start()]))
        pieces.append(Token("link_open", "a", 1, attrs={"href": address}))
        pieces.append(_text(written))
        pieces.append(Token("link_close", "a", -1))
        done = found.start() + len(written)
    pieces.append(_text(token.content[done:]))
    return pieces


def _text(content: str) -> Token:
    return Token("text", "", 0, content=content)


def _without_closing_punctuation(address: str) -> str:
    """An address in brackets, or at the end of a sentence, ends before their marks."""
    end = _end_of_brackets(address)
    surplus = address.count(")", 0, end) - address.count("(", 0, end)
    while end and (address[end - 1] in ".,:;!?'*_~" or (address[end - 1] == ")" and surplus > 0)):
        surplus -= address[end - 1] == ")"
        end -= 1
    return address[:end]


def _end_of_brackets(address: str) -> int:
    """Where the first ``]`` without its ``[`` stands, as in ``![see https://e.org](x.png)``."""
    opened = 0
    for bracket in _BRACKET.finditer(address):
        opened += 1 if bracket[0] == "[" else -1
        if opened < 0:
            return bracket.start()
    return len(address)
