"""Checks requests and payloads against Discord's own OpenAPI description, where it is at hand.

The folder comes from the environment variable ``WHOSTHAT_SPECS``; without it there is no check.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

ROOT = "urn:discord"


@dataclass(frozen=True)
class Difference:
    """One place where the description and the real Discord differ: patterns of path and message, and why."""

    path: str
    message: str
    reason: str


DIFFERENCES = (
    Difference(
        r" request: .*(\.|_)ids?(\[\d+\])?$",
        r"^\d+ is not of type 'string'",
        "discord.py sends ids (of references, recipients, attachments) as JSON integers; Discord takes both",
    ),
    Difference(
        r"message_reference\.type$",
        r"^0 was expected",
        "forwards have type 1 in Discord's documentation; the description lists only replies",
    ),
    Difference(
        r"",
        r"is valid under each of",
        "the unions are told apart by their type; written as oneOf, several branches fit the same value",
    ),
)


class DiscordSpec:
    """The OpenAPI document, with one validator for each request and response that was asked for."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._document = document
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(ROOT, resource)
        self._validators: dict[str, Draft202012Validator] = {}

    @classmethod
    def at_hand(cls) -> DiscordSpec | None:
        """The description from ``WHOSTHAT_SPECS``, read once a process; None where it is not set."""
        folder = os.environ.get("WHOSTHAT_SPECS", "")
        return _load(folder) if folder else None

    def knows(self, method: str, route: str) -> bool:
        return method.lower() in self._document["paths"].get(route, {})

    def request(self, method: str, route: str, body: Any) -> list[str]:
        """What is wrong with a request's JSON body; empty when nothing is."""
        operation = self._document["paths"].get(route, {}).get(method.lower())
        if operation is None:
            return [f"{method} {route}: no such operation"]
        declared = operation.get("requestBody")
        if declared is None:
            return [] if body in (None, {}) else [f"{method} {route}: takes no body"]
        if body is None and not declared.get("required"):
            return []
        pointer = _pointer(
            "paths", route, method.lower(), "requestBody", "content", "application/json", "schema"
        )
        return self._problems(pointer, body, f"{method} {route} request")

    def response(self, method: str, route: str, status: int, body: Any) -> list[str]:
        """What is wrong with an answer's JSON body."""
        operation = self._document["paths"].get(route, {}).get(method.lower(), {})
        answers = operation.get("responses", {})
        if str(status) not in answers:
            known = "4XX" in answers and 400 <= status < 500
            return [] if known else [f"{method} {route}: {status} is not among its answers {sorted(answers)}"]
        if "content" not in answers[str(status)]:
            return []
        pointer = _pointer(
            "paths", route, method.lower(), "responses", str(status), "content", "application/json", "schema"
        )
        return self._problems(pointer, body, f"{method} {route} {status}")

    def schema(self, name: str, value: Any, where: str = "") -> list[str]:
        """What is wrong with a value by one of the named schemas."""
        pointer = _pointer("components", "schemas", name)
        return self._problems(pointer, value, where or name)

    def _problems(self, pointer: str, value: Any, where: str) -> list[str]:
        validator = self._validators.get(pointer)
        if validator is None:
            schema = {"$ref": f"{ROOT}#{pointer}"}
            validator = self._validators[pointer] = Draft202012Validator(schema, registry=self._registry)
        return _flatten(validator.iter_errors(value), where)


def _flatten(errors: Iterable[ValidationError], where: str) -> list[str]:
    """Errors as lines; of a union only the branch that was meant counts, and none if that one is excused."""
    found: list[str] = []
    for error in errors:
        branches: dict[Any, list[ValidationError]] = {}
        for inner in error.context or ():
            branches.setdefault(inner.schema_path[0], []).append(inner)
        if branches:
            meant = [b for b in branches.values() if not any(_of_another_kind(e) for e in b)]
            lines = [_flatten(b, where) for b in meant or branches.values()]
            fewest: list[str] = min(lines, key=len)
            found += fewest
            continue
        line, message = f"{where}: {error.json_path}", error.message
        if not any(re.search(d.path, line) and re.search(d.message, message) for d in DIFFERENCES):
            short = message if len(message) < 300 else f"{message[:120]} … {message[-120:]}"
            found.append(f"{line}: {short}")
    return found


def _of_another_kind(error: ValidationError) -> bool:
    """Whether this says that a union's branch is for null, or for another ``type``."""
    if error.validator == "type" and error.validator_value == "null":
        return True
    return error.validator in ("enum", "const") and list(error.relative_path)[-1:] == ["type"]


def _pointer(*parts: str) -> str:
    escaped = (part.replace("~", "~0").replace("/", "~1") for part in parts)
    return "".join("/" + quote(part, safe="~@") for part in escaped)


@cache
def _load(folder: str) -> DiscordSpec:
    return DiscordSpec(json.loads((Path(folder) / "discord-openapi.json").read_text(encoding="utf-8")))
