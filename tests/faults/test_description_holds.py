"""What the interface says of itself holds for whatever is sent to it; `make fuzz` is longer."""

from __future__ import annotations

from typing import Any

import pytest
import requests

from tests.faults.conftest import Serve
from tests.faults.soak.fuzz import Fuzz
from tests.sessions import token_of

SEED = 4
AT_A_TIME = 8
"""Few of each, so that every operation has its turn."""


def test_no_answer_is_another_than_described(serve: Serve, url: str) -> None:
    server = serve(workers=1)
    fuzz = Fuzz(server.url, token_of(url), SEED, AT_A_TIME)
    fuzz.run_all()
    assert not fuzz.wrong, "\n".join(fuzz.wrong.values())
    assert len(fuzz.operations) >= 16
    assert {"200", "201", "204", "404", "422"} <= set(fuzz.statuses)


@pytest.mark.parametrize("url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("break_it", ["status", "shape", "event"])
def test_a_description_that_is_wrong_is_found_out(serve: Serve, url: str, break_it: str) -> None:
    server = serve(workers=1)
    said = requests.get(f"{server.url}/api/v1/openapi.json", timeout=30).json()
    kept = "/api/v1/conversations/{conversation_id}/messages/{position}"
    if break_it == "event":
        kept += "/stream"
    said["paths"] = {kept: {"get": said["paths"][kept]["get"]}}
    broken(said, break_it, kept)
    fuzz = Fuzz(server.url, token_of(url), SEED, AT_A_TIME, description=said)
    fuzz.run_all()
    assert fuzz.wrong


def broken(said: Any, what: str, path: str) -> None:
    """One thing in a description that does not hold."""
    match what:
        case "status":
            del said["paths"][path]["get"]["responses"]["404"]
        case "shape":
            said["components"]["schemas"]["Message"]["properties"]["position"]["type"] = "string"
        case "event":
            said["components"]["schemas"]["Piece"]["required"].append("more")
