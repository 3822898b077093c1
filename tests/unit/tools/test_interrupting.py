"""Servers that take an interrupt and do not heed it are found out."""

from dataclasses import dataclass, field
from typing import Any

from tests.support.waiting import eventually
from tests.unit.tools.doors import ScriptedDoor

from subagent_sidecar.core.agents import UpdateStrategy
from subagent_sidecar.core.cancel import Outcome, TaskEnd
from subagent_sidecar.core.model import EndedBy, Task, TaskStatus
from subagent_sidecar.core.principal import ANONYMOUS
from subagent_sidecar.tools import Caller, Interrupts

AT = "2026-11-23T03:00:00.000000Z"
ME = Caller(principal=ANONYMOUS)
TASK = Task(
    task_id="t",
    upstream="a",
    agent_name="one",
    status=TaskStatus.RUNNING,
    session_id="s",
    supervisor="anonymous",
    created_at=AT,
    last_updated_at=AT,
    run_id="r1",
)


@dataclass
class Ender:
    """ports.TaskEnder."""

    ended: list[str | None] = field(default_factory=list)

    async def end_task(
        self, task_id: str, *, by: EndedBy, reason: str, wait_s: float, up_to: str | None = None
    ) -> TaskEnd:
        self.ended.append(up_to)
        return TaskEnd(
            task_id=task_id,
            outcome=Outcome.WENT_ON,
            status=TaskStatus.RUNNING,
            run_id="r2",
            detail="",
        )


def door(*statuses: str) -> ScriptedDoor:
    """A server that shows the old run in these statuses, one after the other."""
    left = list(statuses)

    def answer(method: str, target: str) -> tuple[int, Any]:
        assert (method, target) == ("GET", "/to/a/threads/t/runs/r1")
        return 200, {"status": left.pop(0) if len(left) > 1 else left[0]}

    return ScriptedDoor(answer)


async def test_a_run_that_goes_on_beside_the_next_one_is_ended_and_its_server_remembered() -> None:
    ender = Ender()
    interrupts = Interrupts(door("running"), ender, looks_s=(0.0, 0.0))
    assert not interrupts.cancels_first(TASK, UpdateStrategy.INTERRUPT)
    interrupts.interrupted(TASK, ME)
    await eventually(lambda: ender.ended == ["r1"])
    assert interrupts.cancels_first(TASK, UpdateStrategy.INTERRUPT)
    assert not interrupts.cancels_first(TASK, UpdateStrategy.ENQUEUE)
    await interrupts.aclose()


async def test_a_server_that_takes_a_moment_to_interrupt_is_not_taken_for_one_that_does_not() -> (
    None
):
    ender, asked = Ender(), door("running", "interrupted")
    interrupts = Interrupts(asked, ender, looks_s=(0.0, 0.0, 0.0))
    interrupts.interrupted(TASK, ME)
    await eventually(lambda: len(asked.asked) == 2)
    await interrupts.aclose()
    assert not interrupts.cancels_first(TASK, UpdateStrategy.INTERRUPT)
    assert not ender.ended


async def test_where_the_operator_says_so_runs_are_cancelled_first_at_once() -> None:
    interrupts = Interrupts(door("running"), Ender())
    assert interrupts.cancels_first(TASK, UpdateStrategy.CANCEL_FIRST)
