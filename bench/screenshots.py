"""``python -m bench.screenshots [folder]``: the pages in every state, photographed.

Conversations are made through the product itself, with the scripted model.  Each state is taken
in light and dark at 360, 800 and 1440 px.  All pictures go to ``folder`` if one is named; the few
that are worth keeping go to ``docs/screenshots/``.
"""

import argparse
import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Literal
from uuid import uuid4

from playwright.sync_api import APIRequestContext, Browser, Page, Route

from bench import load, presentable
from bench.places import folder
from tests.browsers import launch, new_page
from tests.scripted_model import Script, ScriptedModel
from tests.servers import REPOSITORY, Server, wait_until

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, Theme] = ("light", "dark")
HEIGHTS = {360: 740, 800: 1000, 1440: 900}
KEPT = REPOSITORY / "docs" / "screenshots"
CHOSEN = (
    "chat-light-1440", "chat-dark-1440", "chat-light-360", "chat-dark-800", "full-light-800",
    "streaming-dark-360", "empty-light-1440", "history-light-800", "failed-light-360",
    "away-dark-1440",
)  # fmt: skip


class Visitor:
    """Somebody who asks the scripted model; ``token`` is the cookie."""

    def __init__(self, browser: Browser, server: Server, model: ScriptedModel) -> None:
        self.token = load.new_token()
        self._model = model
        context = browser.new_context(
            base_url=server.url, extra_http_headers={"Cookie": f"chatweb={self.token}"}
        )
        self._web: APIRequestContext = context.request

    def converse(self, exchanges: Iterable[tuple[str, str]], *, title: str = "") -> str:
        """A conversation with these questions and answers; its address."""
        address = ""
        for question, answer in exchanges:
            address = self.ask(question, Script(pieces=words(answer)), address)
        if title:
            self._web.post(f"{address}/rename", form={"title": title})
        return address

    def text(self, address: str) -> str:
        """A page as it is now."""
        return self._web.get(address).text()

    def post(self, address: str) -> str:
        """Press a button without more to it; the address it leads to."""
        return self._web.post(address).url

    def ask(self, question: str, script: Script, address: str = "", *, wait: bool = True) -> str:
        """One question, in a new conversation or at ``address``; the conversation's address."""
        self._model.script = script
        form = {"text": question, "request_id": str(uuid4())}
        answer = self._web.post(f"{address}/messages" if address else "/c", form=form)
        if not answer.ok:
            raise RuntimeError(f"{answer.status} for {question!r}")
        address = re.sub("#.*", "", answer.url)
        if wait:
            wait_until(lambda: 'data-status="streaming"' not in self.text(address), seconds=10)
        return address


def words(text: str) -> tuple[str, ...]:
    """A text as a model sends it."""
    return tuple(re.findall(r"\S+\s*|\s+", text))


def photograph(target: Path) -> None:
    """All states, themes and widths into ``target``."""
    with (
        ScriptedModel() as model,
        Server(
            LLM_BASE_URL=model.base_url, LLM_MODEL="scripted-model", LOG_LEVEL="ERROR"
        ) as server,
        launch() as browser,
    ):
        states = fill(Visitor(browser, server, model), server)
        for theme in THEMES:
            for width in HEIGHTS:
                for name, (token, show) in states.items():
                    with window(browser, server, token, theme, width) as page, show(page):
                        page.screenshot(path=target / f"{name}-{theme}-{width}.png")


Show = Callable[[Page], AbstractContextManager[None]]


def fill(visitor: Visitor, server: Server) -> dict[str, tuple[str, Show]]:
    """Make the conversations; each state's cookie and the way to bring a page into it."""
    for exchange in presentable.EARLIER:
        visitor.converse([exchange])
    full = visitor.converse(presentable.FULL)
    languages = visitor.converse(presentable.LANGUAGES)
    failed = visitor.ask(presentable.FAILED, Script(status=500))
    question, answer = presentable.INTERRUPTED
    cut = Script(do="cut", pieces=words(answer), after=len(words(answer)))
    interrupted = visitor.ask(question, cut)
    question, answer = presentable.STOPPED
    stall = Script(do="stall", pieces=words(answer), after=len(words(answer)))
    stopped = visitor.ask(question, stall, wait=False)
    wait_until(lambda: "both ways" in visitor.text(stopped), seconds=10)
    visitor.post(f"{stopped}/messages/2/stop")
    gone = visitor.post(f"{visitor.converse(presentable.EARLIER[:1])}/delete")
    question, answer = presentable.STREAMING
    halfway = Script(do="stall", pieces=words(answer), after=len(words(answer)))
    streaming = visitor.ask(question, halfway, wait=False)
    chat = visitor.converse(presentable.NORMAL, title="Reading large CSV files")
    mine = visitor.token
    return {
        "empty": (load.new_token(), at("/", ".empty")),
        "chat": (mine, at(chat)),
        "full": (mine, at(full, top=True)),
        "languages": (mine, at(languages)),
        "failed": (mine, at(failed)),
        "interrupted": (mine, at(interrupted)),
        "stopped": (mine, at(stopped)),
        "streaming": (mine, at(streaming, ".message code")),
        "sending": (mine, sending(chat)),
        "notice": (mine, refused(chat)),
        "menu": (mine, pressing(chat, ".menu > button")),
        "drawer": (mine, pressing(chat, "#bar > button:visible")),
        "history": (mine, at("/history", ".group")),
        "deleted": (mine, pressing("/history", ".delete button", undo=".gone button")),
        "gone": (mine, at(gone, "#deleted")),
        "missing": (mine, at("/c/no-such-page", ".error")),
        "away": (mine, away(chat, server)),
    }


