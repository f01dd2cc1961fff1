"""The description as people read it: words for its schemas, and an example of each operation."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

NAMES = {"conversation_id": "$CONVERSATION", "position": "2", "name": "test"}
"""What stands for a place in an example's address."""

SHAPE = "#/components/schemas/"


@dataclass(frozen=True)
class Field:
    """A parameter, or a field of a shape; ``shape`` names the shape that it is made of, if any."""

    name: str
    kind: str
    limits: str
    meaning: str
    required: bool
    place: str = ""
    shape: str = ""


@dataclass(frozen=True)
class Operation:
    """One way to ask; ``answers``: status, what it means, and names of shapes or media types."""

    id: str
    method: str
    path: str
    summary: str
    parameters: list[Field]
    body: str
    answers: list[tuple[str, str, list[str]]]
    example: str


@dataclass(frozen=True)
class Shape:
    name: str
    meaning: str
    fields: list[Field]


def operations(document: dict[str, Any]) -> Iterator[Operation]:
    for path, methods in document["paths"].items():
        for method, said in methods.items():
            body = shape_in(said.get("requestBody", {}))
            yield Operation(
                said["operationId"], method.upper(), path, said["summary"],
                [parameter(each) for each in said["parameters"]], body,
                [answer(status, each) for status, each in said["responses"].items()],
                example(document, method.upper(), path, body, said),
            )  # fmt: skip


def shapes(document: dict[str, Any]) -> Iterator[Shape]:
    for name, schema in document["components"]["schemas"].items():
        required = schema.get("required", ())
        fields = [
            field(each, said, each in required)
            for each, said in schema.get("properties", {}).items()
        ]
        yield Shape(name, schema.get("description", ""), fields)


def parameter(said: dict[str, Any]) -> Field:
    required = said.get("required", False)
    meaning = said.get("description", "")
    return field(said["name"], said["schema"], required, said["in"], meaning)


def field(
    name: str, schema: dict[str, Any], required: bool, place: str = "", meaning: str = ""
) -> Field:
    inner = given(schema)
    told = meaning or schema.get("description", "") or inner.get("description", "")
    return Field(
        name, kind(schema), limits(inner, schema.get("default")), told, required, place,
        shape_of(inner.get("items", inner)),
    )  # fmt: skip


def given(schema: dict[str, Any]) -> dict[str, Any]:
    """What a value is when it is not null."""
    some = [each for each in schema.get("anyOf", ()) if each.get("type") != "null"]
    return some[0] if len(some) == 1 else schema


def kind(schema: dict[str, Any]) -> str:
    """What a value is, in a few words."""
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(dict.fromkeys(kind(each) for each in choices))
    if "enum" in schema:
        return " or ".join(f"“{each}”" for each in schema["enum"])
    if "const" in schema:
        return f"“{schema['const']}”"
    if "items" in schema:
        return f"list of {kind(schema['items'])}"
    return shape_of(schema) or str(schema.get("format") or schema.get("type", "anything"))


def limits(schema: dict[str, Any], default: Any) -> str:
    said = []
    least, most = schema.get("minimum"), schema.get("maximum")
    if least is not None:
        said.append(f"{least} to {most}" if most is not None else f"from {least}")
    if most_characters := schema.get("maxLength"):
        said.append(f"at most {most_characters} characters")
    if default is not None:
        said.append(f"if not given: {default}")
    return ", ".join(said)


def shape_of(schema: dict[str, Any]) -> str:
    return str(schema.get("$ref", "")).removeprefix(SHAPE)


def shape_in(holder: dict[str, Any]) -> str:
    """The shape of a JSON body."""
    return shape_of(holder.get("content", {}).get("application/json", {}).get("schema", {}))


def answer(status: str, said: dict[str, Any]) -> tuple[str, str, list[str]]:
    contents = said.get("content", {})
    kinds = [shape_of(each["schema"]) or media for media, each in contents.items()]
    return status, said["description"], kinds


def example(
    document: dict[str, Any], method: str, path: str, body: str, said: dict[str, Any]
) -> str:
    """A command that does it, with the shell's variables for what differs."""
    for name, value in NAMES.items():
        path = path.replace(f"{{{name}}}", value)
    needed = [each for each in said["parameters"] if each["in"] == "query" and each.get("required")]
    if needed:
        path += "?" + "&".join(f"{each['name']}=sky" for each in needed)
    words = ["curl"] + (["-N"] if path.endswith("/stream") else [])
    if method not in {"GET", "POST"} or (method == "POST" and not body):
        words += ["-X", method]
    lines = [" ".join([*words, f'"$CHATWEB{path}"'])]
    if said["security"]:
        lines.append('-H "Authorization: Bearer $TOKEN"')
    if body:
        sent = sample(document, document["components"]["schemas"][body])
        lines += ["--json " + shlex.quote(json.dumps(sent))]
    return " \\\n  ".join(lines)


def sample(document: dict[str, Any], schema: dict[str, Any]) -> Any:
    """What must be sent, and what has an example."""
    if name := shape_of(schema):
        return sample(document, document["components"]["schemas"][name])
    if "examples" in schema:
        return schema["examples"][0]
    if "properties" in schema:
        required = schema.get("required", ())
        return {
            name: sample(document, given(each))
            for name, each in schema["properties"].items()
            if name in required or "examples" in given(each)
        }
    if "items" in schema:
        return [sample(document, schema["items"])]
    plain = {"string": "…", "integer": 1, "boolean": True, "object": {}}
    return schema["enum"][-1] if "enum" in schema else plain.get(str(schema.get("type")), "…")
