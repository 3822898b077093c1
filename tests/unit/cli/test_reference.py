"""The reference page, and what holds the commands together."""

import importlib
import pkgutil
from pathlib import Path

import click

from subagentctl import commands
from subagentctl.__main__ import cli
from subagentctl.reference import reference

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "cli.md"


def test_the_reference_page_is_what_help_says() -> None:
    made = "python -m subagentctl.reference > docs/reference/cli.md"
    assert PAGE.read_text("utf-8") == reference(), f"out of date: {made}"


def test_every_command_and_option_explains_itself() -> None:
    for command in cli.commands.values():
        assert command.help, command.name
        options = [each for each in command.params if isinstance(each, click.Option)]
        assert all(option.help for option in options), command.name


def test_every_module_of_commands_is_part_of_the_cli() -> None:
    files = {path.stem for path in Path(commands.__path__[0]).glob("[a-z]*.py")}
    found = {module.name for module in pkgutil.iter_modules(commands.__path__)}
    assert files == found
    for name in files:
        module = importlib.import_module(f"{commands.__name__}.{name}")
        assert all(cli.commands[each.name] is each for each in module.COMMANDS)
