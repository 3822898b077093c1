"""policies/policy.schema.json is what the parser says, as far as a schema can say it."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator
from tests.support.policies import BROKEN, EVERY, EVERYTHING, GOOD, Bad, loaded

from subagent_sidecar.errors import ConfigError
from subagent_sidecar.policy_file import folder, keys, parse, schema
from subagent_sidecar.yaml_file import Document

PUBLISHED = folder() / "policy.schema.json"
VALIDATOR = Draft202012Validator(schema.schema())


def test_the_published_schema_is_made_from_the_tables_of_the_parser() -> None:
    made = "python -m subagent_sidecar.policy_file.schema > policies/policy.schema.json"
    assert PUBLISHED.read_text("utf-8") == schema.text(), f"out of date: {made}"


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(json.loads(PUBLISHED.read_text("utf-8")))


def test_a_file_with_everything_in_it_has_every_key() -> None:
    data = yaml.safe_load(EVERYTHING)
    assert set(data) == {*keys.TOP, *keys.SECTIONS}
    for section, known in keys.RULES.items():
        used = {key for rule in data[section] for key in rule}
        assert used == {*known, *keys.NESTED[section]}


@pytest.mark.parametrize("text", GOOD, ids=range(len(GOOD)))
def test_what_the_parser_takes_the_schema_takes(tmp_path: Path, text: str) -> None:
    loaded(tmp_path, text)
    assert list(VALIDATOR.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "bad",
    [bad for bad in EVERY if bad not in BROKEN],
    ids=lambda bad: bad.text.encode("unicode_escape").decode(),
)
def test_what_the_parser_refuses_the_schema_refuses_if_it_can(bad: Bad) -> None:
    """`schema_sees` says of each mistake in the table whether a schema can know it."""
    assert VALIDATOR.is_valid(yaml.safe_load(bad.text)) is not bad.schema_sees


def places(value: Any, at: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths to everything in a document."""
    yield at
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for key, inner in pairs:
            yield from places(inner, (*at, key))


def replaced(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    head, *rest = at
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[head] = replaced(value[head], tuple(rest), new)
    return copy


ODD: list[Any] = [
    *(None, True, False, 0, 1, -1, 1.5, 10**6, 10**13),
    *("", "x", "0", "5m", "1.0", ">=1", "enforce", "task", "ignore", "cancel", "abandon"),
    *([], ["x"], [{}], {}, {"x": 1}, {"agent": "x"}),
]


def parser_takes(data: Any) -> bool:
    try:
        parse([Document(Path("p.yaml"), data, {})])
    except ConfigError:
        return False
    return True


def test_with_odd_values_in_any_place_parser_and_schema_are_of_one_mind() -> None:
    """What the schema refuses the parser refuses, everywhere; the other way round holds but for
    what only the parser can know."""
    document = yaml.safe_load(EVERYTHING)
    only_parser = set()
    for at in places(document):
        for odd in ODD:
            data = replaced(document, at, odd)
            takes, schema_takes = parser_takes(data), VALIDATOR.is_valid(data)
            assert schema_takes or not takes, (at, odd)
            if schema_takes and not takes:
                only_parser.add(_why(at, odd))
    assert only_parser == {"budgets", "clocks"}


def _why(at: tuple[Any, ...], odd: Any) -> str:
    """Which of the things that only the parser can know."""
    match at:
        case ("budgets", 0, *_):
            return "budgets"  # that a part is more than the whole
        case ("lifecycle", 0, *_):
            return "clocks"  # that they contradict each other
        case _:
            return f"{at} {odd!r}"
