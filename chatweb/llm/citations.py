"""Sources that a model's server names for its answer, in the two ways that servers do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from chatweb.llm.texts import storable

MOST = 50
LONGEST_URL = 2000
LONGEST_TITLE = 300


def found(event: dict[str, Any], message: dict[str, Any]) -> Iterator[dict[str, str]]:
    """Each source with its ``url`` and its ``title``, which may be empty.

    ``event`` may have them beside its choices (Perplexity: ``search_results``, ``citations``), the
    ``message`` or its delta among its ``annotations`` (OpenAI: ``url_citation``).
    """
    for each in listed(message.get("annotations")):
        if isinstance(each, dict):
            yield from source(each.get("url_citation"))
    for each in [*listed(event.get("search_results")), *listed(event.get("citations"))]:
        yield from source(each)


def listed(value: Any) -> list[Any]:
    return value[:MOST] if isinstance(value, list) else []


def source(value: Any) -> Iterator[dict[str, str]]:
    """What can be shown: an address of the web and a line of text."""
    named = value if isinstance(value, dict) else {"url": value}
    url, title = named.get("url"), named.get("title")
    if not isinstance(url, str) or len(url) > LONGEST_URL or not is_of_the_web(url):
        return
    words = " ".join(title.split())[:LONGEST_TITLE] if isinstance(title, str) else ""
    yield {"url": url, "title": storable(words)[0]}


def is_of_the_web(url: str) -> bool:
    return url.isprintable() and url.lower().startswith(("http://", "https://")) and " " not in url
