"""OpenAI's own client chats through chatweb, and what it says is found in the history."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from typing import Any
from uuid import uuid4

import httpx2
import openai
import pytest
from flask import Flask
from openai import OpenAI

from chatweb import replies
from chatweb.services.owners import Owner
from tests.blueprints.places import no_place_to_wait
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


def text_of(chunk: Any) -> str:
    return str(chunk.choices[0].delta.content or "")


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


@pytest.mark.parametrize("known", ["It scatters.", "\n It sca", "It", ""])
def test_an_answer_is_found_by_what_its_program_has_of_it(
    client: OpenAI, history: History, model: ScriptedModel, known: str
) -> None:
    """It may have stopped reading, and take away white space."""
    model.script = Script(pieces=("\n It ", "scatters. "))
    first = client.chat.completions.create(model=MODEL, messages=[say(f"{QUESTION} ")])
    name = first.metadata["conversation_id"]
    said = [say(QUESTION), say(known, "assistant"), say("And at night?")]
    for question in ("And at night?", "And at dawn?"):
        done = client.chat.completions.create(
            model=MODEL, messages=said, metadata={"conversation_id": name}
        )
        said += [say(done.choices[0].message.content, "assistant"), say("And at dawn?")]
        assert history.said(name)[-2] == ("user", question)

    assert history.parents(name) == {1: None, 2: 1, 3: 2, 4: 3, 5: 4, 6: 5}
    assert history.said(name)[1] == ("assistant", "\n It scatters. ")


def test_an_answer_that_is_known_to_its_end_goes_before_a_longer_one(
    client: OpenAI, history: History, model: ScriptedModel
) -> None:
    first = client.chat.completions.create(model=MODEL, messages=[say(QUESTION)])
    before = [say(QUESTION), say(answer_to(QUESTION), "assistant"), say("Really?")]
    for answer in ("Yes", "Yes, always"):
        model.script = Script(pieces=(answer,))
        client.chat.completions.create(model=MODEL, messages=before, metadata=first.metadata)
    for answer in ("Yes", "Yes,"):
        client.chat.completions.create(
            model=MODEL, messages=[*before, say(answer, "assistant"), say("And at night?")],
            metadata=first.metadata,
        )  # fmt: skip

    parents = history.parents(first.metadata["conversation_id"])
    assert (parents[3], parents[5]) == (2, 2)
    assert (parents[7], parents[9]) == (4, 6)


def test_who_goes_on_from_an_answer_that_is_being_written_is_told_to_wait(
    client: OpenAI, history: History, model: ScriptedModel
) -> None:
    model.script = Script(interval=0.1)
    stream = client.chat.completions.create(model=MODEL, messages=[say(QUESTION)], stream=True)
    said = [say(QUESTION), say(text_of(next(iter(stream))), "assistant"), say("More?")]
    name = {"conversation_id": stream.response.headers["X-Conversation-ID"]}

    with pytest.raises(openai.ConflictError, match="still being written"):
        client.with_options(max_retries=0).chat.completions.create(
            model=MODEL, messages=said, metadata=name
        )
    list(stream)
    client.chat.completions.create(model=MODEL, messages=said, metadata=name)

    assert [text for role, text in history.said(name["conversation_id"]) if role == "user"] == [
        QUESTION, "More?",
    ]  # fmt: skip


def test_a_named_conversation_that_is_empty_begins_with_what_is_sent(
    app: Flask, client: OpenAI, history: History, model: ScriptedModel
) -> None:
    name = app.test_client().post(
        "/api/v1/conversations", json={}, headers={"Authorization": f"Bearer {client.api_key}"}
    ).json["id"]  # fmt: skip
    said = [
        say("You are a pirate.", "system"), say("Hello?"), say("Ahoy!", "assistant"), say(QUESTION),
    ]  # fmt: skip

    client.chat.completions.create(model=MODEL, messages=said, metadata={"conversation_id": name})

    told = [*said, say(answer_to(QUESTION), "assistant")]
    assert history.said(name) == [(each["role"], each["content"]) for each in told]
    assert history.parents(name) == {1: None, 2: 1, 3: 2, 4: 3, 5: 4}
    assert history.titles() == ["Hello?"]
    assert model.requests[-1].messages == said
    client.chat.completions.create(
        model=MODEL, messages=[*told, say("And?")], metadata={"conversation_id": name}
    )
    assert len(history.said(name)) == 7


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


def test_the_same_key_is_known_before_anything_else(
    app: Flask, client: OpenAI, history: History, model: ScriptedModel
) -> None:
    """Its answer has ended: it needs no place to wait, and its place has been found."""
    first = client.chat.completions.create(model=MODEL, messages=[say(QUESTION)])
    name = first.metadata["conversation_id"]
    before = [say(QUESTION), say(answer_to(QUESTION), "assistant")]
    for key in ("mine", "another"):
        done = client.chat.completions.create(
            model=MODEL, messages=[*before, say(QUESTION)], metadata={"conversation_id": name},
            extra_headers={"Idempotency-Key": key},
        )  # fmt: skip
        # The end of the newest branch looks now as what was said before.
        before = [say(QUESTION), say(answer_to(QUESTION), "assistant")]

    with no_place_to_wait(app):
        again = client.chat.completions.create(
            model=MODEL, messages=[*before, say(QUESTION)], metadata={"conversation_id": name},
            extra_headers={"Idempotency-Key": "mine"},
        )  # fmt: skip
        with pytest.raises(openai.RateLimitError):
            client.with_options(max_retries=0).chat.completions.create(
                model=MODEL, messages=[say(QUESTION)]
            )

    assert again.metadata["position"] == "4"
    assert done.metadata["position"] == "6"
    assert len(model.requests) == 3


def test_a_stream_that_breaks_off_ends_with_an_error(
    app: Flask, client: OpenAI, history: History, model: ScriptedModel
) -> None:
    model.script = Script(interval=0.05)
    stream = client.chat.completions.create(model=MODEL, messages=[say(QUESTION)], stream=True)
    next(iter(stream))
    with app.app_context(), replies.watching(history.last_id()) as live:
        live.part()

    with pytest.raises(openai.APIError, match="kept in its conversation"):
        list(stream)


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


JSON_SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "sky", "strict": True, "schema": {"type": "object"}},
}


def test_what_asks_for_a_text_is_taken(client: OpenAI) -> None:
    client.chat.completions.create(
        model=MODEL, messages=[say(QUESTION)], response_format={"type": "text"}, tools=[],
        functions=[], modalities=["text"], n=1, temperature=0.5,
    )  # fmt: skip


def test_what_is_longer_than_anything_here_is_refused(client: OpenAI, history: History) -> None:
    """The page would have to show it."""
    question, answer = "q" * 32_000, "a" * 200_000
    for before in (
        [say(question + "q"), say("Yes", "assistant")],
        [say(question), say("q")],
        [say("Why?"), say(answer + "a", "assistant")],
        [say(answer + "a", "system")],
    ):
        with pytest.raises(openai.UnprocessableEntityError, match="characters"):
            client.chat.completions.create(model=MODEL, messages=[*before, say(QUESTION)])
    assert history.conversations() == 0

    said = [say(answer, "system"), say(question), say(answer, "assistant"), say(QUESTION)]
    client.chat.completions.create(model=MODEL, messages=said)


def test_other_than_texts_is_refused(client: OpenAI, history: History) -> None:
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    for strange in (
        {"messages": [{"role": "user", "content": [picture]}]},
        {"messages": [say(QUESTION)], "tools": [{"type": "function", "function": {"name": "f"}}]},
        {"messages": [say(QUESTION)], "functions": [{"name": "f", "parameters": {}}]},
        {"messages": [say(QUESTION)], "response_format": {"type": "json_object"}},
        {"messages": [say(QUESTION)], "response_format": JSON_SCHEMA},
        {"messages": [say(QUESTION)], "modalities": ["text", "audio"]},
        {"messages": [say(QUESTION)], "n": 2},
        {"messages": [say("Hello", "assistant")]},
        {"messages": []},
    ):
        with pytest.raises(openai.UnprocessableEntityError):
            client.chat.completions.create(model=MODEL, **strange)

    assert history.conversations() == 0
