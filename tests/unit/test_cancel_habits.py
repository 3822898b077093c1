"""How runs are cancelled: what the operator said, else the task's policy, else as built in."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from tests.support.policies import loaded
from tests.support.troubled_store import TroubledStore

from subagent_sidecar.canceller.habits import Habit, Habits
from subagent_sidecar.core.cancel import Rollback
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.ports import ServerRun
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock

USUAL = Habit(15.0, Rollback.OURS)
POLICY = """\
version: 1
lifecycle:
  - {name: all, verify_for: 1m, then: escalate}
  - {name: coders, match: {agent: coder}, then: keep_asking}
  - {name: quick, match: {agent: quick, session: "s*"}, verify_for: 2s}
  - {name: seen, match: {agent: quick}, mode: observe, verify_for: 3s, then: keep_asking}
"""


@dataclass
class Desk:
    """Tasks whose id is their agent's name."""

    store: TroubledStore = field(default_factory=TroubledStore)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=FakeClock())

    async def start(self, agent: str) -> None:
        intent = await self.service.admit(
            upstream="up", supervisor="ann", thread_id=agent, agent_name=agent, header_session="s1"
        )
        run = ServerRun(run_id=f"run of {agent}", thread_id=agent, status="pending")
        self.service.accepted(intent, [run])

    async def of(
        self,
        agent: str,
        *,
        verify_for: timedelta | None = None,
        rollback: Rollback | None = None,
    ) -> Habit:
        habits = Habits(
            service=self.service, store=self.store, verify_for=verify_for, rollback=rollback
        )
        return await habits.of(agent)


@pytest.fixture
async def desk(tmp_path: Path) -> Desk:
    found = Desk()
    for agent in ("coder", "quick", "other"):
        await found.start(agent)
    found.service.policy = loaded(tmp_path, POLICY)
    return found


@pytest.mark.parametrize(
    ("agent", "habit"),
    [
        ("other", Habit(60.0, Rollback.OURS)),
        ("coder", Habit(60.0, Rollback.NEVER)),
        ("quick", Habit(2.0, Rollback.OURS)),
    ],
)
async def test_a_task_is_cancelled_as_its_policy_says(desk: Desk, agent: str, habit: Habit) -> None:
    assert await desk.of(agent) == habit


async def test_what_the_operator_said_is_stronger(desk: Desk) -> None:
    second = timedelta(seconds=1)
    assert await desk.of("coder", verify_for=second) == Habit(1.0, Rollback.NEVER)
    assert await desk.of("coder", rollback=Rollback.ALWAYS) == Habit(60.0, Rollback.ALWAYS)
    both = await desk.of("coder", verify_for=second, rollback=Rollback.OURS)
    assert both == Habit(1.0, Rollback.OURS)


async def test_a_reload_is_followed(desk: Desk, tmp_path: Path) -> None:
    desk.service.policy = loaded(tmp_path, "version: 1\n")
    assert await desk.of("coder") == USUAL


async def test_of_a_task_nobody_knows_no_policy_speaks(desk: Desk) -> None:
    assert await desk.of("nobody") == USUAL


async def test_a_store_in_trouble_is_no_reason_not_to_cancel(desk: Desk) -> None:
    desk.store.down = StoreUnavailable("locked")
    assert await desk.of("coder") == USUAL


async def test_a_store_that_does_not_answer_is_not_waited_for(desk: Desk) -> None:
    await desk.service.flush()
    desk.store.hold = True
    await desk.start("late")
    assert await desk.of("late") == USUAL
