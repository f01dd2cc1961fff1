"""Views of programs are asked through programs, with no app context around them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from flask import Flask

from tests.blueprints.api.program import Program
from tests.scripted_model import ScriptedModel


@pytest.fixture
def program(app: Flask) -> Program:
    return Program(app.test_client())


@pytest.fixture
def stranger(app: Flask) -> Program:  # type: ignore[override]
    """Somebody else's."""
    return Program(app.test_client())


@pytest.fixture
def serving(
    make_app: Callable[..., Flask], database_url: str, model: ScriptedModel
) -> Callable[..., Flask]:
    """Makes an application with other settings, on the test's database."""

    def make(**settings: Any) -> Flask:
        usual = {"DATABASE_URL": database_url, "LLM_BASE_URL": model.base_url, "LLM_MODEL": "test"}
        return make_app(**usual | settings)

    return make
