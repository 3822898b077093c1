"""What the sidecar has learnt, in words."""

from dataclasses import replace
from typing import Any

import pytest

from subagent_sidecar.demo.observe import Seen, changes, read_tasks

TASK = Seen(task_id="t1", agent="researcher", status="running", runs=1, session="demo", tokens=None)


def news(before: Seen | None, now: Seen) -> list[str]:
    return list(changes({before.task_id: before} if before else {}, [now]))


def test_a_task_never_seen_before_is_on_record() -> None:
    assert news(None, TASK) == ["researcher t1 is on record: running, session demo"]


def test_nothing_new_is_no_news() -> None:
    assert news(TASK, TASK) == []


@pytest.mark.parametrize("status", ["success", "error", "timeout", "cancelled", "waiting"])
def test_a_change_of_status_is_news(status: str) -> None:
    assert news(TASK, replace(TASK, status=status)) == [f"researcher t1 running → {status}"]


def test_the_end_of_a_task_comes_with_its_tokens() -> None:
    ended = replace(TASK, status="success", tokens=(167, 86))
    assert news(TASK, ended) == ["researcher t1 running → success, 167 tokens in, 86 out"]


def test_tokens_that_are_read_after_the_end_are_news_of_their_own() -> None:
    ended = replace(TASK, status="success")
    read = replace(ended, tokens=(167, 86))
    assert news(ended, read) == ["researcher t1 used 167 tokens in, 86 out"]
    assert news(read, read) == []


def test_tokens_of_a_task_still_running_are_not_called_its_total() -> None:
    assert news(replace(TASK, status="pending"), replace(TASK, tokens=(1, 2))) == [
        "researcher t1 pending → running"
    ]


def test_a_follow_up_is_a_new_run_of_the_same_task() -> None:
    updated = replace(TASK, runs=2, status="pending")
    assert news(TASK, updated) == [
        "researcher t1 has a new run, number 2: run 1 is superseded",
        "researcher t1 running → pending",
    ]


def test_the_first_run_of_a_task_in_doubt_supersedes_nothing() -> None:
    assert news(replace(TASK, runs=0), TASK) == []


RECORD: dict[str, Any] = {
    "task_id": "t1",
    "agent_name": "researcher",
    "status": "success",
    "session_id": "demo",
    "runs": [{"run_id": "r1"}, {"run_id": "r2", "usage": {"input_tokens": 5}}],
    "usage": {"input_tokens": 5, "output_tokens": 7, "cost_usd": None},
}


def test_a_page_of_the_admin_plane_is_read_oldest_first() -> None:
    first, second = read_tasks({"tasks": [RECORD | {"task_id": "t2"}, RECORD]})
    assert (first.task_id, second.task_id) == ("t1", "t2")
    assert first == Seen(
        task_id="t1",
        agent="researcher",
        status="success",
        runs=2,
        session="demo",
        tokens=(5, 7),
    )


def test_the_tokens_of_earlier_runs_alone_are_not_those_of_the_task() -> None:
    runs = [{"run_id": "r1", "usage": {"input_tokens": 5}}, {"run_id": "r2", "usage": None}]
    assert read_tasks({"tasks": [RECORD | {"runs": runs}]})[0].tokens is None


@pytest.mark.parametrize("usage", [None, {}, {"input_tokens": 5, "output_tokens": None}])
def test_usage_that_is_not_known_is_not_zero(usage: object) -> None:
    assert read_tasks({"tasks": [RECORD | {"usage": usage}]})[0].tokens is None
