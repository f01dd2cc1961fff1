"""Views are asked through a browser, with no app context around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

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
def rows(app: Flask) -> Callable[[type[Any]], list[Any]]:
    """Everything in a table."""

    def rows(table: type[Any]) -> list[Any]:
        with app.app_context():
            return factories.rows(table)

    return rows
