"""The loop: whenever something was spent, ask the budgets it counts to, and do what they say.

| when | what is asked |
|---|---|
| usage of a task was read | the budgets of the task |
| a run moved, and a budget counts runs or keeps a reserve | the budgets of the task |
| every `sweep_s` | what is near or spent already; of live tasks the budgets of time |
| every minute | budgets of everything and of upstreams: their windows slide |
| the sidecar starts, or another policy holds | the budgets of all live tasks |
"""

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime
from itertools import islice

from ..core.budgets import BudgetIn, Standing, ends_tasks, near_apart
from ..core.changes import NewRun, Told
from ..core.facts import task_call
from ..core.feed import EventQuery
from ..core.matching import Scope
from ..core.model import RunStatus, Task, ThreadStatus
from ..core.policy import Mode, Policy
from ..core.refusal import cut_short
from ..core.verdict import Answer
from ..errors import StoreError
from ..ports import Clock, Store, TaskEnder
from ..service import Service
from .endings import Endings
from .near import NearBudgets
from .rules import Places, WatchedRules
from .told import KINDS, ToldAlready
from .uses import Uses

_log = logging.getLogger(__name__)

_SWEEP_S = 5.0
_WIDE_S = 60.0
_COMPANY_S = 0.05
"""What was read together is looked at together."""
_AT_ONCE = 100
"""Budgets that are asked in one transaction: starts wait meanwhile."""
_SWEPT = 200
_LIVE = 20_000
_NOTED = 20_000
_IN_ONE_GO = 250
"""Tasks that are looked through before requests get their turn."""
_LEARNT = 1_000


