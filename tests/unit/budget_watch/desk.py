"""A budget watch over books in memory, with a clock that stands still and an ender that notes."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from tests.support.troubled_store import TroubledStore

from subagent_sidecar.budget_watch import BudgetWatch
from subagent_sidecar.core.cancel import Outcome, TaskEnd
from subagent_sidecar.core.feed import EventQuery
from subagent_sidecar.core.matching import Scope
from subagent_sidecar.core.model import EndedBy, Event, Intent, RunStatus, TaskStatus, UsageEntry
from subagent_sidecar.core.policy import Amounts, Budget, OnExhausted, Policy
from subagent_sidecar.ports import ServerRun
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock

SWEEP_S = 5.0


def budget(name: str = "b", per: Scope = Scope.SESSION, **more: Any) -> Budget:
    """A hundred micro-dollars, and whoever spends them is ended."""
    usual = {
        "policy": "p",
        "limit": Amounts(micro_usd=100),
        "soft_at": Decimal("0.8"),
        "on_exhausted": OnExhausted.CANCEL,
    }
    return Budget(name=name, per=per, **{**usual, **more})


@dataclass
class Ender:
    """ports.TaskEnder. Tells `outcome`, or fails with the next of `errors`."""

    asked: list[tuple[str, str]] = field(default_factory=list)
    outcome: Outcome = Outcome.ASKED
    errors: list[Exception] = field(default_factory=list)

    async def end_task(
        self,
        task_id: str,
        *,
        by: EndedBy,
        reason: str,
        wait_s: float,
        up_to: str | None = None,
    ) -> TaskEnd:
        assert by is EndedBy.BUDGET and wait_s == 0
        self.asked.append((task_id, reason))
        if self.errors:
            raise self.errors.pop(0)
        return TaskEnd(
            task_id=task_id,
            outcome=self.outcome,
            status=TaskStatus.RUNNING,
            run_id=None,
            detail="",
        )

    @property
    def tasks(self) -> list[str]:
        return [task_id for task_id, _ in self.asked]


@dataclass
class Desk:
    budgets: Sequence[Budget]
    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)
    ender: Ender = field(default_factory=Ender)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.go_by(*self.budgets)
        self.watch = self.new_watch()
        self.service.observe(self.watch, began=self.watch.runs_began)
        self.service.usage.observe(self.watch.usage_seen)

    def new_watch(self) -> BudgetWatch:
        """Another one, as after a restart."""
        return BudgetWatch(
            service=self.service,
            store=self.store,
            clock=self.clock,
            upstreams=["up"],
            ender=self.ender,
            sweep_s=SWEEP_S,
            company_s=0.0,
        )

    def go_by(self, *budgets: Budget) -> None:
        self.service.policy = Policy(budgets=tuple(budgets))

    async def started(self, task_id: str, *, session: str = "s", agent: str = "coder") -> Intent:
        """A task whose run is at work."""
        intent = await self.service.admit(
            upstream="up",
            supervisor="ann",
            thread_id=task_id,
            header_session=session,
            agent_name=agent,
        )
        run_id = f"run of {task_id}"
        self.service.accepted(
            intent, [ServerRun(run_id=run_id, thread_id=task_id, status="running")]
        )
        await self.service.entered()
        return intent

    async def spends(
        self, task_id: str, micro_usd: int | None, *, message: str = "m", settled: bool = False
    ) -> None:
        """What the task's run has used so far, and a look at the budgets."""
        self.used(task_id, micro_usd, message=message, settled=settled)
        await self.turn()

    def used(
        self, task_id: str, micro_usd: int | None, *, message: str = "m", settled: bool = False
    ) -> None:
        run_id = f"run of {task_id}"
        entry = UsageEntry(
            task_id=task_id,
            message_id=message,
            run_id=run_id,
            at=self.service.now(),
            model="m",
            input_tokens=1,
            output_tokens=0,
            cost_micro_usd=micro_usd,
        )
        done = [run_id] if settled else []
        self.service.usage.seen(task_id, run_id, [entry], settled=done)

    async def turn(self) -> None:
        await self.watch.turn()
        await self.watch.settled()
        await self.service.entered()

    async def sweep(self) -> None:
        """As much later as it takes for another look at everything that is near."""
        self.clock.tick(SWEEP_S)
        await self.turn()

    def ended(self, task_id: str) -> None:
        self.service.seen.run("up", task_id, f"run of {task_id}", RunStatus.SUCCESS.value)

    async def told(self, *kinds: str) -> list[Event]:
        await self.service.entered()
        kinds = kinds or ("budget_near", "budget_exhausted", "would_cancel")
        query = EventQuery(kinds=frozenset(kinds), limit=100)
        return [each.event for each in await self.store.newest_events(query)]
