"""The scripted model: what it does next, given what really came back."""

import json
from collections.abc import Callable, Sequence

import pytest

from subagent_sidecar.demo.script import TURNS, Line, Move, next_move, task_ids, task_status

IDS = {"researcher": "id-of-researcher", "coder": "id-of-coder"}
LIST = "list_async_tasks"

Answers = Callable[[Move], str]


def checked(status: str, **more: str) -> str:
    return json.dumps({"status": status, "thread_id": IDS["researcher"], **more})


def friendly(move: Move) -> str:
    """A server on which everything works."""
    if move.tool == "start_async_task":
        return f"Launched async subagent. task_id: {IDS[move.args['subagent_type']]}"
    return checked("running")


def converse(answers: Answers, turns: Sequence[str]) -> list[Line]:
    """The conversation in full, the tools answering as `answers` says."""
    lines: list[Line] = []
    for said in turns:
        lines.append(Line("user", said))
        while isinstance(move := next_move(lines), Move):
            lines.append(Line("tool", answers(move), tool=move.tool, args=move.args))
            assert len(lines) < 50, "the model never comes to an answer"
        lines.append(Line("model", move))
    return lines


def calls(lines: Sequence[Line]) -> list[tuple[str, str]]:
    """(tool, whose task) of every call."""
    agents = {task_id: agent for agent, task_id in IDS.items()}
    return [
        (line.tool, line.args.get("subagent_type") or agents.get(line.args.get("task_id", ""), ""))
        for line in lines
        if line.who == "tool"
    ]


def test_the_story_uses_all_five_tools_in_an_order_that_makes_sense() -> None:
    lines = converse(friendly, [turn.user for turn in TURNS])
    assert calls(lines) == [
        ("start_async_task", "researcher"),
        ("start_async_task", "coder"),
        ("check_async_task", "researcher"),
        ("update_async_task", "researcher"),
        ("cancel_async_task", "coder"),
        (LIST, ""),
        ("check_async_task", "researcher"),
    ]


def test_a_task_that_is_still_pending_is_checked_again_before_it_is_updated() -> None:
    statuses = iter(["pending", "pending", "running"])

    def slow(move: Move) -> str:
        return checked(next(statuses)) if move.tool == "check_async_task" else friendly(move)

    lines = converse(slow, [TURNS[0].user])
    assert [tool for tool, _ in calls(lines)][2:] == ["check_async_task"] * 3


def test_task_ids_are_those_of_the_tools_answers() -> None:
    lines = converse(friendly, [TURNS[0].user])
    assert task_ids(lines) == IDS


def test_a_start_that_failed_leads_to_no_call_with_an_invented_id() -> None:
    lines = converse(lambda move: "Failed to launch async subagent", [TURNS[0].user])
    assert [tool for tool, _ in calls(lines)] == ["start_async_task", "start_async_task"]
    assert lines[-1].text == "I have no task of the researcher to go on with."


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (checked("success", result="Titan."), "Yes. Titan."),
        (checked("running"), "Not yet: the task is running."),
        (checked("error", error="boom"), "Not yet: the task is error."),
        ("Failed to get run status: 502", "Not yet: the task is unknown."),
    ],
)
def test_the_last_answer_is_what_the_check_really_said(answer: str, said: str) -> None:
    before = converse(friendly, [turn.user for turn in TURNS[:2]])
    asked = [*before, Line("user", TURNS[2].user)]
    move = next_move(asked)
    assert isinstance(move, Move)
    assert next_move([*asked, Line("tool", answer, tool=move.tool, args=move.args)]) == said


def test_a_notification_after_the_answer_gets_no_second_answer_to_the_same_question() -> None:
    lines = converse(friendly, [TURNS[0].user])
    assert next_move(lines) == "Noted."


@pytest.mark.parametrize("answer", ["", "Updated async subagent.", "[1, 2]", "{", "{}"])
def test_an_answer_of_another_tool_has_no_status(answer: str) -> None:
    assert task_status(answer) == ""
