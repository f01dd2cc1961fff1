"""OpenAI's own client follows an answer of a real server: its connection goes to the loop."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import openai
import pytest
from openai import OpenAI

from chatweb.services.owners import Owner
from tests.conftest import build_app, close_app
from tests.faults.conftest import Serve
from tests.histories import History
from tests.scripted_model import Script, ScriptedModel, answer_to
from tests.servers import wait_until

QUESTION = "Why is the sky blue?"
MODEL = "test"


@pytest.fixture
def history(url: str, tmp_path: Path, owner: Owner) -> Iterator[History]:
    app = build_app(tmp_path, DATABASE_URL=url)
    yield History(app, owner)
    close_app(app)


@pytest.fixture
def client(serve: Serve, history: History) -> Iterator[OpenAI]:
    there = f"{serve(workers=2).url}/v1"
    with closing(OpenAI(base_url=there, api_key=history.token(), timeout=20)) as client:
        yield client


def say(text: str, role: str = "user") -> dict[str, str]:
    return {"role": role, "content": text}


def test_an_answer_as_it_is_written(client: OpenAI, history: History, model: ScriptedModel) -> None:
    model.script = Script(interval=0.02)

    with client.chat.completions.create(
        model=MODEL, messages=[say(QUESTION)], stream=True, stream_options={"include_usage": True}
    ) as stream:
        conversation = stream.response.headers["X-Conversation-ID"]
        chunks = list(stream)

    texts = [each.choices[0].delta.content or "" for each in chunks if each.choices]
    assert "".join(texts) == answer_to(QUESTION)
    assert len([text for text in texts if text]) > 2, "it came in one piece"
    assert chunks[0].choices[0].delta.role == "assistant"
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.completion_tokens == 20
    assert len({each.id for each in chunks}) == 1
    assert history.said(conversation)[1] == ("assistant", answer_to(QUESTION))


def test_an_answer_that_is_cut_is_told_with_what_there_was(
    client: OpenAI, history: History, model: ScriptedModel
) -> None:
    model.script = Script(do="cut", after=5, interval=0.01)

    text = ""
    with pytest.raises(openai.APIError) as told:  # noqa: PT012 the words come before
        for chunk in client.chat.completions.create(
            model=MODEL, messages=[say(QUESTION)], stream=True
        ):
            text += chunk.choices[0].delta.content or ""

    # Said in the stream, not a connection that just ended.
    assert type(told.value) is openai.APIError
    assert answer_to(QUESTION).startswith(text.strip())
    assert text
    assert history.statuses() == [("user", "complete"), ("assistant", "interrupted")]


def test_a_model_that_fails_is_asked_once(
    client: OpenAI, history: History, model: ScriptedModel
) -> None:
    """Though the client asks again by itself unless it is told not to."""
    model.script = Script(do="cut", after=5)

    with pytest.raises(openai.APIStatusError) as failed:
        client.chat.completions.create(model=MODEL, messages=[say(QUESTION)])

    assert failed.value.status_code == 502
    assert history.statuses() == [("user", "complete"), ("assistant", "interrupted")]
    assert len(model.requests) == 1


def test_who_stopped_reading_goes_on(
    client: OpenAI, history: History, model: ScriptedModel
) -> None:
    model.script = Script(interval=0.02)
    with client.chat.completions.create(
        model=MODEL, messages=[say(QUESTION)], stream=True
    ) as stream:
        name = stream.response.headers["X-Conversation-ID"]
        text = "".join(each.choices[0].delta.content or "" for each in islice(stream, 4))
    wait_until(lambda: ("assistant", "complete") in history.statuses(), seconds=10)
    said = [say(QUESTION), say(text, "assistant"), say("And at night?")]

    client.chat.completions.create(model=MODEL, messages=said, metadata={"conversation_id": name})

    assert text.strip() != answer_to(QUESTION).strip()
    assert history.said(name) == [
        ("user", QUESTION), ("assistant", answer_to(QUESTION)),
        ("user", "And at night?"), ("assistant", answer_to("And at night?")),
    ]  # fmt: skip
