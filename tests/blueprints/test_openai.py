"""OpenAI's own client chats through chatweb, and what it says is found in the history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from uuid import uuid4

import httpx2
import openai
import pytest
from flask import Flask
from openai import OpenAI

from chatweb.services.owners import Owner
from tests.histories import History
from tests.scripted_model import Script, ScriptedModel, answer_to

QUESTION = "Why is the sky blue?"
MODEL = "test"


@pytest.fixture
def history(app: Flask, owner: Owner) -> History:
    return History(app, owner)


@pytest.fixture
def client(app: Flask, history: History) -> Iterator[OpenAI]:
    with closing(known(app, history.token())) as client:
        yield client


def known(app: Flask, token: str) -> OpenAI:
    """As whoever writes no more than this gets it: it asks again by itself, twice."""
    there = httpx2.Client(transport=httpx2.WSGITransport(app))
    return OpenAI(base_url="http://localhost/v1", api_key=token, http_client=there)


def say(text: str, role: str = "user") -> dict[str, str]:
    return {"role": role, "content": text}


def test_the_whole_answer(client: OpenAI, history: History) -> None:
    done = client.chat.completions.create(model=MODEL, messages=[say(QUESTION)])

    assert done.choices[0].message.content == answer_to(QUESTION)
    assert done.choices[0].finish_reason == "stop"
    assert done.usage.completion_tokens == 20
    assert history.said(done.metadata["conversation_id"]) == [
        ("user", QUESTION), ("assistant", answer_to(QUESTION)),
    ]  # fmt: skip


def test_what_was_said_elsewhere_is_kept_with_it(
    client: OpenAI, history: History, model: ScriptedModel
) -> None:
    said = [
        say("You are a pirate.", "system"), say("Hello?"), say("Ahoy!", "assistant"), say(QUESTION),
    ]  # fmt: skip

    done = client.chat.completions.create(model=MODEL, messages=said)

    answer = say(answer_to(QUESTION), "assistant")
    assert history.said(done.metadata["conversation_id"]) == [
        (each["role"], each["content"]) for each in [*said, answer]
    ]
    assert model.requests[-1].messages == said


def test_a_conversation_that_is_named_goes_on(
    client: OpenAI, history: History, model: ScriptedModel
) -> None:
    said = [say("Be brief.", "system"), say(QUESTION)]
    first = client.chat.completions.create(model=MODEL, messages=said)
    said += [say(first.choices[0].message.content, "assistant"), say("And at night?")]

    second = client.chat.completions.create(model=MODEL, messages=said, metadata=first.metadata)

    assert second.metadata["conversation_id"] == first.metadata["conversation_id"]
    assert history.said(first.metadata["conversation_id"]) == [
        (each["role"], each["content"]) for each in said
    ] + [("assistant", answer_to("And at night?"))]
    assert model.requests[-1].messages == said


def test_only_the_new_question_is_enough(client: OpenAI, history: History) -> None:
    first = client.chat.completions.create(model=MODEL, messages=[say(QUESTION)])
    name = first.metadata["conversation_id"]

    client.chat.completions.create(
        model=MODEL, messages=[say("And at night?")], extra_headers={"X-Conversation-ID": name}
    )

    assert [text for role, text in history.said(name) if role == "user"] == [
        QUESTION, "And at night?",
    ]  # fmt: skip


def test_another_answer_to_what_was_asked_is_a_sibling(client: OpenAI, history: History) -> None:
    first = client.chat.completions.create(model=MODEL, messages=[say(QUESTION)])
    name = first.metadata["conversation_id"]
    before = [say(QUESTION), say(answer_to(QUESTION), "assistant")]
    for again in ("And at night?", "And at dawn?"):
        client.chat.completions.create(
            model=MODEL, messages=[*before, say(again)], metadata=first.metadata
        )

    assert [text for role, text in history.said(name) if role == "user"] == [
        QUESTION, "And at dawn?",
    ]  # fmt: skip
    assert history.parents(name) == {1: None, 2: 1, 3: 2, 4: 3, 5: 2, 6: 5}


def test_what_was_never_said_here_is_refused(client: OpenAI, history: History) -> None:
    first = client.chat.completions.create(model=MODEL, messages=[say(QUESTION)])

    with pytest.raises(openai.UnprocessableEntityError, match="not in this conversation"):
        client.chat.completions.create(
            model=MODEL, metadata=first.metadata,
            messages=[say("Hi"), say("Ho", "assistant"), say(QUESTION)],
        )  # fmt: skip

    assert len(history.said(first.metadata["conversation_id"])) == 2


def test_the_same_key_again_is_the_same_answer(
    client: OpenAI, history: History, model: ScriptedModel
) -> None:
    key = {"Idempotency-Key": "once and for ever"}
    done = [
        client.chat.completions.create(model=MODEL, messages=[say(QUESTION)], extra_headers=key)
        for _ in range(2)
    ]
    stream = client.chat.completions.create(
        model=MODEL, messages=[say(QUESTION)], extra_headers=key, stream=True
    )

    assert done[0].id == done[1].id
    assert "".join(each.choices[0].delta.content or "" for each in stream) == answer_to(QUESTION)
    assert history.conversations() == 1
    assert len(model.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("script", "status"),
    [(Script(status=400), "failed"), (Script(do="cut", after=5), "interrupted")],
)
def test_a_model_that_fails_is_told_and_the_question_kept_once(
    client: OpenAI,
    history: History,
    model: ScriptedModel,
    script: Script,
    status: str,
    stream: bool,
) -> None:
    model.script = script

    with pytest.raises(openai.APIError):
        list(client.chat.completions.create(model=MODEL, messages=[say(QUESTION)], stream=stream))

    assert history.statuses() == [("user", "complete"), ("assistant", status)]
    assert history.conversations() == 1
    assert len(model.requests) == 1


def test_the_models_there_are(client: OpenAI) -> None:
    assert [each.id for each in client.models.list()] == [MODEL]
    assert client.models.retrieve(MODEL).id == MODEL
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("gpt-4")
    with pytest.raises(openai.UnprocessableEntityError, match="no such model"):
        client.chat.completions.create(model="gpt-4", messages=[say(QUESTION)])


def test_a_token_is_needed(app: Flask, history: History) -> None:
    with closing(known(app, "nonsense")) as stranger:
        with pytest.raises(openai.AuthenticationError):
            stranger.models.list()
        with pytest.raises(openai.AuthenticationError):
            stranger.chat.completions.create(model=MODEL, messages=[say(QUESTION)])
    with (
        closing(known(app, history.token("read"))) as reader,
        pytest.raises(openai.PermissionDeniedError),
    ):
        reader.chat.completions.create(model=MODEL, messages=[say(QUESTION)])

    assert history.conversations() == 0


def test_somebody_elses_conversation_is_not_there(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError):
        client.chat.completions.create(
            model=MODEL, messages=[say(QUESTION)], metadata={"conversation_id": str(uuid4())}
        )


def test_pictures_and_tools_are_refused(client: OpenAI, history: History) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    for strange in (
        {"messages": [{"role": "user", "content": [picture]}]},
        {"messages": [say(QUESTION)], "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [say(QUESTION)], "n": 2},
        {"messages": [say("Hello", "assistant")]},
        {"messages": []},
    ):
        with pytest.raises(openai.UnprocessableEntityError):
            client.chat.completions.create(model=MODEL, **strange)

    assert history.conversations() == 0
