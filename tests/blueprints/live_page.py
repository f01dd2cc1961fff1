"""A page in a browser without a browser: what htmx and our scripts do with the answers it gets.

::

    page = LivePage(client.get("/").text)
    page.swap("#messages", "innerHTML", client.post("/c", …).text)
    page.follow(client.get(page.stream).text)
    assert page.same_as(client.get(address).text)
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from difflib import unified_diff

from bs4 import BeautifulSoup, Tag

TARGET = re.compile(r"(.*?)((?:>:last-child)*)\Z")


class LivePage:
    """The document, as it is after everything that was done to it."""

    def __init__(self, html: str) -> None:
        self.tree = parsed(html)

    def one(self, selector: str) -> Tag:
        found = self.tree.select_one(selector)
        assert found, f"nothing on the page is {selector}"
        return found

    @property
    def stream(self) -> str:
        """Where the page connects to."""
        return str(self.one(".stream")["hx-sse:connect"])

    def text(self, position: int) -> str:
        """The words of a message."""
        return " ".join(self.one(f"#body-{position}").get_text().split())

    def swap(self, selector: str, manner: str, answer: str) -> None:
        """An answer of htmx: the rest of it goes to ``selector``, its partials where they say."""
        tree = parsed(answer)
        if title := tree.find("title"):
            self.one("title").replace_with(title.extract())
        partials = [each.extract() for each in tree.find_all("hx-partial")]
        if manner != "none":
            self._put(self._target(selector), manner, tree)
        self._partials(partials)

    def event(self, data: str) -> None:
        """One unnamed message of a stream: nothing but partials."""
        tree = parsed(data)
        partials = [each.extract() for each in tree.find_all("hx-partial", recursive=False)]
        assert not tree.get_text(strip=True), f"not only partials: {data}"
        self._partials(partials)

    def follow(self, stream: str) -> None:
        """All of a stream; its end does what conversation.js does."""
        for event in events(stream):
            if event.get("event") == "done":
                connection = self.one(".stream")
                message = connection.find_parent(class_="message")
                foot = message.select_one(".foot") if message else None
                assert message
                assert foot
                message["data-status"] = foot["data-status"]
                connection.decompose()
            else:
                self.event(event["data"])

    def hear(self, feed: str) -> None:
        """All that a feed says at first."""
        for event in events(feed):
            if event.get("data"):
                self.event(event["data"])

    def same_as(self, html: str) -> bool:
        """Whether a reload would show the same; says where not."""
        here, there = comparable(self.tree), comparable(parsed(html))
        differences = "\n".join(unified_diff(here, there, "updated", "reloaded", lineterm="", n=1))
        assert not differences, differences
        return True

    def _partials(self, partials: list[Tag]) -> None:
        # htmx finds all targets before it changes the first of them; what is not there is skipped.
        found = [(self._find(str(each["hx-target"])), each) for each in partials]
        for target, each in found:
            if target is not None:
                self._put(target, str(each["hx-swap"]), each)

    def _target(self, selector: str) -> Tag:
        found = self._find(selector)
        assert found is not None, f"nothing on the page is {selector}"
        return found

    def _find(self, selector: str) -> Tag | None:
        match = TARGET.match(selector)
        assert match
        target = self.tree.select_one(match[1])
        for _ in range(match[2].count(">")):
            assert target is not None
            target = target.find_all(True, recursive=False)[-1]
        return target

    @staticmethod
    def _put(target: Tag, manner: str, new: Tag) -> None:
        content = list(new.contents)
        match manner:
            case "innerHTML" | "innerMorph" | "textContent":
                target.clear()
                target.extend(content)
            case "outerHTML" | "outerMorph":
                target.replace_with(*content)
            case "beforeend":
                target.extend(content)
            case "afterbegin":
                for each in reversed(content):
                    target.insert(0, each)
            case "delete":
                target.decompose()
            case _:
                raise AssertionError(f"unknown swap: {manner}")


def parsed(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def comparable(tree: BeautifulSoup) -> list[str]:
    """The document as lines, without what is new in every page: the ids minted with forms."""
    copy = parsed(str(tree))
    for field in copy.select("input[name=request_id]"):
        field["value"] = "…"
    for refresh in copy.select("noscript"):  # nothing to a browser with scripts
        refresh.decompose()
    for note in copy.find_all(string=re.compile(r"^\s*$")):
        if not note.find_parent(["pre", "textarea"]):
            note.extract()
    copy.smooth()
    return [line.strip() for line in copy.prettify().split("\n") if line.strip()]


def events(stream: str) -> Iterator[dict[str, str]]:
    """The events of a stream."""
    for chunk in stream.split("\n\n"):
        event: dict[str, str] = {}
        for line in chunk.split("\n"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "data" and "data" in event:
                event["data"] += "\n" + value
            elif name:
                event[name] = value
        if event:
            yield event
