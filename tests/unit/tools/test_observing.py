"""How a task stands, by what its server shows."""

from typing import Any

import pytest
from tests.unit.tools.doors import ScriptedDoor

from subagent_sidecar.core.model import Task, TaskStatus
from subagent_sidecar.core.principal import ANONYMOUS
from subagent_sidecar.tools import Caller, ToolFailed
from subagent_sidecar.tools.observing import Observing, Seen, Unread

AT = "2026-11-23T03:00:00.000000Z"
ME = Caller(principal=ANONYMOUS)
RUN = "/to/a/threads/t/runs/r1"
NEWEST = "/to/a/threads/t/runs?limit=1&offset=0"
THREAD = "/to/a/threads/t"
STATE = "/to/a/threads/t/state"


def task(status: TaskStatus = TaskStatus.RUNNING, run_id: str | None = "r1") -> Task:
    return Task(
        task_id="t",
        upstream="a",
        agent_name="one",
        status=status,
        session_id="s",
        supervisor="anonymous",
        created_at=AT,
        last_updated_at=AT,
        run_id=run_id,
    )


async def seen(answers: dict[str, Any], of: Task | None = None) -> tuple[Seen, list[str]]:
    """What is seen where the server answers so; (status, body) or a body. Else it says 404."""

    def answer(method: str, target: str) -> tuple[int, Any]:
        found = answers.get(target, (404, {"detail": "Not Found"}))
        return found if isinstance(found, tuple) else (200, found)

    door = ScriptedDoor(answer)
    found = await Observing(door).seen(of or task(), ME)
    return found, [asked.removeprefix("GET ") for asked in door.asked]


async def test_a_run_at_work_is_one_question() -> None:
    found, asked = await seen({RUN: {"status": "running"}})
    assert (found.status, asked) == ("running", [RUN])


async def test_a_run_that_ended_well_is_finished_only_where_its_thread_says_so() -> None:
    for thread, status in (("idle", "success"), ("interrupted", "waiting")):
        answers = {RUN: {"status": "success"}, THREAD: {"status": thread, "values": {}}}
        found, asked = await seen(answers)
        assert (found.status, asked) == (status, [RUN, THREAD])


async def test_a_run_that_was_replaced_hands_over_to_the_newest() -> None:
    found, asked = await seen({RUN: {"status": "interrupted"}, NEWEST: [{"status": "running"}]})
    assert (found.status, asked) == ("running", [RUN, NEWEST])
    found, _ = await seen({RUN: {"status": "interrupted"}, NEWEST: []})
    assert found.status == "cancelled"


async def test_a_run_that_tells_no_status_has_the_one_on_record() -> None:
    found, _ = await seen({RUN: {"run_id": "r1"}})
    assert found.status == "running"


async def test_a_task_that_was_cancelled_is_not_followed() -> None:
    cancelled = task(TaskStatus.CANCELLED)
    found, asked = await seen({RUN: {"status": "interrupted"}}, cancelled)
    assert (found.status, asked) == ("cancelled", [RUN])


async def test_values_that_stand_in_the_state_alone_are_found() -> None:
    values = {"messages": [{"content": "x"}]}
    answers = {
        RUN: {"status": "success"},
        THREAD: {"status": "idle"},
        STATE: {"values": values},
    }
    found, _ = await seen(answers)
    assert found.thread is not None and found.thread["values"] == values


async def test_a_task_that_is_over_and_forgotten_by_its_server_stands_as_on_record() -> None:
    found, _ = await seen({}, task(TaskStatus.ERROR))
    assert (found.status, found.run) == ("error", None)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((404, {"detail": "gone"}), "the server has no such run any more"),
        ((404, {"code": "no_such_upstream", "message": "no upstream 'a'"}), "no upstream 'a'"),
        ((503, {"detail": "busy"}), "busy"),
        ((200, ["a list"]), "the server's answer makes no sense"),
    ],
)
async def test_what_cannot_be_read_says_why(answer: Any, why: str) -> None:
    with pytest.raises(Unread, match=why):
        await seen({RUN: answer})


async def test_an_upstream_that_is_not_configured_any_more_ends_no_record() -> None:
    gone = {RUN: (404, {"code": "no_such_upstream", "message": "no upstream 'a'"})}
    with pytest.raises(Unread):
        await seen(gone, task(TaskStatus.SUCCESS))


async def test_a_start_in_doubt_has_no_run_to_ask_after() -> None:
    with pytest.raises(ToolFailed, match="not known yet"):
        await seen({}, task(run_id=None))
