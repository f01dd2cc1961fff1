"""A real browser: Chromium, driven by playwright, with an ear for everything it complains about.

::

    with launch() as browser:
        page = new_page(browser, origin=server.url, theme="dark")
        page.goto("/")
        assert axe(page) == []
        assert not heard(page)
"""

import contextlib
import functools
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, sync_playwright
from playwright.sync_api import Error as BrowserError
from playwright.sync_api import Request as BrowserRequest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_AXE = Path(__file__).parent / "vendor" / "axe.min.js"
_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
_LOCAL_SCHEMES = {"about", "blob", "data"}


@dataclass
class Heard:
    """What a browser complained about since its window was opened; false when nothing."""

    console: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    strangers: list[str] = field(default_factory=list)
    scripts: bool = True

    def __bool__(self) -> bool:
        return bool(self.console or self.errors or self.strangers)

    def clear(self) -> None:
        """Forget it all, after a step that had to be complained about."""
        self.console.clear()
        self.errors.clear()
        self.strangers.clear()


def find() -> str:
    """The path of Chromium: what ``CHROMIUM`` names, or one of the usual names."""
    named = os.environ.get("CHROMIUM")
    for name in [named] if named else _NAMES:
        if path := shutil.which(name):
            return path
    if named:
        raise RuntimeError(f"CHROMIUM names {named}, which is no program.")
    raise RuntimeError(
        "The tests need Chromium: install it (Debian: apt-get install chromium) "
        "or name one with CHROMIUM."
    )


@contextlib.contextmanager
def launch() -> Iterator[Browser]:
    """A browser without a window, closed afterwards."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find(), args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


def new_page(
    browser: Browser,
    *,
    origin: str | None = None,
    scripts: bool = True,
    theme: Literal["light", "dark"] = "light",
    width: int = 1280,
    height: int = 800,
    **options: Any,
) -> Page:
    """A page with cookies and storage of its own, and everything it complains about recorded.

    ``origin`` is where addresses such as ``/history`` begin and what does not count as a
    stranger; without it, the origin of the first request is.
    """
    context = browser.new_context(
        base_url=origin,
        color_scheme=theme,
        java_script_enabled=scripts,
        viewport={"width": width, "height": height},
        **options,
    )
    context.set_default_timeout(10_000)
    _listen(context, origin, Heard(scripts=scripts))
    return context.new_page()


def heard(page: Page) -> Heard:
    """What was recorded for a page and all others that share its cookies."""
    return _heard[page.context]


def axe(page: Page, **options: Any) -> list[str]:
    """What axe-core finds wrong with a page as it is now: a line per rule and place.

    ``options`` are those of ``axe.run``, such as ``rules``.  It needs a page with scripts.
    """
    assert heard(page).scripts, "axe-core needs a page with scripts"
    page.evaluate(_axe_source())
    result = page.evaluate("options => axe.run(document, options)", options)
    return [
        f"{violation['id']} ({violation['impact']}) at {' '.join(map(str, node['target']))}: "
        f"{violation['help']}"
        for violation in result["violations"]
        for node in violation["nodes"]
    ]


_heard: dict[BrowserContext, Heard] = {}


def _listen(context: BrowserContext, origin: str | None, ear: Heard) -> None:
    _heard[context] = ear
    home = _origin(origin) if origin else None

    def console(message: ConsoleMessage) -> None:
        if message.type == "error":
            ear.console.append(f"{message.text} ({message.location.get('url', '')})")

    def request(made: BrowserRequest) -> None:
        nonlocal home
        if urlsplit(made.url).scheme in _LOCAL_SCHEMES:
            return
        home = home or _origin(made.url)
        if _origin(made.url) != home:
            ear.strangers.append(made.url)

    def failed(error: BrowserError) -> None:
        ear.errors.append(error.stack or error.message)

    context.on("console", console)
    context.on("request", request)
    context.on("weberror", lambda error: failed(error.error))
    context.on("close", lambda _: _heard.pop(context, None))


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


@functools.cache
def _axe_source() -> str:
    return _AXE.read_text(encoding="utf-8")
