"""The client against a server that does everything servers do."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
import textwrap
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest

from chatweb.llm.client import Client, Endpoint
from chatweb.llm.failures import SENTENCES
from tests.llm.asking import KEY, Ask, Asked, answer, asking
from tests.scripted_model import Script, ScriptedModel, answer_to

ROOT = Path(__file__).parents[2]


def scripted(question: str, **changes: object) -> str:
    """A question that says how it is to be answered."""
    return f"{question} [[script: {json.dumps(changes)}]]"


def test_an_answer_arrives_whole_and_its_end_is_known(model: ScriptedModel, ask: Ask) -> None:
    asked = ask("What is a brook?")

    assert asked.text == answer_to("What is a brook?")
    assert asked.outcome
    assert (asked.outcome.model, asked.outcome.finish_reason) == ("scripted-model", "stop")
    assert (asked.outcome.tokens_in, asked.outcome.tokens_out) == (4, 20)
    assert not asked.outcome.capped


def test_the_request_is_the_protocol(model: ScriptedModel, ask: Ask) -> None:
    ask("Ünicode 😀?", max_tokens=7, temperature=0.5)

    request = model.requests[0]
    assert request.path == "/v1/chat/completions"
    assert request.headers["authorization"] == f"Bearer {KEY}"
    assert request.body == {
        "model": "asked",
        "messages": [{"role": "user", "content": "Ünicode 😀?"}],
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 7,
        "temperature": 0.5,
    }


def test_without_a_key_no_authorization_is_sent(model: ScriptedModel, ask: Ask) -> None:
    ask("Hello?", api_key="")

    assert "authorization" not in model.requests[0].headers


def test_answers_one_after_the_other_share_a_connection(model: ScriptedModel) -> None:
    async def three(client: Client) -> None:
        for number in range(3):
            await answer(client, f"Question {number}")

    asking(Endpoint(model.base_url, KEY, "m"), three)

    assert (len(model.requests), model.connections) == (3, 1)


def test_answers_at_once_do_not_mix(model: ScriptedModel) -> None:
    model.script = Script(tokens=10, interval=0.005)
    questions = [f"Question {number}" for number in range(50)]

    async def all_of_them(client: Client) -> list[Asked]:
        return await asyncio.gather(*(answer(client, question) for question in questions))

    answers = asking(Endpoint(model.base_url, KEY, "m"), all_of_them)

    assert [asked.text for asked in answers] == [answer_to(question, 10) for question in questions]


@pytest.mark.parametrize("do", ["whole", "no_done", "no_end", "think"])
def test_a_good_answer_in_an_odd_form_is_a_good_answer(ask: Ask, do: str) -> None:
    question = scripted("Hello?", do=do, after=3)

    asked = ask(question, timeout=1)

    assert asked.text == answer_to(question)
    assert asked.outcome
    assert asked.outcome.finish_reason == "stop"


def test_no_usage_is_no_fault(ask: Ask) -> None:
    asked = ask(scripted("Hello?", usage=False))

    assert asked.outcome
    assert (asked.outcome.tokens_in, asked.outcome.tokens_out) == (None, None)


def test_a_server_that_does_not_know_stream_options_is_asked_without(model: ScriptedModel) -> None:
    model.script = Script(refuse_stream_options=True)

    async def two_at_once_and_one(client: Client) -> list[Asked]:
        both = await asyncio.gather(answer(client, "One?"), answer(client, "Two?"))
        return [*both, await answer(client, "Three?")]

    answers = asking(Endpoint(model.base_url, KEY, "m"), two_at_once_and_one)

    assert [asked.text for asked in answers] == [answer_to(q) for q in ("One?", "Two?", "Three?")]
    asked_usage = ["stream_options" in request.body for request in model.requests]
    assert asked_usage == [True, True, False, False, False]


def test_what_cannot_be_stored_is_replaced(ask: Ask) -> None:
    asked = ask(scripted("Hello?", pieces=["a\0b", "\ud800", "c", "\ud83d", "\ude00", "\udc00"]))

    assert asked.text == "a\ufffdb\ufffdc😀\ufffd"


def test_invalid_utf8_is_replaced(ask: Ask) -> None:
    assert ask(scripted("Hello?", do="invalid_utf8")).text == "br\ufffd\ufffd(ken"


FAULTS = [
    ({"do": "cut"}, "cut"),
    ({"do": "cut", "after": 2}, "cut"),
    ({"do": "reset", "after": 2}, "cut"),
    ({"do": "wrong_length"}, "cut"),
    ({"do": "html"}, "nonsense"),
    ({"do": "prose"}, "nonsense"),
    ({"do": "broken_json"}, "nonsense"),
    ({"do": "not_an_object"}, "nonsense"),
    ({"do": "line"}, "nonsense"),
    ({"do": "error"}, "failing"),
    ({"do": "error", "code": "429"}, "busy"),
    ({"do": "error", "code": "context_length_exceeded"}, "too_long"),
    ({"status": 301, "location": "/elsewhere"}, "refused"),
    ({"status": 400}, "refused"),
    ({"status": 400, "code": "context_length_exceeded"}, "too_long"),
    ({"status": 401}, "refused"),
    ({"status": 403}, "refused"),
    ({"status": 404}, "refused"),
    ({"status": 413}, "too_long"),
    ({"status": 429, "retry_after": "60"}, "busy"),
    ({"status": 500}, "failing"),
    ({"status": 503, "retry_after": "60"}, "failing"),
]


@pytest.mark.parametrize(("script", "kind"), FAULTS, ids=[str(fault) for fault, _ in FAULTS])
def test_a_fault_has_its_kind_and_says_no_secret(
    ask: Ask, script: dict[str, object], kind: str
) -> None:
    message = f"Wrong key {KEY}, or was it sk-can*****cdef-and-more1?"

    asked = ask(scripted("Hello?", message=message, **script), retries=0)

    assert asked.kind == kind
    assert asked.error
    for said in (asked.error.sentence, asked.error.detail, str(asked.error), repr(asked.error)):
        assert "canary" not in said
        assert "cdef" not in said
        assert "!" not in asked.error.sentence
    assert len(asked.error.detail) < 500


def test_the_text_before_a_fault_is_kept(ask: Ask) -> None:
    question = scripted("Hello?", do="cut", after=3)

    assert ask(question).text == answer_to(question, 3)


def test_a_closed_port_is_unreachable(model: ScriptedModel, ask: Ask) -> None:
    with model.refusing():
        asked = ask("Hello?")

    assert asked.kind == "unreachable"
    assert ask("Hello?").text == answer_to("Hello?")


def test_an_unknown_host_is_unreachable(ask: Ask) -> None:
    assert ask("Hello?", base_url="http://nowhere.invalid/v1").kind == "unreachable"


@pytest.mark.parametrize(
    ("address", "key"),
    [
        ("http://hunter2@localhost/v1", ""),
        ("http://me:hunter2@localhost/v1", ""),
        ("ftp://hunter2/v1", ""),
        ("hunter2", ""),
        ("", ""),
        ("http://localhost/v1", "hunter2\r\nX-More: 1"),
        ("http://localhost/v1", "hunter2ü"),
    ],
)
def test_an_address_or_a_key_that_cannot_work_is_refused_at_once(address: str, key: str) -> None:
    with pytest.raises(ValueError, match="the model's") as raised:
        Endpoint(address, key, "m")
    assert "hunter2" not in str(raised.value)


def test_an_answer_that_does_not_go_on_is_too_slow_and_what_came_is_kept(ask: Ask) -> None:
    question = scripted("Hello?", do="stall", after=2)

    asked = ask(question, timeout=1.5)

    assert (asked.kind, asked.text) == ("too_slow", answer_to(question, 2))


def test_the_timeout_says_its_seconds(ask: Ask) -> None:
    asked = ask(scripted("Hello?", do="stall"), first_token_timeout=0.25)

    assert asked.error
    assert asked.error.sentence == (
        "The model did not answer within 0.25 s. Your question is saved."
    )


@pytest.mark.parametrize(
    "script",
    [{"status": 500}, {"status": 429, "retry_after": "0"}, {"do": "cut"}, {"do": "reset"}],
    ids=str,
)
def test_what_may_pass_is_tried_twice_more(
    model: ScriptedModel, ask: Ask, script: dict[str, object]
) -> None:
    question = scripted("Hello?", times=2, **script)

    assert ask(question).text == answer_to(question)
    assert len(model.requests) == 3


def test_a_third_fault_is_final(model: ScriptedModel, ask: Ask) -> None:
    assert ask(scripted("Hello?", status=500)).kind == "failing"
    assert len(model.requests) == 3


@pytest.mark.parametrize(
    "script",
    [
        {"do": "cut", "after": 1},
        {"do": "reset", "after": 1},
        {"do": "error", "after": 1},
        {"status": 400},
        {"status": 401},
        {"status": 413},
        {"status": 429, "retry_after": "21"},
        {"do": "html"},
    ],
    ids=str,
)
def test_nothing_is_asked_twice_that_was_begun_or_cannot_help(
    model: ScriptedModel, ask: Ask, script: dict[str, object]
) -> None:
    assert ask(scripted("Hello?", **script)).error
    assert len(model.requests) == 1


def test_a_wait_longer_than_the_first_token_may_take_is_not_begun(
    model: ScriptedModel, ask: Ask
) -> None:
    asked = ask(scripted("Hello?", status=429, retry_after="15"), first_token_timeout=5)

    assert asked.kind == "busy"
    assert asked.error
    assert "about 20 s" in asked.error.sentence
    assert len(model.requests) == 1


def test_an_endless_answer_ends_at_the_cap(model: ScriptedModel, ask: Ask) -> None:
    asked = ask(scripted("Hello?", do="flood"), max_answer_chars=1000)

    assert len(asked.text) == 1000
    assert asked.outcome
    assert asked.outcome.capped
    assert model.wait_for(lambda: model.requests[0].left_early)


def test_an_answer_exactly_as_long_as_the_cap_is_not_capped(ask: Ask) -> None:
    asked = ask("Hello?", max_answer_chars=len(answer_to("Hello?")))

    assert asked.outcome
    assert not asked.outcome.capped
    assert asked.text == answer_to("Hello?")


@pytest.fixture
def other_process() -> Iterator[str]:
    """The address of a scripted model whose memory is not ours."""
    command = [sys.executable, "-m", "tests.scripted_model"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)  # noqa: S603, ours
    assert process.stdout
    with process.stdout:
        yield process.stdout.readline().strip()
        process.terminate()
        process.wait()


@pytest.mark.parametrize("do", ["line", "flood"])
def test_floods_do_not_fill_the_memory(ask: Ask, other_process: str, do: str) -> None:
    ask("Hello?", base_url=other_process)
    tracemalloc.start()
    try:
        ask(scripted("Hello?", do=do), base_url=other_process)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 20_000_000


def test_cancelling_closes_the_connection(model: ScriptedModel) -> None:
    async def cancel_after_three(client: Client) -> list[str]:
        pieces: list[str] = []
        third = asyncio.Event()

        def receive(text: str) -> None:
            pieces.append(text)
            if len(pieces) == 3:
                third.set()

        messages = [{"role": "user", "content": scripted("Hello?", tokens=1000, interval=0.02)}]
        task = asyncio.create_task(client.answer(messages, receive))
        await third.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        left = await asyncio.to_thread(model.wait_for, lambda: model.requests[0].left_early)
        assert left
        return pieces

    assert len(asking(Endpoint(model.base_url, KEY, "m"), cancel_after_three)) == 3
    assert model.running == 0


def test_cancelling_before_the_first_token_closes_the_connection(model: ScriptedModel) -> None:
    async def cancel_at_once(client: Client) -> None:
        task = asyncio.create_task(answer(client, scripted("Hello?", do="stall")))
        assert await asyncio.to_thread(model.wait_for, lambda: model.running == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert await asyncio.to_thread(model.wait_for, lambda: model.running == 0)

    asking(Endpoint(model.base_url, KEY, "m"), cancel_at_once)


def test_a_reader_that_fails_closes_the_connection(model: ScriptedModel) -> None:
    def receive(_: str) -> None:
        raise LookupError

    async def fail(client: Client) -> None:
        messages = [{"role": "user", "content": scripted("Hello?", tokens=1000, interval=0.02)}]
        with pytest.raises(LookupError):
            await client.answer(messages, receive)
        assert await asyncio.to_thread(model.wait_for, lambda: model.requests[0].left_early)

    asking(Endpoint(model.base_url, KEY, "m"), fail)


def test_a_redirect_is_not_followed(model: ScriptedModel, ask: Ask) -> None:
    with ScriptedModel() as elsewhere:
        asked = ask(scripted("Hello?", status=307, location=elsewhere.base_url))

    assert asked.kind == "refused"
    assert elsewhere.connections == 0


def test_a_proxy_of_the_environment_is_not_used(
    model: ScriptedModel, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as proxy:
        address = f"http://127.0.0.1:{proxy.getsockname()[1]}"
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, address)

        assert ask("Hello?").text == answer_to("Hello?")


def test_the_key_is_not_in_the_endpoint_as_text() -> None:
    assert KEY not in repr(Endpoint("http://localhost/v1", KEY, "m"))


def test_every_sentence_can_be_said() -> None:
    for sentence in SENTENCES.values():
        said = sentence.format(seconds=60.0, wait="a moment")
        assert said.endswith(".")
        assert "!" not in said


def run(code: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "error", "-c", textwrap.dedent(code), *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)  # noqa: S603, ours


def test_a_closed_client_leaves_no_warning(model: ScriptedModel) -> None:
    code = """
        import asyncio, gc, sys
        from chatweb.llm.client import Client, Endpoint, ModelError
        async def main():
            client = Client(Endpoint(sys.argv[1], "key", "m"))
            for question in ("Hello?", "Hello? [[script: cut]]"):
                try:
                    await client.answer([{"role": "user", "content": question}], print)
                except ModelError:
                    pass
            stalled = [{"role": "user", "content": "Hello? [[script: stall]]"}]
            task = asyncio.create_task(client.answer(stalled, print))
            await asyncio.sleep(0.2)
            task.cancel()
            await asyncio.wait([task])
            await client.close()
        asyncio.run(main())
        gc.collect()
    """
    done = run(code, model.base_url)

    assert (done.returncode, done.stderr) == (0, "")


def test_importing_the_client_does_not_import_aiohttp() -> None:
    code = "import sys, chatweb.llm.client, chatweb.llm.local; sys.exit('aiohttp' in sys.modules)"

    assert run(code).returncode == 0
