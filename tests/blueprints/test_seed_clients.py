"""Front ends of earlier systems, pointed here, find what they expect."""

from __future__ import annotations

from uuid import uuid4

from flask import Flask
from flask.testing import FlaskClient

from tests.blueprints.seed_clients import BookBrowser, BotFrontEnd, ConversationStore
from tests.scripted_model import Script, ScriptedModel, answer_to


def test_the_chat_bots_page(app: Flask, client: FlaskClient, model: ScriptedModel) -> None:
    model.script = Script(tokens=8, interval=0.005)
    bot = BotFrontEnd(client)
    first = bot.create()
    second = bot.create("Holidays")

    said = bot.send(first, "Why is the sky blue?")

    assert said == answer_to("Why is the sky blue?", 8)
    assert bot.session(first)["title"] == "Why is the sky blue?"
    bot.send(first, "And at night?")
    talk = [
        ("user", "Why is the sky blue?"), ("bot", answer_to("Why is the sky blue?", 8)),
        ("user", "And at night?"), ("bot", answer_to("And at night?", 8)),
    ]  # fmt: skip
    assert bot.history(first) == bot.messages(first) == talk
    assert bot.history(first, limit=1) == talk[-1:]
    assert bot.messages(first, limit=2, offset=1) == talk[1:3]

    bot.rename(first, "The sky")
    page = bot.sessions()
    assert [(each["id"], each["title"]) for each in page["sessions"]] == [
        (first, "The sky"), (second, "Holidays"),
    ]  # fmt: skip
    assert page["total"] == 2
    assert [each["id"] for each in bot.sessions(limit=1, offset=1)["sessions"]] == [second]

    # After a restart or in another browser: each sees their own.
    assert BotFrontEnd(client).history(first) == talk
    assert BotFrontEnd(app.test_client()).sessions()["total"] == 0
    assert BotFrontEnd(app.test_client()).is_gone(first)

    bot.delete(first)
    assert bot.is_gone(first)
    assert bot.sessions()["total"] == 1


def test_the_books_page(app: Flask, model: ScriptedModel) -> None:
    model.script = Script(tokens=8, interval=0.005)
    browser, other = (BookBrowser(app.test_client()) for _ in range(2))
    assert browser.can_persist()
    assert browser.history() == []

    said = browser.ask("What is a sensor?", "3. Sensors")
    browser.ask("And a motor?", "4. Motors")
    browser.ask("What is this book about?")

    assert said == answer_to("What is a sensor?", 8)
    sensors = [("user", "What is a sensor?"), ("assistant", said)]
    assert browser.history("3. Sensors") == sensors
    assert [text for role, text in browser.history() if role == "user"] == [
        "What is a sensor?", "And a motor?", "What is this book about?",
    ]  # fmt: skip

    # The page is opened again, with the UUID that it kept.
    again = BookBrowser(app.test_client(), browser.session_id)
    assert again.history("3. Sensors") == sensors
    assert other.history() == []

    assert again.clear("4. Motors") == 2
    assert len(browser.history()) == 4
    assert browser.clear() == 4
    assert browser.history() == []
    assert browser.ask("What is a sensor?", "3. Sensors") == said
    assert browser.history() == sensors


def test_the_conversation_stores_calls(client: FlaskClient, model: ScriptedModel) -> None:
    model.script = Script(tokens=8)
    store = ConversationStore(client)
    assert store.is_initialized()
    talk = store.create_conversation("ada", "Engines")
    assert store.get_message_count("ada", talk) == 0

    for text in ("What is an engine?", "What does it compute?"):
        request_id = uuid4()
        answer = store.save_user_message("ada", talk, text, request_id)
        saved = store.save_assistant_message("ada", talk, answer)
        assert (saved["role"], saved["status"]) == ("assistant", "complete")
        assert saved["text"] == answer_to(text, 8)
        assert saved["metadata"]["model"] == "scripted-model"
        # Its retry after a lost connection.
        assert store.save_user_message("ada", talk, text, request_id) == answer

    messages = store.get_messages("ada", talk)
    assert [(each["role"], each["text"]) for each in messages] == [
        ("user", "What is an engine?"), ("assistant", answer_to("What is an engine?", 8)),
        ("user", "What does it compute?"), ("assistant", answer_to("What does it compute?", 8)),
    ]  # fmt: skip
    assert messages[2]["request_id"] == str(request_id)
    assert store.get_last_n_messages("ada", talk, 3) == messages[-3:]
    assert store.get_message_count("ada", talk) == 4

    found = store.get_conversation("ada", talk)
    assert found
    assert (found["title"], found["status"]) == ("Engines", "active")
    assert found["last_message_at"] >= found["created_at"]
    assert store.get_conversation("grace", talk) is None
    assert store.list_conversations("grace") == []

    other = store.create_conversation("ada", "Another")
    store.archive_conversation("ada", talk)
    assert store.list_conversations("ada", "active") == [other]
    assert store.list_conversations("ada", "archived") == [talk]
    assert set(store.list_conversations("ada")) == {talk, other}
    assert len(store.get_messages("ada", talk)) == 4
