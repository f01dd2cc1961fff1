"""Sources of an answer as links: with the words to show, and the host where these do not say it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from chatweb.rendering.links import Parser, unsaid_host

_PARSER = Parser()


class Source(NamedTuple):
    address: str
    words: str
    host: str


def sources(citations: Iterable[Mapping[str, str]]) -> tuple[Source, ...]:
    """Those that can be followed; each citation has ``url`` and ``title``, which may be empty."""
    found = []
    for each in citations:
        if address := _PARSER.normalizeLink(each["url"]):
            words = each["title"] or each["url"]
            found.append(Source(address, words, unsaid_host(address, words)))
    return tuple(found)
