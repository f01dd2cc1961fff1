"""A scripted model for every test that wants one, and the real local model, started once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from chatweb.llm import local
from chatweb.llm.client import Endpoint
from tests.llm.asking import KEY, Ask, Asked, answer, asking
from tests.llm.starting import Starter
from tests.scripted_model import ScriptedModel


@pytest.fixture
def model() -> Iterator[ScriptedModel]:
    with ScriptedModel() as model:
        yield model


@pytest.fixture
def ask(model: ScriptedModel) -> Ask:
    """Ask ``model`` one question; the rest are settings of the endpoint."""

    def ask(question: str, **settings: Any) -> Asked:
        settings = {"base_url": model.base_url, "api_key": KEY, "model": "asked", **settings}
        asked: Asked = asking(Endpoint(**settings), lambda client: answer(client, question))
        return asked

    return ask


@pytest.fixture(scope="session")
def local_model(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Starter]:
    """The real local model, loaded; to be used, not to be killed."""
    starter = Starter(tmp_path_factory.mktemp("local") / "errors")
    assert starter.ready(), "the local model did not start"
    yield starter
    starter.end()


@pytest.fixture
def local_address(local_model: Starter) -> local.LocalAddress:
    return local_model.address
