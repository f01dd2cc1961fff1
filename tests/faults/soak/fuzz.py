"""``python -m tests.faults.soak.fuzz --requests 20000 --database sqlite``: everything that programs
may send, and much that they may not, made by schemathesis from the server's own description.

No answer is an error of the server's, and each has a status, headers, a content type and a body
that the description names. Most requests are for conversations that are there.
"""

from __future__ import annotations

import argparse
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count, cycle
from random import Random
from typing import Any
from uuid import uuid5

import hypothesis
import requests
import schemathesis
from hypothesis import HealthCheck, Phase
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode, checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.failures import FailureGroup

from tests.faults.places import KINDS, place
from tests.faults.soak.telling import finish, say, shown, tell
from tests.scripted_model import Script
from tests.sessions import SESSION, token_of

CONVERSATIONS = 8
CONVERSATION = {"conversation_id", "session_id"}
"""As parameters call it."""
LONGEST_WAIT = 0.02

HELD = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
"""What the description promises of each answer."""


@dataclass
class Fuzz:
    """Requests to one server, the same for the same seed; what was wrong, once of each kind."""

    url: str
    token: str
    seed: int
    at_a_time: int = 40
    """Requests of one operation, in sense or in nonsense, before the next one has its turn."""
    description: dict[str, Any] | None = None
    """Another than the server's own."""
    statuses: Counter[str] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    wrong: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._line = requests.Session()
        self._random = Random(self.seed)
        self._made = count()
        self._there = [self._make() for _ in range(CONVERSATIONS)]
        said = self._line.get(f"{self.url}/api/v1/openapi.json", timeout=30).json()
        self._description = schemathesis.openapi.from_dict(
            self.description or said, config=SchemathesisConfig()
        )

    def run(self, most: int) -> None:
        """Go through all operations, in sense and in nonsense, until there were so many requests
        or more."""
        for turn, (operation, mode) in enumerate(cycle(self._turns())):
            if (done := self.operations.total()) >= most:
                return
            if turn % len(self._turns()) == 0:
                say(f"{done:6} requests, {len(self.wrong)} findings")
            self._some(operation, mode, self.seed + turn)

    def run_all(self) -> None:
        """Go through all operations once, in sense and in nonsense."""
        for turn, (operation, mode) in enumerate(self._turns()):
            self._some(operation, mode, self.seed + turn)

    def _turns(self) -> list[tuple[Any, GenerationMode]]:
        operations = [each.ok() for each in self._description.get_all_operations()]
        return [(each, mode) for each in operations for mode in GenerationMode]

    def _some(self, operation: Any, mode: GenerationMode, seed: int) -> None:
        @hypothesis.seed(seed)
        @hypothesis.settings(
            max_examples=self.at_a_time, database=None, deadline=None, derandomize=False,
            phases=[Phase.generate], suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def ask(case: Any) -> None:
            self._ask(case)

        with suppress(Unsatisfiable):  # nothing of it can be sent in a wrong way
            ask()

    def _ask(self, case: Any) -> None:
        self._aim(case)
        response = case.call(base_url=self.url, session=self._line, timeout=30)
        self.operations[case.operation.label] += 1
        self.statuses[str(response.status_code)] += 1
        self._refill(case, response.status_code)
        try:
            case.validate_response(response, checks=HELD)
        except FailureGroup as failures:
            for each in failures.exceptions:
                self.wrong.setdefault(f"{case.operation.label}: {each.title}", str(failures))

    def _aim(self, case: Any) -> None:
        """Let most requests come from one who has conversations, and ask for these."""
        if (luck := self._random.random()) < 0.95:
            case.headers.pop("Authorization", None)
            case.headers["X-Session-ID"] = str(SESSION)
        if luck < 0.5:
            case.headers["Authorization"] = f"Bearer {self.token}"
        if self._random.random() < 0.9:
            for name in CONVERSATION & case.path_parameters.keys():
                case.path_parameters[name] = self._random.choice(self._there)
            if "position" in case.path_parameters:
                case.path_parameters["position"] = self._random.choice((1, 2, 2, 2, 3, 4))
        if isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
            case.body["model"] = "test"
        if patient(case.query.get("wait")):
            case.query["wait"] = LONGEST_WAIT

    def _make(self) -> str:
        """A conversation with a question in it."""
        name = str(uuid5(SESSION, f"{self.seed} {next(self._made)}"))
        headers = {"X-Session-ID": str(SESSION), "Idempotency-Key": name}
        address = f"{self.url}/api/v1/conversations"
        made = self._line.post(address, json={"title": "Fuzz"}, headers=headers, timeout=30)
        made.raise_for_status()
        address += f"/{made.json()['id']}/messages"
        self._line.post(address, json={"text": "Why?"}, headers=headers, timeout=30)
        return str(made.json()["id"])

    def _refill(self, case: Any, status: int) -> None:
        """Put another conversation in the place of one that was deleted or closed."""
        if case.operation.method.upper() in {"DELETE", "PATCH"} and status < 300:
            for name in {*case.path_parameters.values()} & {*self._there}:
                self._there[self._there.index(name)] = self._make()


def patient(wait: object) -> bool:
    """Whether a ``wait`` that was made up would keep us waiting."""
    first = wait[0] if isinstance(wait, list) and wait else wait
    try:
        return LONGEST_WAIT < float(str(first)) <= 60
    except ValueError:
        return False


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=20_000)
    parser.add_argument("--database", choices=KINDS, default="postgresql")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    say(f"{given.requests} requests of programs on {given.database}, seed {given.seed}")
    began = time.monotonic()
    with place(given.database) as there:
        there.model.script = Script(tokens=5)
        fuzz = Fuzz(there.server.url, token_of(there.url), given.seed)
        fuzz.run(given.requests)
        tell(
            {
                "requests": fuzz.operations.total(),
                "of operations": len(fuzz.operations),
                "answers": shown(fuzz.statuses),
                "time": f"{time.monotonic() - began:.0f} s",
            }
        )
        finish([f"{what}\n{detail}" for what, detail in fuzz.wrong.items()], there)


if __name__ == "__main__":
    main()
