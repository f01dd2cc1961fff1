"""The log: one JSON object a line, that tells what happened and never what people wrote."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable
from uuid import UUID, uuid4

import pytest
from flask import Flask
from gunicorn.http.errors import InvalidHeader

from tests import factories
from tests.blueprints.browser import Browser
from tests.scripted_model import Script, ScriptedModel

Log = Callable[[], list[str]]


def test_a_line_of_the_log_is_one_line_whatever_was_sent(
    browser: Browser, mine: UUID, log: Callable[[], list[str]]
) -> None:
    """A25: in a title, a path, a header, a method."""
    forged = '\r\n{"level": "ERROR", "message": "forged"}\x1b[31m\u2028\x85'

    browser.post(f"/c/{mine}/rename", {"title": forged})
    browser.post("/c", {"text": forged, "request_id": forged})
    sent = forged.encode().decode("latin-1")
    browser.get("/", environ_overrides={"PATH_INFO": f"/{sent}", "HTTP_USER_AGENT": sent})
    browser.get("/", query_string={"deleted": forged}, headers={"HX-Request": "true"})
    browser.get("/", environ_overrides={"REQUEST_METHOD": f"GET{sent}"})

    lines = log()
    assert len(lines) == 5
    for line in lines:
        assert json.loads(line)["level"] == "INFO"
        assert "\x1b" not in line
        assert "\u2028" not in line


def test_a_request_is_a_line_with_its_route_its_status_and_its_number(
    browser: Browser, mine: UUID, log: Log
) -> None:
    """The route and not the address: an id in a log would tell whose conversation it was."""
    response = browser.get(f"/c/{mine}")

    (line,) = log()
    found = json.loads(line)
    assert found["message"] == "GET /c/<uuid:conversation_id> 200"
    assert found["request_id"] == response.headers["X-Request-ID"]
    assert (found["level"], found["logger"]) == ("INFO", "chatweb.access")
    assert found["ms"] >= 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00", found["time"])


def test_a_fault_of_ours_is_told_once_with_its_number(app: Flask, log: Log) -> None:
    app.add_url_rule("/broken", view_func=lambda: 1 / 0)

    response = app.test_client().get("/broken")

    (fault,) = [json.loads(line) for line in log() if '"ERROR"' in line]
    assert "ZeroDivisionError" in fault["exception"]
    assert fault["request_id"] == response.headers["X-Request-ID"]


WORDS = "canary-in-a-question"
TITLE = "canary-in-a-title"
KEY = "sk-canary-0123456789abcdefghij"
SECRET = "canary-secret-key-0123456789"  # noqa: S105 to be looked for
PASSWORD = "canary-password"  # noqa: S105 to be looked for


@pytest.fixture
def talkative(make_app: Callable[..., Flask], database_url: str, model: ScriptedModel) -> Browser:
    """An application with secrets, which logs all it can."""
    secretive = database_url.replace("postgres@", f"postgres:{PASSWORD}@")
    app = make_app(
        DATABASE_URL=secretive, LLM_BASE_URL=model.base_url, LLM_MODEL="test", LLM_API_KEY=KEY,
        SECRET_KEY=SECRET, LOG_LEVEL="DEBUG", DATABASE_ECHO="true",
    )  # fmt: skip
    browser = Browser(app.test_client())
    browser.get()
    return browser


@pytest.mark.parametrize(
    "script",
    [
        Script(), Script(status=401, message=f"bad key {KEY} for {WORDS}"),
        Script(do="error", after=1, message=f"bad key {KEY}"), Script(do="prose"),
    ],
    ids=["answered", "refused", "broken-off", "nonsense"],
)  # fmt: skip
def test_nothing_that_people_wrote_and_no_secret_is_in_it(
    talkative: Browser, model: ScriptedModel, log: Log, script: Script
) -> None:
    """I7: whether all goes well or not."""
    model.script = script
    cookie = talkative.client.get_cookie("chatweb")
    assert cookie

    conversation = talkative.begin(WORDS)
    talkative.ended(conversation)
    talkative.post(f"/c/{conversation}/rename", {"title": TITLE})
    talkative.get("/history", query_string={"q": WORDS})
    talkative.get(f"/c/{WORDS}")
    talkative.post("/c", {"text": WORDS, "request_id": WORDS})

    lines = log()
    assert len(lines) > 6
    for line in lines:
        assert isinstance(json.loads(line), dict)
    for secret in (WORDS, TITLE, KEY, SECRET, PASSWORD, cookie.value, str(conversation)):
        assert secret not in "\n".join(lines)


def test_a_token_is_masked_wherever_it_comes_from(app: Flask, log: Log) -> None:
    token = "chatweb_" + "Ab-_9" * 8

    logging.getLogger("gunicorn.error").warning("Bearer %s", token, extra={"more": token.upper()})

    (line,) = log()
    assert "Ab-_9" not in line
    assert "AB-_9" not in line
    assert json.loads(line)["message"] == "Bearer chatweb_…"


def test_what_gunicorn_cannot_read_is_not_quoted(app: Flask, log: Log) -> None:
    try:
        raise InvalidHeader(f"X-Session-ID : {WORDS}")
    except InvalidHeader as error:
        logging.getLogger("gunicorn.error").warning(f"Invalid request from ip=::1: {error}")

    (line,) = log()
    assert json.loads(line)["message"] == "Invalid request from ip=::1: InvalidHeader"


NOT_THERE = "ALTER TABLE message RENAME TO elsewhere"
REFUSED = {
    "sqlite": "CREATE UNIQUE INDEX never ON message (owner_id)",
    "postgresql": "ALTER TABLE message ADD CONSTRAINT never CHECK (length(content) < 15)",
}


@pytest.mark.parametrize("fault", ["not there", "refused"])
def test_nothing_of_it_is_in_it_when_the_database_fails(
    talkative: Browser, database_url: str, log: Log, fault: str
) -> None:
    """A server's error quotes the row that it would not take."""
    statement = NOT_THERE if fault == "not there" else REFUSED[database_url.partition(":")[0]]
    with talkative.client.application.app_context(), factories.writing() as connection:
        connection.exec_driver_sql(statement)
        connection.commit()

    response = talkative.post("/c", {"text": WORDS, "request_id": uuid4()})

    assert response.status_code in {500, 503}
    assert WORDS in response.text  # it is still in the box
    said = "\n".join(log())
    assert [line for line in log() if '"ERROR"' in line or '"WARNING"' in line]
    for secret in (WORDS, KEY, SECRET, PASSWORD):
        assert secret not in said