class BudgetWatch:
    """ports.Observer, and told of usage by `usage_seen`. Nothing is looked at before `run`."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        upstreams: Sequence[str],
        ender: TaskEnder,
        sweep_s: float = _SWEEP_S,
        company_s: float = _COMPANY_S,
    ) -> None:
        self.near = NearBudgets()
        self.uses = Uses()
        self._service = service
        self._store = store
        self._clock = clock
        self._upstreams = upstreams
        self._endings = Endings(ender)
        self._sweep_s = sweep_s
        self._company_s = company_s
        self._rules = WatchedRules(Policy())
        self._told = ToldAlready()
        self._learnt = False
        self._everything = True
        self._noted: dict[str, None] = {}
        self._live: list[Task] | None = None
        self._next_sweep = self._next_wide = float("-inf")
        self._swept = 0
        self._wake = asyncio.Event()

    # Who tells of what

    def usage_seen(self, task_id: str) -> None:
        """What the task has used is known anew. Returns at once."""
        if self._service.policy.budgets:
            self._note(task_id)

    def runs_began(self, upstream: str, runs: Sequence[NewRun]) -> None:
        """See ports.Began."""
        if self._rules.by_starts:
            for run in runs:
                self._note(run.thread_id)

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """See ports.Observer."""
        if self._rules.by_starts:
            self._note(thread_id)

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None:
        """See ports.Observer. A thread spends nothing that its runs do not."""

    def thread_gone(self, upstream: str, thread_id: str) -> None:
        """See ports.Observer. What was spent stays spent."""

    def _note(self, task_id: str) -> None:
        self._noted[task_id] = None
        if len(self._noted) > _NOTED:
            self._noted.clear()
            self._everything = True
        self._wake.set()

    # The loop

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self._wake.clear()
            try:
                await self.turn()
            except StoreError as error:
                _log.warning(
                    "budgets cannot be looked at: %s; tried again in %g s",
                    error,
                    self._sweep_s,
                    extra={"action": "budgets_unread"},
                )
                self._everything, self._next_sweep = True, float("-inf")
                await asyncio.sleep(self._sweep_s)
                continue
            try:
                async with asyncio.timeout(self._sweep_s):
                    await self._wake.wait()
            except TimeoutError:
                continue
            await asyncio.sleep(self._company_s)

    async def settled(self) -> None:
        """Wait until everybody who was to be asked to end a task has answered."""
        await self._endings.settled()

    async def aclose(self) -> None:
        await self._endings.aclose()

    async def turn(self) -> None:
        """Look once at what there is to look at."""
        self._live = None
        if self._service.policy is not self._rules.policy:
            self._rules = WatchedRules(self._service.policy)
            self.near.forget()
            self.uses.forget()
            self._next_wide = float("-inf")
            self.near.learns = self._rules.by_starts
            self._everything = True
        noted, self._noted = self._noted, {}
        if not self._rules:
            return
        await self._service.entered()
        if not self._learnt:
            await self._learn(_LEARNT)
            self._learnt = True
        places = Places()
        for task_id in noted:
            await self._add_task(places, task_id)
        await self._sweep(places)
        await self._look(places)

    async def _add_task(self, places: Places, task_id: str) -> None:
        call = self.near.call_of(task_id)
        if call is None:
            record = await self._store.task(task_id)
            if record is None:
                return
            call = task_call(record.task)
            self.near.know(task_id, call)
        places.add(self._rules.of(call), moved=True)

    async def _sweep(self, places: Places) -> None:
        """What has to be looked at although nothing was heard of it."""
        now = self._clock.monotonic()
        if self._everything:
            await self._add_living(places, timed=False)
            self._everything = False
        if now < self._next_sweep:
            return
        self._next_sweep = now + self._sweep_s
        if now >= self._next_wide:
            self._next_wide = now + _WIDE_S
            places.add(self._rules.wide(self._upstreams))
        if self._rules.timed:
            await self._add_living(places, timed=True)
        standings = self.near.standings()
        if self._swept >= len(standings):
            self._swept = 0
        part = standings[self._swept : self._swept + _SWEPT]
        self._swept += len(part)
        places.add((self._rules.named(s.budget.name), s.scope_id) for s in part)

    async def _add_living(self, places: Places, *, timed: bool) -> None:
        for number, task in enumerate(await self._living()):
            places.add(self._rules.of(task_call(task), timed=timed), moved=True)
            if not number % _IN_ONE_GO:
                await asyncio.sleep(0)

    async def _living(self) -> list[Task]:
        """The live tasks, read once a turn."""
        if self._live is None:
            self._live = []
            for upstream in self._upstreams:
                self._live += await self._store.live_tasks(upstream, limit=_LIVE)
            for number, task in enumerate(self._live):
                self.near.know(task.task_id, task_call(task))
                if not number % _IN_ONE_GO:
                    await asyncio.sleep(0)
        return self._live

    # What the budgets say

    async def _look(self, places: Places) -> None:
        now = self._clock.now()
        left = iter(places.found)
        while part := list(islice(left, _AT_ONCE)):
            asked: list[BudgetIn] = [(rule.budget, scope_id) for rule, scope_id in part]
            asked += [(rule.used, scope_id) for rule, scope_id in part if rule.reserves]
            spent = await self._store.spent(asked, now)
            standings = {
                (id(budget), scope_id): Standing(budget=budget, scope_id=scope_id, spent=one)
                for (budget, scope_id), one in zip(asked, spent, strict=True)
            }
            for rule, scope_id in part:
                kept = standings[id(rule.budget), scope_id]
                used = standings[id(rule.used), scope_id]
                self.uses.put(kept, used, now, moved=places.moved(rule, scope_id))
                await self._act(kept, used, now)

    async def _act(self, kept: Standing, used: Standing, now: datetime) -> None:
        """`kept` counts the reserve, `used` does not."""
        if self.near.put(kept) and kept.budget.per is not Scope.TASK:
            await self._living()  # so that checks of all those tasks tell it
        for answer in near_apart(kept, used):
            await self._tell(Told.NEAR, answer, now)
        if not used.exhausted:
            return
        enforced = used.budget.mode is Mode.ENFORCE
        if ends_tasks(used.budget):
            await self._end(used, now, enforced=enforced)
        elif enforced:
            for answer in used.exhausted:
                await self._tell(Told.EXHAUSTED, answer, now)

    async def _end(self, used: Standing, now: datetime, *, enforced: bool) -> None:
        # A run that was let in as the last one may run.
        spent = [answer for answer in used.exhausted if answer.what != "runs"]
        if not spent:
            return
        tasks = await self._living_in(used)
        for answer in spent:
            told = Told.EXHAUSTED if enforced else Told.WOULD_CANCEL
            await self._tell(told, answer, now, tasks)
        if enforced:
            reason = cut_short(spent[0].check, used.budget)
            for task in tasks:
                self._endings.end(task, reason)

    async def _living_in(self, standing: Standing) -> list[Task]:
        """The live tasks that count to a budget in one scope."""
        budget, scope_id = standing.budget, standing.scope_id
        if budget.per is Scope.TASK:
            record = await self._store.task(scope_id)
            return [record.task] if record is not None and record.task.live else []
        return [
            task
            for task in await self._living()
            if (call := task_call(task)).scope_id(budget.per) == scope_id and budget.concerns(call)
        ]

    # What is told once

    async def _tell(
        self, told: Told, answer: Answer, now: datetime, tasks: Sequence[Task] = ()
    ) -> None:
        check = answer.check
        if self._told.knows(told, check, now):
            return
        await self._learn(_AT_ONCE)  # another process may have told it
        if not self._told.knows(told, check, now):
            self._told.enter(told, check, now)
            self._service.levers.budget_told(told, check, tasks=[task.task_id for task in tasks])

    async def _learn(self, limit: int) -> None:
        query = EventQuery(kinds=frozenset(KINDS), limit=limit)
        self._told.learn(each.event for each in await self._store.newest_events(query))
