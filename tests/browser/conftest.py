"""The product as people meet it: gunicorn with two workers, a scripted model, a real Chromium."""

import functools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import browsers, postgres
from tests.scripted_model import Script, ScriptedModel
from tests.servers import Server

expect.set_options(timeout=15_000)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with browsers.launch() as browser:
        yield browser


@pytest.fixture(scope="session")
def the_model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture(scope="session")
def sqlite_server(the_model: ScriptedModel) -> Iterator[Server]:
    with Server(workers=2, LLM_BASE_URL=the_model.base_url) as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_server(the_model: ScriptedModel) -> Iterator[Server]:
    with (
        postgres.shared().fresh() as url,
        Server(workers=2, LLM_BASE_URL=the_model.base_url, DATABASE_URL=url) as server,
    ):
        yield server


@pytest.fixture
def model(the_model: ScriptedModel) -> Iterator[ScriptedModel]:
    """The model behind the servers that tests share; each test sets its script anew."""
    the_model.script = Script(interval=0.01)
    yield the_model
    the_model.script = Script()


@pytest.fixture
def server(request: pytest.FixtureRequest, model: ScriptedModel) -> Iterator[Server]:
    """A server that tests share; visitors do not see each other.  It must not log errors."""
    server: Server = request.getfixturevalue(getattr(request, "param", "sqlite") + "_server")
    said = len(server.log())
    yield server
    errors = [line for line in server.log()[said:].splitlines() if '"ERROR"' in line]
    assert not errors, "\n".join(errors)


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Open a page of a server as somebody new.  At the end nothing may have complained on any
    page, and nothing may have been asked of another origin."""
    pages: list[Page] = []

    def open_page(server: Server, path: str = "/", **options: Any) -> Page:
        page = browsers.new_page(browser, origin=server.url, **options)
        pages.append(page)
        page.goto(path)
        return page

    yield open_page
    complaints = [browsers.heard(page) for page in pages if browsers.heard(page)]
    for page in pages:
        page.context.close()
    assert not complaints


@pytest.fixture
def visit(server: Server, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """Open a page of the server that tests share, as somebody new."""
    return functools.partial(open_page, server)
