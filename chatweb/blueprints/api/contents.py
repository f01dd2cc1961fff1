"""What is sent and given, in OpenAPI's words: shapes, streams of events, other text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from chatweb.blueprints.api.described import EVENTS, JSON, Described, Events

REFERENCE = "#/components/schemas/{name}"
ANY_EVENT = {
    "type": "object", "required": ["data"], "properties": {"data": {"type": "string"}},
    "description": "One event; each is sent as lines of text.",
}  # fmt: skip


def components(described: Iterable[Described], *more: Any) -> dict[str, Any]:
    """Every shape that is taken or given, by its name."""
    kinds = {*more}
    for about in described:
        given = [each for values in about.gives.values() for each in in_all(values)]
        kinds |= {shape for each in (about.takes, *given) for shape in shapes_of(each)}
    ordered = sorted(kinds, key=str)
    _, schemas = msgspec.json.schema_components(ordered, ref_template=REFERENCE)
    for schema in schemas.values():
        # A docstring's lines are broken for the reader of the code.
        schema["description"] = " ".join(schema.get("description", "").split())
    return schemas


def shapes_of(given: Any) -> Iterator[Any]:
    if isinstance(given, Events):
        yield from given.shapes.values()
    elif given and not isinstance(given, str):
        yield given


def in_all(given: Any) -> tuple[Any, ...]:
    """What a view gives with a status: shapes, events, and text of other media types by name."""
    return given if isinstance(given, tuple) else (given,) if given else ()


def content(*given: Any) -> dict[str, Any]:
    if not given:
        return {}
    return {"content": {media_type(each): {"schema": schema_of(each)} for each in given}}


def media_type(given: Any) -> str:
    if isinstance(given, Events):
        return EVENTS
    return given if isinstance(given, str) else JSON


def schema_of(given: Any) -> dict[str, Any]:
    if isinstance(given, Events):
        kinds = [event(name, shape) for name, shape in given.shapes.items()]
        return {"description": ANY_EVENT["description"], "oneOf": kinds}
    if given == EVENTS:
        return ANY_EVENT
    if isinstance(given, str):
        return {"type": "string"}
    schema: dict[str, Any] = msgspec.json.schema_components([given], ref_template=REFERENCE)[0][0]
    return schema


def event(name: str, shape: Any) -> dict[str, Any]:
    """One kind of event: unnamed ones are called ``message`` by those who read them."""
    data = {"type": "string", "contentMediaType": JSON, "contentSchema": schema_of(shape)}
    return {
        "type": "object",
        "required": ["data", "event"],
        "properties": {"event": {"const": name}, "id": {"type": "string"}, "data": data},
    }
