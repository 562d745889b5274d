"""The description of the HTTP API for programs that read it: OpenAPI 3.1, made from the table that serves it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mailshare.web.cursors import place_of
from mailshare.web.object_tags import KINDS
from mailshare.web.operations import BASE, ELEMENTS, OPERATIONS, Operation

_PART = re.compile(r"<([a-z_]+)>")
_KINDS: Mapping[type, str] = {str: "string", int: "integer", bool: "boolean", list: "array", dict: "object"}
_PROBLEM = {
    "type": "object",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string", "description": "what is wrong, and what to do, as a sentence"},
    },
}
_CURSOR = {
    "name": "cursor",
    "in": "query",
    "required": False,
    "schema": {"type": "string"},
    "description": "where to go on, as the link of the answer before has it",
}
_MATCH = {
    "name": "If-Match",
    "in": "header",
    "required": False,
    "description": "the ETag of the thing, or of a list: 412 when it is another one by now (RFC 9110 section 13.1.1)",
}
_FURTHER = {"schema": {"type": "string"}, "description": 'rel="next": the rest of the list (RFC 8288); none at its end'}


def document(version: str) -> dict[str, Any]:
    """The whole description, as JSON values."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in OPERATIONS:
        if operation.remote:
            path = BASE + _PART.sub(r"{\1}", operation.path)
            paths.setdefault(path, {})[operation.method.lower()] = _described(operation)
    paths[f"{BASE}/events"] = {"get": _events()}
    paths[f"{BASE}/openapi.json"] = {"get": _itself()}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "mailshare",
            "version": version,
            "license": {"name": "MIT", "identifier": "MIT"},
            "description": "What the manager and the command do, for programs. Times are UTC; sizes are octets.",
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}, {"session": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "made in the manager's settings"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-ms"},
            },
            "schemas": {"Problem": _PROBLEM},
            "responses": {
                "Problem": {
                    "description": "It was not done, for the reason that is told (RFC 9457)",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                }
            },
        },
    }


def _described(operation: Operation) -> dict[str, Any]:
    in_path = _PART.findall(operation.path)
    place = place_of(operation)
    rest = [name for name in operation.params if name not in in_path and name != place]
    parameters = [_parameter(operation, name, "path") for name in in_path]
    made: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.name.replace("_", " "),
        "description": f"Needs the level {operation.level.name.lower()}.",
        "x-level": operation.level.name.lower(),
        "responses": {
            "200": {
                "description": "Done",
                "headers": {"ETag": {"schema": {"type": "string"}, "description": _told_by(operation)}},
                "content": {"application/json": {"schema": {}}},
            },
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }
    if operation.method == "GET" or operation.raw:
        parameters += [_parameter(operation, name, "query") for name in rest]
        if place:
            parameters.append(_CURSOR)
            made["responses"]["200"]["headers"]["Link"] = _FURTHER
    if operation.raw:
        document = {"type": "string", "format": "binary"}
        made["requestBody"] = {"required": True, "content": {"application/octet-stream": {"schema": document}}}
    elif operation.method != "GET" and rest:
        made["requestBody"] = {
            "required": any(name in operation.required for name in rest),
            "content": {"application/json": {"schema": _body(operation, rest)}},
        }
    if operation.method != "GET":
        parameters.append({**_MATCH, "schema": {"type": "string"}})
        if operation.name in KINDS:
            made["responses"]["412"] = {"$ref": "#/components/responses/Problem"}
    made["parameters"] = parameters
    return made


def _told_by(operation: Operation) -> str:
    one = operation.name in KINDS and operation.method != "DELETE"
    return "version of this one, for If-Match" if one else "version of users and accounts"


def _parameter(operation: Operation, name: str, place: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "name": name,
        "in": place,
        "required": place == "path" or name in operation.required,
        "schema": _schema(name, operation.params[name]),
    }
    if operation.params[name] is list:
        made.update(style="form", explode=False)
    return made


def _body(operation: Operation, names: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name for name in names if name in operation.required],
        "properties": {name: _schema(name, operation.params[name]) for name in names},
    }


def _schema(name: str, kind: type) -> dict[str, Any]:
    made: dict[str, Any] = {"type": _KINDS[kind]}
    if kind is list:
        made["items"] = {"type": _KINDS[ELEMENTS.get(name, str)]}
    return made


def _events() -> dict[str, Any]:
    return {
        "operationId": "events",
        "summary": "server-sent events: the state of now, then every change",
        "x-level": "read",
        "responses": {
            "200": {"description": "A stream without end", "content": {"text/event-stream": {"schema": {}}}},
            "default": {"$ref": "#/components/responses/Problem"},
        },
    }


def _itself() -> dict[str, Any]:
    return {
        "operationId": "openapi",
        "summary": "this description",
        "security": [],
        "responses": {"200": {"description": "OpenAPI 3.1", "content": {"application/json": {"schema": {}}}}},
    }
