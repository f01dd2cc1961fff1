"""docs/api.md holds: its examples are run as they stand there, one after the other."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from chatweb.blueprints.programs import CODES
from tests.scripted_model import ScriptedModel
from tests.servers import REPOSITORY, Server
from tests.sessions import token_of

GUIDE = REPOSITORY / "docs" / "api.md"
BLOCK = re.compile(r"^```(sh|python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
MARK = "--- variables ---\n"
KEPT = f"\nprintf '%s' '{MARK}'\nset\n"
"""Afterwards, the shell's variables as it would read them again."""


def examples() -> list[tuple[str, str, str]]:
    """Language, text, and what it must print; a ``text`` that follows no example is only shown."""
    found = BLOCK.findall(GUIDE.read_text())
    ends = [*found[1:], ("", "")]
    return [
        (*block, following[1] if following[0] == "text" else "")
        for block, following in zip(found, ends, strict=True)
        if block[0] != "text"
    ]


@pytest.fixture
def environment(model: ScriptedModel, sqlite_url: str) -> Iterator[dict[str, str]]:
    """What the guide says the shell knows, with a server behind it."""
    with Server(DATABASE_URL=sqlite_url, LLM_BASE_URL=model.base_url, migrate=False) as server:
        here = {"CHATWEB": server.url, "TOKEN": token_of(sqlite_url)}
        yield {"PATH": os.environ["PATH"], "LANG": "C.UTF-8", **here}


def test_every_example_does_what_the_guide_says(environment: dict[str, str]) -> None:
    curl, shell = shutil.which("curl"), shutil.which("sh")
    assert curl, "The tests need curl: install it (Debian: sudo apt-get install curl)"
    assert shell
    found = examples()
    assert {"sh", "python"} <= {language for language, _, _ in found}
    before = ""
    for language, text, said in found:
        # Each shell example goes on with the variables of those before it; what they did is done.
        command = [sys.executable, "-c", text]
        if language == "sh":
            command = [shell, "-euc", before + text + KEPT]
        run = subprocess.run(  # noqa: S603 - the repository's own guide
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
        printed, _, left = run.stdout.partition(MARK)
        assert run.returncode == 0, f"{text}\n{run.stdout}\n{run.stderr}"
        assert printed.strip() == said.strip(), text
        before = variables(left) if language == "sh" else before


def variables(said: str) -> str:
    """Those that the guide's examples set."""
    return "".join(
        f"{name}={value}\n"
        for name, value in re.findall(r"^(SESSION|CONVERSATION)=(.*)$", said, re.MULTILINE)
    )


def test_every_code_is_told() -> None:
    text = GUIDE.read_text()
    for status, code in CODES.items():
        if status != 500:
            assert re.search(rf"^\| .*{status}.*`{code}`", text, re.MULTILINE), code
