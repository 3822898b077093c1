"""A replay says what would have happened: starts that were let in without rules, replayed through a
policy, against the same starts held against that policy when they came."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random

import pytest
from tests.support.books import at, start
from tests.support.past import rules

from subagent_sidecar.core.changes import (
    Accepted,
    Change,
    NewRun,
    RunSeen,
    Start,
    ThreadSeen,
    UsageSeen,
)
from subagent_sidecar.core.decisions import Decision
from subagent_sidecar.core.model import Item, RunStatus, ThreadStatus, UsageEntry
from subagent_sidecar.core.past import DecisionQuery, PastStart, StartQuery, in_order_of_time
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.core.replay import Fate, Outcome, replay
from subagent_sidecar.ports import Store
from subagent_sidecar.store.memory import MemoryStore

LENGTH = 120
POLICIES = {
    "places": rules(
        "name: a, concurrent: 3, per: session; name: b, concurrent: 4, per: tree;"
        "name: c, concurrent: 2, per: agent, match: {agent: coder}; name: d, depth: 1;"
        "name: e, concurrent: 1, per: task"
    ),
    "starts": rules(
        "name: a, starts: 4, per: session, window: 15s; name: b, starts: 30, per: supervisor;"
        "name: c, starts: 3, per: task; name: d, starts: 6, per: tree"
    ),
    "duplicates": rules(
        "name: a, duplicates: 1, per: session, window: 20s; name: b, duplicates: 3, per: global"
    ),
    "money": rules(
        "",
        "name: a, usd: 1.50, per: session, window: 40s, reserve: {usd: 0.20};"
        "name: b, tokens: 2_000, per: tree; name: c, run_time: 30s, per: agent, window: 60s;"
        "name: d, runs: 3, per: task",
    ),
    "everything": rules(
        "name: a, concurrent: 2, per: session; name: b, starts: 5, per: session, window: 20s;"
        "name: c, duplicates: 1, per: session, window: 20s; name: d, concurrent: 5, per: global;"
        "name: w, mode: observe, starts: 1, per: session",
        "name: m, usd: 2, per: supervisor, reserve: {usd: 0.10}",
    ),
}


@dataclass(frozen=True)
class Begun:
    """A start, and the threads that its runs are on."""

    start: Start
    threads: tuple[str, ...]
    update: bool = False
    parent: str | None = None

    @property
    def run_ids(self) -> list[str]:
        return [f"{thread}-{self.start.request_id}" for thread in self.threads]


@dataclass(frozen=True)
class Over:
    thread_id: str
    run_id: str
    second: int
    usage: UsageEntry


@dataclass
class Script:
    """What happens, drawn by `dice`: a step a second."""

    dice: Random
    batches: bool = True
    tasks: list[str] = field(default_factory=list)
    at_work: list[tuple[str, str]] = field(default_factory=list)

    def steps(self) -> list[Begun | Over]:
        return [self._step(second) for second in range(1, LENGTH)]

    def _step(self, second: int) -> Begun | Over:
        if self.at_work and self.dice.random() < 0.42:
            return self._over(second)
        begun = self._begun(second)
        self.at_work += zip(begun.threads, begun.run_ids, strict=True)
        return begun

    def _begun(self, second: int) -> Begun:
        dice = self.dice
        if self.tasks and dice.random() < 0.3:
            thread = dice.choice(self.tasks)
            return Begun(start(second, thread, fingerprint=f"u{second}"), (thread,), update=True)
        parent = dice.choice(self.tasks[-6:]) if self.tasks and dice.random() < 0.3 else None
        facts = {"header_session": parent or dice.choice(("s1", "s2"))}
        agent, fingerprint = dice.choice(("coder", "writer")), dice.choice((None, "f1", "f2"))
        if self.batches and dice.random() < 0.15:
            threads = tuple(f"t{second}-{n}" for n in range(dice.randint(1, 3)))
            items = tuple(Item(agent_name=agent, fingerprint=fingerprint) for _ in threads)
            made = start(second, None, batch=True, items=items, **facts)
        else:
            threads = (f"t{second}",)
            made = start(second, *threads, agent_name=agent, fingerprint=fingerprint, **facts)
        self.tasks += threads
        return Begun(made, threads, parent=parent)

    def _over(self, second: int) -> Over:
        """Runs of one task end in the order in which they began."""
        thread_id, run_id = self.at_work.pop(self.dice.randrange(min(len(self.at_work), 4)))
        for index, (thread, earlier) in enumerate(self.at_work):
            if thread == thread_id and earlier < run_id:
                self.at_work[index], run_id = (thread, run_id), earlier
        usage = UsageEntry(
            task_id=thread_id,
            message_id=f"m-{run_id}",
            run_id=run_id,
            at=at(second),
            model="m",
            input_tokens=self.dice.randint(10, 900),
            output_tokens=1,
            cost_micro_usd=self.dice.randint(1_000, 400_000),
        )
        return Over(thread_id, run_id, second, usage)


@dataclass
class Played:
    """The steps, held against a policy by a store as they come."""

    store: Store
    policy: Policy
    refused: set[str] = field(default_factory=set)
    orphaned: set[str] = field(default_factory=set)
    absent: set[str] = field(default_factory=set)
    runs: set[str] = field(default_factory=set)

    async def play(self, steps: Sequence[Begun | Over]) -> "Played":
        for step in steps:
            if isinstance(step, Begun):
                await self._begun(step)
            elif step.run_id in self.runs:
                await self.store.apply(list(_over(step)))
        return self

    async def _begun(self, step: Begun) -> None:
        if step.parent in self.absent or (step.update and step.threads[0] in self.absent):
            self._gone(step, self.orphaned)
            return
        try:
            intent = await self.store.admit(step.start, self.policy)
        except Refused as refused:
            assert refused.record is not None
            await self.store.apply([refused.record])
            self._gone(step, self.refused)
            return
        self.runs.update(step.run_ids)
        runs = [
            NewRun(run_id=run_id, thread_id=thread, status=RunStatus.RUNNING)
            for thread, run_id in zip(step.threads, step.run_ids, strict=True)
        ]
        await self.store.apply([Accepted(intent=intent, at=step.start.at, runs=tuple(runs))])

    def _gone(self, step: Begun, into: set[str]) -> None:
        into.update(step.run_ids)
        if not step.update:
            self.absent.update(step.threads)


def _over(step: Over) -> Sequence[Change]:
    thread, moment = step.thread_id, at(step.second)
    over = RunStatus.SUCCESS
    return (
        RunSeen(thread_id=thread, run_id=step.run_id, status=over, at=moment, upstream="up"),
        ThreadSeen(thread_id=thread, status=ThreadStatus.IDLE, at=moment, upstream="up"),
        UsageSeen(
            thread_id=thread, run_id=step.run_id, entries=(step.usage,), settled=(step.run_id,)
        ),
    )


async def replayed(store: Store, policy: Policy) -> list[Outcome]:
    starts = (await store.starts(StartQuery(limit=10_000))).starts
    decisions = (await store.decisions(DecisionQuery(oldest_first=True, limit=10_000))).decisions
    return list(replay(policy, in_order_of_time(starts, decisions), since=at(0)))


def run_ids(outcomes: Sequence[Outcome], fate: Fate) -> set[str]:
    return {
        outcome.past.run_id
        for outcome in outcomes
        if outcome.fate is fate and isinstance(outcome.past, PastStart)
    }


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", POLICIES)
async def test_a_replay_refuses_what_would_have_been_refused(
    store: Store, name: str, seed: int
) -> None:
    steps, policy = Script(Random(f"{name}{seed}")).steps(), POLICIES[name]
    let_all_in = await Played(store, Policy()).play(steps)
    assert not let_all_in.refused
    held = await Played(MemoryStore(), policy).play(steps)
    assert 5 < len(held.refused) < len(let_all_in.runs) - 5
    outcomes = await replayed(store, policy)
    assert run_ids(outcomes, Fate.REFUSED) == held.refused
    assert run_ids(outcomes, Fate.ORPHANED) == held.orphaned
    assert run_ids(outcomes, Fate.LET_IN) == held.runs


@pytest.mark.parametrize("name", POLICIES)
async def test_the_policy_that_made_a_record_changes_nothing_about_it(
    store: Store, name: str
) -> None:
    # Of a refused batch only the run is known that was refused, not those before it.
    policy = POLICIES[name]
    held = await Played(store, policy).play(Script(Random(name), batches=False).steps())
    outcomes = await replayed(store, policy)
    assert run_ids(outcomes, Fate.LET_IN) == held.runs
    again = [outcome for outcome in outcomes if isinstance(outcome.past, Decision)]
    assert {outcome.fate for outcome in again} <= {Fate.REFUSED, Fate.BEFORE}
    assert any(outcome.fate is Fate.REFUSED for outcome in again)
