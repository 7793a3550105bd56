"""Checks requests and payloads against the machine-readable description of the Bot API, where it is at hand.

The folder comes from the environment variable ``WHOSTHAT_SPECS``; without it there is no check.
"""

from __future__ import annotations

import json
import os
import re
from functools import cache
from pathlib import Path
from typing import Any

ARRAY = "Array of "
PLAIN: dict[str, tuple[type, ...]] = {
    "Integer": (int,),
    "Float": (int, float),
    "String": (str,),
    "Boolean": (bool,),
    "True": (bool,),
}
FIXED = re.compile(r"(?:always|must be) [\"“*]?(\w+)[\"”*]?")


class TelegramSpec:
    """The description's methods and types."""

    def __init__(self, document: dict[str, Any]) -> None:
        self._methods: dict[str, Any] = document["methods"]
        self._types: dict[str, Any] = document["types"]

    @classmethod
    def at_hand(cls) -> TelegramSpec | None:
        """The description from ``WHOSTHAT_SPECS``, read once a process; None where it is not set."""
        folder = os.environ.get("WHOSTHAT_SPECS", "")
        return _load(folder) if folder else None

    def request(self, method: str, given: dict[str, Any]) -> list[str]:
        """What is wrong with a call's parameters; numbers and booleans may be the strings of a form."""
        declared = self._methods.get(method)
        if declared is None:
            return [f"{method}: no such method"]
        fields = declared.get("fields") or []
        types = {field["name"]: field["types"] for field in fields}
        typed = {name: _from_form(value, types.get(name, [])) for name, value in given.items()}
        return self._fields(fields, typed, method)

    def result(self, method: str, value: Any) -> list[str]:
        """What is wrong with the ``result`` of a call."""
        return self._any(self._methods[method]["returns"], value, f"{method} result")

    def value(self, type_: str, value: Any, where: str = "") -> list[str]:
        """What is wrong with a value of a named type, such as "Update"."""
        return self._one(type_, value, where or type_)

    def knows(self, method: str) -> bool:
        return method in self._methods

    def _fields(self, declared: list[dict[str, Any]], given: dict[str, Any], where: str) -> list[str]:
        known = {field["name"]: field for field in declared}
        found = [f"{where}: no field {name!r}" for name in given if name not in known]
        for name, field in known.items():
            if name not in given:
                if field["required"]:
                    found.append(f"{where}: {name!r} is missing")
                continue
            found += self._any(field["types"], given[name], f"{where}.{name}")
            fixed = FIXED.search(field["description"]) if field["types"] == ["String"] else None
            if fixed and name in ("type", "status", "source") and given[name] != fixed[1]:
                found.append(f"{where}.{name}: is {given[name]!r}, not {fixed[1]!r}")
        return found

    def _any(self, types: list[str], value: Any, where: str) -> list[str]:
        """The complaints of the type that fits best."""
        return min((self._one(type_, value, where) for type_ in types), key=len)

    def _one(self, type_: str, value: Any, where: str) -> list[str]:
        if type_.startswith(ARRAY):
            if not isinstance(value, list):
                return [f"{where}: {value!r:.80} is no array"]
            inner = type_.removeprefix(ARRAY)
            return [line for i, one in enumerate(value) for line in self._one(inner, one, f"{where}[{i}]")]
        if type_ in PLAIN:
            right = isinstance(value, PLAIN[type_]) and (
                type_ in ("Boolean", "True") or not isinstance(value, bool)
            )
            return [] if right else [f"{where}: {value!r:.80} is no {type_}"]
        if type_ == "InputFile":
            return [] if isinstance(value, str) else [f"{where}: {value!r:.80} is no file"]
        declared = self._types.get(type_)
        if declared is None:
            return [f"{where}: the description has no type {type_}"]
        if declared.get("subtypes"):
            return self._any(declared["subtypes"], value, where)
        if not isinstance(value, dict):
            return [f"{where}: {value!r:.80} is no {type_}"]
        return self._fields(declared.get("fields") or [], value, where)


def _from_form(value: Any, types: list[str]) -> Any:
    """A form's string as what it stands for; an object that a plain string looks like is one again."""
    if "String" in types and not isinstance(value, str) and not {"Integer", *types} - {"String", "Integer"}:
        return value if isinstance(value, int) else json.dumps(value)
    if not isinstance(value, str):
        return value
    if "Integer" in types and re.fullmatch(r"-?\d+", value):
        return int(value)
    if "Float" in types and re.fullmatch(r"-?\d+(\.\d+)?", value):
        return float(value)
    if ("Boolean" in types or "True" in types) and value.lower() in ("true", "false"):
        return value.lower() == "true"
    return value


class Checker:
    """Looks at every call and update; tests assert that ``violations`` is empty."""

    def __init__(self) -> None:
        self.violations: list[str] = []
        self._spec = TelegramSpec.at_hand()

    def request(self, method: str, given: dict[str, Any]) -> None:
        if self._spec is not None:
            self.violations += self._spec.request(method, given)

    def result(self, method: str, value: Any) -> None:
        if self._spec is not None and self._spec.knows(method):
            self.violations += self._spec.result(method, value)

    def knows(self, method: str) -> bool:
        """Whether the Bot API has this method; without a description, whatever looks like one."""
        return self._spec is None or self._spec.knows(method)

    def update(self, update: dict[str, Any]) -> None:
        if self._spec is not None:
            self.violations += self._spec.value("Update", update)


@cache
def _load(folder: str) -> TelegramSpec:
    return TelegramSpec(json.loads((Path(folder) / "telegram-bot-api.json").read_text(encoding="utf-8")))
