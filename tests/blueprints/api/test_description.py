"""What the interface says of itself holds, and everybody can read it."""

from __future__ import annotations

import re
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.blueprints.browser import Browser
from tests.blueprints.live_page import parsed

PLACE = re.compile(r"<(?:\w+:)?(\w+)>")


@pytest.fixture
def document(client: FlaskClient) -> Any:
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    assert response.mimetype == "application/json"
    return response.json


def operations(document: Any) -> list[tuple[str, str, Any]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


def test_anybody_reads_it_and_becomes_nobody(client: FlaskClient) -> None:
    response = client.get("/api/v1/openapi.json")
    assert response.status_code == 200
    assert "Set-Cookie" not in response.headers


def test_it_is_openapi_3_1(document: Any) -> None:
    assert document["openapi"].startswith("3.1.")
    assert {"title", "version"} <= set(document["info"])


def test_every_route_of_the_interface_is_described(app: Flask, document: Any) -> None:
    routes = {
        (method, PLACE.sub(r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if rule.rule.startswith("/api/v1/") and rule.rule != "/api/v1/openapi.json"
    }
    described = {(method.upper(), path) for method, path, _ in operations(document)}
    assert len(routes) >= 12
    assert routes <= described


def test_every_reference_leads_somewhere(document: Any) -> None:
    """By a name of one word: two shapes of one name would get those of their modules too."""
    found = set(re.findall(r"#/components/schemas/([^'\"]+)", str(document)))
    assert all(each.isalnum() for each in found)
    assert {"Conversation", "Message", "Exchange", "Piece", "Refusal"} <= found
    assert found <= set(document["components"]["schemas"])


def test_operations_have_names_of_their_own_and_say_what_they_do(document: Any) -> None:
    names = [each["operationId"] for _, _, each in operations(document)]
    assert len(set(names)) == len(names)
    assert all(each["summary"].strip() for _, _, each in operations(document))


def test_a_body_that_is_too_large_is_refused_by_every_method(document: Any) -> None:
    assert all("413" in each["responses"] for _, _, each in operations(document))


def test_a_key_is_named_where_it_is_read(document: Any) -> None:
    for method, path, operation in operations(document):
        reads = method == "post" and not path.endswith("/stop")
        named = "Idempotency-Key" in {each["name"] for each in operation["parameters"]}
        assert named is reads, path


def test_every_place_in_a_path_is_a_parameter(document: Any) -> None:
    for _, path, operation in operations(document):
        named = {each["name"] for each in operation["parameters"] if each["in"] == "path"}
        assert named == set(re.findall(r"\{(\w+)\}", path))


def test_it_tells_how_openais_clients_name_a_conversation(document: Any) -> None:
    for _, path, operation in operations(document):
        named = [each["name"] for each in operation["parameters"] if each["in"] == "header"]
        told = [
            name
            for response in operation["responses"].values()
            for name in response.get("headers", ())
        ]
        is_openais = path == "/v1/chat/completions"
        assert ("X-Conversation-ID" in named) == ("X-Conversation-ID" in told) == is_openais


def test_it_tells_the_three_ways_to_say_who_asks(document: Any) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["token"] == {"type": "http", "scheme": "bearer"}
    assert schemes["session"]["name"] == "X-Session-ID"
    assert schemes["cookie"]["in"] == "cookie"
    for _, path, operation in operations(document):
        if path.startswith("/api/v1/conversations"):
            assert {"token": []} in operation["security"]
            assert {"session": []} in operation["security"]


def test_shapes_say_what_a_message_and_a_conversation_are(document: Any) -> None:
    schemas = document["components"]["schemas"]
    assert list(schemas["Message"]["properties"]) == [
        "position", "parent", "role", "text", "status", "created_at", "request_id", "metadata",
        "citations",
    ]  # fmt: skip
    assert schemas["Ask"]["required"] == ["text"]
    assert set(schemas["Ask"]["properties"]) == {"text", "request_id", "parent"}


class TestThePage:
    @pytest.fixture
    def page(self, client: FlaskClient) -> Any:
        response = client.get("/api/docs")
        assert response.mimetype == "text/html"
        return parsed(response.text)

    def test_has_every_operation_with_its_place_in_the_contents(
        self, page: Any, document: Any
    ) -> None:
        contents = {each["href"] for each in page.select("#contents a")}
        for method, path, operation in operations(document):
            section = page.select_one(f"#{operation['operationId']}")
            assert section, operation["operationId"]
            assert f"#{operation['operationId']}" in contents
            heading = " ".join(section.get_text().split())
            assert f"{method.upper()} {path}" in heading
            assert operation["summary"].replace("`", "") in heading

    def test_has_every_parameter_field_and_answer(self, page: Any, document: Any) -> None:
        for _, _, operation in operations(document):
            text = page.select_one(f"#{operation['operationId']}").get_text()
            for parameter in operation["parameters"]:
                assert parameter["name"] in text
            for status in operation["responses"]:
                assert status in text
        for name, schema in document["components"]["schemas"].items():
            section = page.select_one(f"#shape-{name}")
            assert section, name
            assert all(field in section.get_text() for field in schema.get("properties", {}))

    def test_every_link_in_it_leads_somewhere(self, page: Any) -> None:
        ids = {each["id"] for each in page.select("[id]")}
        links = {each["href"] for each in page.select("main a[href^='#']")}
        assert links
        assert {each.removeprefix("#") for each in links} <= ids

    def test_is_a_page_like_every_other(self, browser: Browser) -> None:
        conversation = browser.talk()
        assert browser.page("/api/docs").one(f"#conversation-{conversation}")

    def test_loads_nothing_from_elsewhere_and_has_no_style_of_its_own(self, page: Any) -> None:
        for each in page.select("[src], link[href]"):
            address = each.get("src") or each.get("href")
            assert address.startswith("/static/")
        assert not page.select("[style], style, main script")
