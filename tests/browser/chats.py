"""What a person does with a chat, and what they see."""

import re
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from uuid import uuid4

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browsers import heard
from tests.servers import Server

BOTH_DATABASES = pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)

A_CONVERSATION = re.compile(r"/c/[0-9a-f-]{36}$")

_REFUSALS = ("Failed to load resource: ", "htmx: htmx:")

_NORMALISED = """selector => {
  const copy = document.querySelector(selector).cloneNode(true);
  copy.normalize();
  const every = (selector, change) => copy.querySelectorAll(selector).forEach(change);
  every("script, template, #announcer, #notice, .elapsed", each => each.remove());
  every("time", each => { each.textContent = ""; each.removeAttribute("title"); });
  every("input[name=request_id], input[name=title]", each => each.removeAttribute("value"));
  for (const element of [copy, ...copy.querySelectorAll("*")]) {
    for (const name of ["data-htmx-powered", "data-connection", "enterkeyhint", "style"])
      element.removeAttribute(name);
    element.classList.remove("htmx-request", "htmx-added", "htmx-settling");
    if (!element.getAttribute("class")) element.removeAttribute("class");
    if (element.id === "newest") element.removeAttribute("hidden");
  }
  const texts = document.createTreeWalker(copy, NodeFilter.SHOW_TEXT | NodeFilter.SHOW_COMMENT);
  const away = [];
  while (texts.nextNode()) {
    const node = texts.currentNode;
    if (node.nodeType === Node.COMMENT_NODE) away.push(node);
    else if (!node.parentElement.closest(".body *, textarea")) {
      node.data = node.data.trim();
      if (!node.data) away.push(node);
    }
  }
  for (const node of away) node.remove();
  return copy.outerHTML.replaceAll("><", ">\\n<");
}"""


def ask(page: Page, text: str) -> None:
    """Type a question and press Enter."""
    page.locator("#text").fill(text)
    page.locator("#text").press("Enter")


def make_token(page: Page, name: str) -> str:
    """Make a token on its page; returns the secret that is shown."""
    page.get_by_label("Name of the program").fill(name)
    page.get_by_role("button", name="Make a token").click()
    expect(page.locator("#made-title")).to_have_text(f"“{name}” is made")
    return page.locator("#secret").input_value()


def message(page: Page, position: int, status: str = "") -> Locator:
    """One message, in a state if given."""
    state = f'[data-status="{status}"]' if status else ""
    return page.locator(f"#message-{position}{state}")


def answered(page: Page, position: int = 2, status: str = "complete") -> str:
    """Wait until an answer has ended; returns its words."""
    expect(message(page, position, status)).to_have_count(1)
    expect(page.locator("#send")).to_be_visible()
    expect(page.locator(".stream")).to_have_count(0)
    return words(page, position)


def words(page: Page, position: int) -> str:
    """What can be read of one message's text."""
    return page.locator(f"#body-{position}").inner_text()


def flat(text: str) -> str:
    """A text without regard to how its white space is laid out."""
    return " ".join(text.split())


def until(page: Page, claim: Callable[[], object], seconds: float = 15) -> None:
    """Wait until the claim holds, while the page goes on."""
    for _ in range(int(seconds / 0.03)):
        if claim():
            return
        page.wait_for_timeout(30)
    pytest.fail(f"waited {seconds} s in vain")


def growing(page: Page, position: int = 2, least: int = 1) -> str:
    """Wait until an answer shows ``least`` characters and is still being written."""
    until(page, lambda: len(words(page, position)) >= least)
    assert message(page, position).get_attribute("data-status") == "streaming"
    return words(page, position)


def shown(page: Page, selector: str = "#messages") -> str:
    """The page's elements without what differs from one moment to the next."""
    return str(page.evaluate(_NORMALISED, selector))


def notice(page: Page) -> Locator:
    return page.locator("#notice .notice-text")


def forgive(page: Page) -> None:
    """Forget what the browser says of refused requests, and only that."""
    ear = heard(page)
    ear.console[:] = [line for line in ear.console if not line.startswith(_REFUSALS)]


def posts(page: Page) -> list[str]:
    """The addresses that are posted to from now on, as a list that grows."""
    made: list[str] = []
    page.context.on(
        "request", lambda request: made.append(request.url) if request.method == "POST" else None
    )
    return made


def id_of(page: Page) -> str:
    """The id of the conversation that is open."""
    return page.url.split("/c/")[1][:36]


def database(server: Server) -> Path:
    """The file of a server on SQLite."""
    return Path(server.settings["DATA_DIR"]) / "chat.db"


def lengthen(server: Server, conversation_id: str, count: int) -> None:
    """Let a conversation of two messages have ``count`` of them, numbered in their texts."""
    with closing(sqlite3.connect(database(server), timeout=10)) as connection, connection:
        key = conversation_id.replace("-", "")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(message)")]
        own = ("id", "position", "parent", "content", "request_id")
        copied = ", ".join(f'"{name}"' for name in columns if name not in own)
        for position in range(3, count + 1):
            connection.execute(
                f"INSERT INTO message (position, parent, content, request_id, {copied}) "  # noqa: S608
                f"SELECT ?, ?, ?, NULL, {copied} FROM message "
                "WHERE conversation_id = ? AND position = ?",
                (
                    position,
                    position - 1,
                    f"Number {position}. " * 20,
                    key,
                    2 - position % 2,
                ),
            )
        connection.execute(
            "UPDATE conversation SET message_count = ?, head = ? WHERE id = ?", (count, count, key)
        )


def multiply(server: Server, conversation_id: str, count: int) -> None:
    """Give the owner of a conversation ``count`` more, each an hour older than the one before."""
    with closing(sqlite3.connect(database(server), timeout=10)) as connection, connection:
        key = conversation_id.replace("-", "")
        columns = [row[1] for row in connection.execute("PRAGMA table_info(conversation)")]
        own = ("id", "title", "last_message_at")
        copied = ", ".join(f'"{name}"' for name in columns if name not in own)
        for number in range(1, count + 1):
            connection.execute(
                f"INSERT INTO conversation (id, title, last_message_at, {copied}) "  # noqa: S608
                f"SELECT ?, ?, strftime('%Y-%m-%d %H:%M:%f', last_message_at, ?) || '000', "
                f"{copied} FROM conversation WHERE id = ?",
                (uuid4().hex, f"Number {number}", f"-{number} hours", key),
            )
