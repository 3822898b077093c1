"""How the story looks."""

import io
from collections.abc import Iterable

import pytest

from subagent_sidecar.demo.render import Style, call_text, cut, shorten

TASK = "01a206ec-ad44-740c-b6a0-ff435144eb71"
COLOURED = Style(colour=True)


class Terminal(io.TextIOWrapper):
    """A stream that says it is a terminal."""

    def __init__(self, encoding: str = "utf-8") -> None:
        super().__init__(io.BytesIO(), encoding=encoding)

    def isatty(self) -> bool:
        return True


def text(lines: Iterable[str]) -> str:
    return "\n".join(lines)


def test_a_call_reads_like_python_and_names_the_task_by_its_tail() -> None:
    event = {"event": "call", "tool": "check_async_task", "args": {"task_id": TASK}}
    assert list(Style().event(event)) == [
        "",
        '  supervisor  → check_async_task(task_id="…5144eb71")',
    ]


def test_a_call_without_arguments_has_empty_parentheses() -> None:
    assert call_text("list_async_tasks", {}) == "list_async_tasks()"


def test_what_the_model_gets_back_stands_under_its_call() -> None:
    event = {"event": "result", "tool": "x", "text": f"Launched async subagent. task_id: {TASK}"}
    assert list(Style().event(event)) == [
        "              ← Launched async subagent. task_id: …5144eb71"
    ]


@pytest.mark.parametrize("width", [60, 80, 100])
def test_nothing_is_wider_than_the_screen_and_the_text_goes_on_under_itself(width: int) -> None:
    lines = list(Style(width=width).said("you", "word " * 60))
    assert max(len(line) for line in lines) <= width
    assert len(lines) > 1
    assert all(line.startswith(" " * 16 + "word") for line in lines[1:])


def test_every_line_of_a_listing_keeps_its_place() -> None:
    lines = list(Style().said("", "2 tasks:\n- one\n- two", mark="←"))
    assert lines == ["              ← 2 tasks:", "                - one", "                - two"]


def test_an_empty_answer_is_still_an_answer() -> None:
    assert list(Style().event({"event": "result", "tool": "x", "text": ""})) == ["              ←"]


def test_a_notification_is_told_from_what_the_user_says() -> None:
    event = {"event": "notice", "agent": "coder", "task_id": TASK, "status": "error"}
    assert "deepagents reports coder …5144eb71: error" in text(Style().event(event))


def test_events_of_the_machinery_are_not_shown() -> None:
    assert list(Style().event({"event": "ready"})) == []


def test_long_results_are_cut_but_listings_are_not() -> None:
    assert len(cut("x" * 500)) == 150
    assert cut("x" * 500).endswith("…")
    listing = "\n".join(["task"] * 100)
    assert cut(listing) == listing


def test_only_whole_uuids_are_shortened() -> None:
    assert shorten(f"{TASK} 2026-11-23 abc-def") == "…5144eb71 2026-11-23 abc-def"


def test_colours_go_to_terminals_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert Style.of(Terminal()).colour
    assert not Style.of(io.TextIOWrapper(io.BytesIO())).colour


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_a_terminal_can_refuse_colours(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv(name, value)
    assert not Style.of(Terminal()).colour


def test_without_colour_there_is_no_escape_character() -> None:
    event = {"event": "answer", "text": "Done."}
    assert "\x1b" not in text(Style().event(event)) + Style().heading("x") + Style().command("y")
    assert "\x1b" in text(COLOURED.event(event))


def test_a_screen_that_knows_no_arrows_gets_ascii() -> None:
    style = Style.of(Terminal(encoding="ascii"))
    told = text(style.said("", f"{TASK} a → b", mark="←"))
    assert style.finish(told + "─▶●—").isascii()


@pytest.mark.parametrize(("columns", "width"), [("30", 60), ("80", 80), ("200", 100)])
def test_the_width_follows_the_screen_within_reason(
    monkeypatch: pytest.MonkeyPatch, columns: str, width: int
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    assert Style.of(Terminal()).width == width


def test_a_command_is_shown_as_it_can_be_typed_here() -> None:
    style = Style(bin=".venv/bin/")
    assert style.command("$ subagentctl tasks") == "$ .venv/bin/subagentctl tasks"
    assert style.command("subagent-sidecar demo") == ".venv/bin/subagent-sidecar demo"
    assert style.command('url="http://127.0.0.1:8460"') == 'url="http://127.0.0.1:8460"'
    assert Style().command("subagentctl tasks") == "subagentctl tasks"
