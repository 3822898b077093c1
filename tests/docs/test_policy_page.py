"""docs/reference/policy.md names every key of a policy file, with the default it really has."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.docs import repository

from subagent_sidecar.core.matching import Scope
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.policy_file import NAMES, find, keys, parse
from subagent_sidecar.yaml_file import Document

PAGE = repository.read("docs/reference/policy.md")
_ROW = re.compile(r"^\| `([a-z_]+)` \| (?:`(.*?)`)? ?\| (.+?) \|$", re.MULTILINE)
_SCOPE = re.compile(r"^\| `([a-z]+)` \| [^|]+ \|$", re.MULTILINE)

HEADINGS: dict[str, set[str]] = {
    "The file": {*keys.TOP, *keys.SECTIONS},
    "Match": {*keys.MATCH},
    "Limits": {*keys.LIMIT, *keys.NESTED["limits"]},
    "Budgets": {*keys.BUDGET, *keys.NESTED["budgets"]},
    "Lifecycle": {*keys.LIFECYCLE, *keys.NESTED["lifecycle"]},
    "Polling": {*keys.POLLING},
    "Prices": {*keys.PRICE},
}

SMALLEST: dict[str, dict[str, Any]] = {
    "Limits": {"name": "a", "depth": 1},
    "Budgets": {"name": "a", "usd": 5, "per": "session"},
    "Lifecycle": {"name": "a", "run": "5m"},
}
"""A rule that says no more than it must."""


def rows(heading: str) -> dict[str, str]:
    """key -> default, of the table under a heading."""
    return {key: default for key, default, _ in _ROW.findall(repository.section(PAGE, heading))}


def read(data: Any) -> Policy:
    return parse([Document(Path("p.yaml"), data, {})])


@pytest.mark.parametrize("heading", HEADINGS)
def test_every_key_is_on_the_page_and_no_other(heading: str) -> None:
    assert set(rows(heading)) == HEADINGS[heading]


def test_every_scope_is_on_the_page_and_no_other() -> None:
    assert _SCOPE.findall(repository.section(PAGE, "Scopes")) == [scope.value for scope in Scope]


@pytest.mark.parametrize("heading", SMALLEST)
def test_the_defaults_of_a_rule_on_the_page_are_the_defaults(heading: str) -> None:
    said = {key: yaml.safe_load(default) for key, default in rows(heading).items() if default}
    section = heading.lower()
    explicit = read({"version": 1, section: [{**said, **SMALLEST[heading]}]})
    assert said
    assert explicit == read({"version": 1, section: [SMALLEST[heading]]})


def test_the_defaults_of_a_file_on_the_page_are_the_defaults() -> None:
    said = {key: yaml.safe_load(text) for key, text in rows("The file").items() if text}
    assert read({"version": 1, **said}) == read({"version": 1})


def test_the_example_can_be_used() -> None:
    example = re.search(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert example is not None
    assert len(list(read(yaml.safe_load(example[1])).rules)) == 9


@pytest.mark.parametrize("name", NAMES)
def test_every_rule_of_the_bundled_policies_says_why_it_is_there(name: str) -> None:
    lines = find(name).read_text("utf-8").splitlines()
    for number, line in enumerate(lines):
        if re.match(r"  - |[a-z_]+: .", line) and not re.match(r"version|mode", line):
            assert lines[number - 1].lstrip().startswith("# "), f"{name}.yaml:{number + 1}"


@pytest.mark.parametrize("name", NAMES)
def test_the_bundled_policies_name_their_schema_for_editors(name: str) -> None:
    first = find(name).read_text("utf-8").splitlines()[0]
    assert first == "# yaml-language-server: $schema=./policy.schema.json"
    assert (find(name).parent / "policy.schema.json").is_file()
