"""Tool texts, beside those of deepagents for the same state."""

import json
from typing import Any

import pytest
from deepagents.middleware import async_subagents as deep

from subagent_sidecar.core import tool_words
from subagent_sidecar.core.agents import UpdateStrategy
from subagent_sidecar.core.cancel import Outcome, TaskEnd
from subagent_sidecar.core.model import Task, TaskStatus
from subagent_sidecar.core.toolset import NAMES, SHAPES, tools

AT = "2026-11-23T03:00:00.000000Z"


def task(**more: Any) -> Task:
    return Task(
        task_id="t",
        upstream="a",
        agent_name="one",
        status=TaskStatus.RUNNING,
        session_id="s",
        supervisor="anonymous",
        created_at=AT,
        last_updated_at=AT,
        **more,
    )


@pytest.mark.parametrize("status", ["pending", "running", "error", "timeout", "waiting"])
def test_a_check_is_the_json_of_deepagents(status: str) -> None:
    asked = [{"id": "1", "value": "Which region?"}]
    waiting = status == "waiting"
    run: Any = {"status": "success" if waiting else status}
    thread: Any = {"status": "interrupted", "interrupts": {"x": asked}} if waiting else None
    theirs = deep._build_check_result(run, "t", thread)
    ours = tool_words.checked(status, "t", interrupts=asked)
    assert tool_words.as_json(ours) == json.dumps(theirs)


def test_why_it_ended_is_told_word_for_word() -> None:
    run: Any = {"status": "error", "error": "Ended by the sidecar."}
    assert tool_words.checked("error", "t", error=run["error"]) == deep._build_check_result(
        run, "t", None
    )


@pytest.mark.parametrize("before", ["pending", "running", "waiting", "success", "cancelled"])
@pytest.mark.parametrize("strategy", ["interrupt", "enqueue"])
def test_an_update_is_confirmed_as_deepagents_does_it(strategy: Any, before: str) -> None:
    tracked: Any = {"task_id": "t", "status": before}
    ours = tool_words.updated("t", UpdateStrategy(strategy), before)
    assert ours == deep._update_message(tracked, strategy)


def test_a_line_of_a_list_is_that_of_deepagents_and_the_purpose() -> None:
    tracked: Any = {"task_id": "t", "agent_name": "one"}
    theirs = deep._format_task_entry(tracked, "running")
    assert tool_words.line(task(), "running") == theirs
    assert tool_words.line(task(purpose="a\n b"), "running") == f"{theirs}  purpose: a b"


def test_an_unknown_agent_is_told_as_deepagents_tells_it() -> None:
    known: Any = {"a": {}, "b": {}}
    assert tool_words.unknown_agent("x", known) == deep._validate_agent_type(known, "x")
    assert tool_words.unknown_agent("x", ()).endswith("Available types: (none)")


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_cancel_that_came_true_says_so(outcome: Outcome) -> None:
    end = TaskEnd(
        task_id="t", outcome=outcome, status=TaskStatus.SUCCESS, run_id="r", detail="a reason"
    )
    text = tool_words.cancelled(end)
    assert text.startswith("Cancelled") is (outcome is Outcome.CANCELLED)
    assert "t" in text


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"detail": "R"}, "R"),
        ({"message": "R", "detail": "other"}, "R"),
        ({"error": "R"}, "R"),
        ({"error": {"message": "R"}}, "R"),
        ({"error": {"detail": "R"}}, "R"),
        ({"detail": [{"msg": "R"}]}, "429 Too Many Requests"),
        ("R", "429 Too Many Requests"),
        (None, "429 Too Many Requests"),
    ],
)
def test_a_failure_reads_as_the_sdk_reads_it(body: Any, said: str) -> None:
    assert tool_words.reason(429, "Too Many Requests", body) == said


def test_the_tools_of_deepagents_are_there_with_its_arguments() -> None:
    spec: Any = {"name": "a", "description": "d", "graph_id": "g", "url": "http://x"}
    theirs = {
        tool.name: set(tool.args) - {"runtime"}
        for tool in deep.AsyncSubAgentMiddleware(async_subagents=[spec]).tools
    }
    ours = {tool.name: set(tool.parameters["properties"]) for tool in tools(())}
    assert ours.pop("wait_async_task") == {"task_id", "timeout"}
    assert ours == theirs


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_has_every_tool(shape: str) -> None:
    told = [SHAPES[shape](tool) for tool in tools(())]
    assert [each.get("name") or each["function"]["name"] for each in told] == list(NAMES)
