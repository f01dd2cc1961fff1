"""Views are asked through a browser, with no app context around it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from io import StringIO
from typing import Any
from uuid import UUID

import pytest
from flask import Flask

from chatweb import logs
from chatweb.blueprints import programs
from chatweb.models import Conversation, Draft, Login, Message, Token, User
from tests import factories
from tests.blueprints.browser import Browser


@pytest.fixture
def browser(app: Flask) -> Browser:
    """Somebody's browser, with the cookie of its first page."""
    browser = Browser(app.test_client())
    assert browser.get().status_code == 200
    return browser


@pytest.fixture
def stranger_browser(app: Flask) -> Browser:
    """Somebody else's."""
    browser = Browser(app.test_client())
    assert browser.get().status_code == 200
    return browser


@pytest.fixture
def mine(app: Flask, browser: Browser) -> UUID:
    """A conversation of one question and its answer that is the browser's."""
    with app.app_context():
        return factories.answered(factories.owner_of(browser.client)).conversation_id


@pytest.fixture
def theirs(app: Flask, stranger_browser: Browser) -> UUID:
    """One that is the stranger's."""
    with app.app_context():
        return factories.answered(factories.owner_of(stranger_browser.client)).conversation_id


@pytest.fixture
def posts(app: Flask, mine: UUID) -> list[str]:
    """Every address of a page that changes something."""
    values = {"conversation_id": mine, "position": 2, "token_id": 1}
    with app.test_request_context():
        return [
            rule.build({name: values[name] for name in rule.arguments})[1]  # type: ignore[index]
            for rule in app.url_map.iter_rules()
            if "POST" in (rule.methods or set()) and not rule.rule.startswith(programs.ADDRESSES)
        ]


@pytest.fixture
def rows(app: Flask) -> Callable[[type[Any]], list[Any]]:
    """Everything in a table."""

    def rows(table: type[Any]) -> list[Any]:
        with app.app_context():
            return factories.rows(table)

    return rows


@pytest.fixture
def stored(rows: Callable[[type[Any]], list[Any]]) -> Callable[[], list[Any]]:
    """All that people's requests could have changed."""
    tables = (User, Login, Conversation, Message, Draft, Token)
    return lambda: [rows(table) for table in tables]


@pytest.fixture
def log() -> Iterator[Callable[[], list[str]]]:
    """The lines of the log, as the server writes them; to be asked for after the application,
    which sets the log up."""
    written = StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield lambda: written.getvalue().splitlines()
    logging.getLogger().removeHandler(handler)
