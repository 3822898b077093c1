"""docs/reference/config.md names every setting, with the default it really has."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from tests.docs import repository
from tests.support.settings import parsed, problems

from subagent_sidecar.__main__ import check, serve

PAGE = repository.read("docs/reference/config.md")
_ROW = re.compile(r"^\| `([a-z_]+)` \| (?:`(.*?)`)? ?\| (.+?) \|$", re.MULTILINE)


def rows(heading: str) -> dict[str, str]:
    """name -> default, of the table under a heading."""
    found = _ROW.findall(repository.section(PAGE, heading))
    assert all(meaning for _, _, meaning in found)
    return {name: default for name, default, _ in found}


def known(problem: str) -> set[str]:
    """The names a complaint about an unknown one lists."""
    return set(re.split(r", ", problem.rpartition("known: ")[2]))


def test_every_setting_is_on_the_page(tmp_path: Path) -> None:
    (problem,) = problems(tmp_path, "unknown: 1\n")
    assert set(rows("Settings")) == known(problem)


def test_every_key_of_an_upstream_is_on_the_page(tmp_path: Path) -> None:
    text = "upstreams: {a: {url: http://h, unknown: 1}}\n"
    (problem,) = problems(tmp_path, text, upstreams=())
    assert set(rows("Upstreams")) == known(problem)


def test_the_defaults_on_the_page_are_the_defaults(tmp_path: Path) -> None:
    said = "".join(f"{name}: {default}\n" for name, default in rows("Settings").items())
    assert parsed(tmp_path, said) == parsed()


def test_the_defaults_of_an_upstream_on_the_page_are_the_defaults(tmp_path: Path) -> None:
    said = {name: yaml.safe_load(default) for name, default in rows("Upstreams").items() if default}
    explicit = parsed(
        tmp_path, {"upstreams": {"a": {"url": "http://h", **said}}}, upstreams=()
    ).upstreams
    assert explicit == parsed(upstreams=("a=http://h",)).upstreams


def test_the_example_can_be_used(tmp_path: Path) -> None:
    example = re.search(r"^```yaml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert example is not None
    found = parsed(tmp_path, example[1], upstreams=(), environ={"TEAM_KEY": "k"})
    assert found.default_upstream == "local"
    assert replace(found, upstreams=()) != replace(parsed(), upstreams=())


def options(command: click.Command) -> list[Any]:
    return [param for param in command.params if isinstance(param, click.Option)]


@pytest.mark.parametrize("command", [serve, check], ids=lambda command: str(command.name))
def test_every_flag_and_its_variable_are_on_the_page(command: click.Command) -> None:
    listed = set(re.findall(r"^\| `(--[a-z-]+) .*?` \| `([A-Z_]+)` \|", PAGE, re.MULTILINE))
    assert {(option.opts[0], option.envvar) for option in options(command)} == listed
    for flag, variable in listed:
        assert variable == "SUBAGENT_SIDECAR" + flag.upper().replace("--", "_").replace("-", "_")
