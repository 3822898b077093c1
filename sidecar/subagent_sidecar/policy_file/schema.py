"""The JSON Schema of policy files, out of the same tables that they are read by.

`python -m subagent_sidecar.policy_file.schema > policies/policy.schema.json`
"""

import json
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from ..core.policy import COUNTED, WINDOWED
from . import keys
from .keys import Keys

Schema = dict[str, Any]


def schema() -> Schema:
    """JSON Schema 2020-12. What it cannot say (names that stand twice, rules that contradict each
    other) `subagentctl policy validate` does."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Policy of the subagent sidecar",
        **_object(keys.TOP, required=["version"], others=_sections()),
        "$defs": {
            "match": _object(keys.MATCH, least=1),
            "reserve": _object(keys.RESERVE, least=1),
            "price": _object(keys.PRICE, required=keys.PRICE_REQUIRED),
            "limits": _limit(),
            "budgets": _budget(),
            "lifecycle": _lifecycle(),
        },
    }


def _sections() -> Schema:
    rules = {
        section: {
            "type": ["array", "null"],
            "items": _ref(section),
            "maxItems": keys.MOST_RULES,
        }
        for section in keys.RULES
    }
    prices = {
        "type": ["object", "null"],
        "additionalProperties": _ref("price"),
        "propertyNames": {"minLength": 1},
    }
    polling = _object(keys.POLLING, least=1)
    found = {**rules, "polling": polling, "prices": prices}
    return {key: {"description": keys.SECTIONS[key], **found[key]} for key in keys.SECTIONS}


def _limit() -> Schema:
    counted = [key for key in keys.LIMIT_KINDS if key in COUNTED]
    windowed = [key for key in keys.LIMIT_KINDS if key in WINDOWED]
    return {
        **_rule("limits"),
        "oneOf": _one_of(keys.LIMIT_KINDS),
        "dependentRequired": {**{key: ["per"] for key in counted}, "deny": ["match"]},
        "dependentSchemas": {
            "per": {"anyOf": _one_of(counted)},
            "window": {"anyOf": _one_of(windowed)},
        },
    }


def _budget() -> Schema:
    return {
        **_rule("budgets", "per"),
        "anyOf": _one_of(keys.AMOUNTS),
        "dependentRequired": {"on_unpriced": ["usd"]},
    }


def _lifecycle() -> Schema:
    return {**_rule("lifecycle"), "anyOf": _one_of(keys.LIFECYCLE_SETTINGS)}


def _rule(section: str, *required: str) -> Schema:
    nested = {key: _ref(key) for key in keys.NESTED[section]}
    return _object(keys.RULES[section], required=["name", *required], others=nested)


def _object(
    known: Keys,
    *,
    required: Iterable[str] = (),
    others: Mapping[str, Any] | None = None,
    least: int = 0,
) -> Schema:
    made: Schema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **{key: {"description": each.about, **each.kind.schema} for key, each in known.items()},
            **(others or {}),
        },
    }
    if wanted := list(required):
        made["required"] = wanted
    if least:
        made["minProperties"] = least
    return made


def _one_of(choices: Iterable[str]) -> list[Schema]:
    return [{"required": [key]} for key in choices]


def _ref(name: str) -> Schema:
    return {"$ref": f"#/$defs/{name}"}


def text() -> str:
    """The file as it is published."""
    return json.dumps(schema(), indent=2) + "\n"


if __name__ == "__main__":
    sys.stdout.write(text())