def at(address: str, until: str = ".message", *, top: bool = False) -> Show:
    """The page at an address, scrolled to its end as usual or to its ``top``."""

    @contextmanager
    def show(page: Page) -> Iterator[None]:
        page.goto(address)
        page.locator(until).first.wait_for()
        if top:
            page.mouse.wheel(0, -100_000)
        page.wait_for_timeout(150)  # times are put into words, the end is scrolled to
        yield

    return show


def sending(address: str) -> Show:
    """A question is sent and its reply takes long."""

    @contextmanager
    def show(page: Page) -> Iterator[None]:
        with at(address)(page):
            held: list[Route] = []
            page.route("**/messages", lambda route: held.append(route))
            page.locator("textarea[name=text]").fill(presentable.TYPED)
            page.locator("#send").click()
            page.wait_for_timeout(500)
            yield
            for route in held:
                route.abort()

    return show


def refused(address: str) -> Show:
    """A question is longer than what is taken."""

    @contextmanager
    def show(page: Page) -> Iterator[None]:
        with at(address)(page):
            page.locator("textarea[name=text]").fill(presentable.TYPED * 900)
            page.locator("#send").click()
            page.locator("#notice:not(:empty)").wait_for()
            yield

    return show


def pressing(address: str, button: str, *, undo: str = "") -> Show:
    """A page after a button was pressed, or the first of many; ``undo`` is pressed afterwards."""

    @contextmanager
    def show(page: Page) -> Iterator[None]:
        with at(address, ".bar")(page):
            page.locator(button).first.click()
            page.wait_for_timeout(300)
            yield
            if undo:
                page.locator(undo).click()
                page.locator(undo).wait_for(state="detached")

    return show


def away(address: str, server: Server) -> Show:
    """A question is sent while the database is away: it stays in the box, and a notice says why."""
    file = Path(server.settings["DATA_DIR"]) / "chat.db"

    @contextmanager
    def show(page: Page) -> Iterator[None]:
        with at(address)(page):
            page.locator("textarea[name=text]").fill(presentable.TYPED)
            hidden = file.rename(file.with_suffix(".away"))
            try:
                page.locator("#send").click()
                page.locator("#notice:not(:empty)").wait_for()
                yield
            finally:
                hidden.rename(file)

    return show


@contextmanager
def window(
    browser: Browser, server: Server, token: str, theme: Theme, width: int
) -> Iterator[Page]:
    phone = {"has_touch": True, "is_mobile": True} if width < 600 else {}
    page = new_page(
        browser, origin=server.url, theme=theme, width=width, height=HEIGHTS[width],
        reduced_motion="reduce", locale="en-GB", timezone_id="Europe/Zurich", **phone,
    )  # fmt: skip
    page.context.add_cookies([{"name": "chatweb", "value": token, "url": server.url}])
    try:
        yield page
    finally:
        page.context.close()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.screenshots", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, help="where all pictures go")
    options = parser.parse_args()
    with folder() as temporary:
        target: Path = options.folder or temporary
        target.mkdir(parents=True, exist_ok=True)
        photograph(target)
        KEPT.mkdir(parents=True, exist_ok=True)
        for name in CHOSEN:
            shutil.copy(target / f"{name}.png", KEPT)
        pictures = len(list(target.glob("*.png")))
    size = sum(file.stat().st_size for file in KEPT.glob("*.png")) / 1e6
    print(f"{pictures} pictures; {len(CHOSEN)} kept in {KEPT} ({size:.1f} MB)")  # noqa: T201


if __name__ == "__main__":
    main()
