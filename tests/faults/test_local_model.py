"""The real local model: it answers in the page, and never outlives the server."""

from __future__ import annotations

import psutil
import pytest

from tests.faults.conftest import Serve, Witness
from tests.servers import lives, wait_until

pytestmark = pytest.mark.parametrize("url", ["sqlite"], indirect=True)


def test_it_answers_and_dies_with_the_master(serve: Serve, witness: Witness) -> None:
    server = serve(workers=1, LLM_BASE_URL="", LLM_API_KEY="", LLM_MODEL="")
    person = witness.person(server)
    send = person.begin("Say hello.")
    assert send.conversation
    with person.reading(send.conversation, 2) as reading:
        reading.wait_for_words(1, seconds=60)
        family = server.master.children(recursive=True)
        assert len(family) >= 3, "a worker, the supervisor and the model"
        server.master.kill()
    wait_until(lambda: not any(map(lives, family)), seconds=20)
    server.kill_master_and_workers()
    assert [each for each in psutil.process_iter() if each in family and lives(each)] == []
