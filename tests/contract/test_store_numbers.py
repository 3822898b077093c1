"""The numbers a start is held against: whatever happened, in whatever groups, every store counts
what counting its rows one by one comes to (tests/support/counting.py)."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from random import Random

import pytest
import yaml
from tests.support.books import at
from tests.support.counting import counted
from tests.support.stores import BACKENDS

from subagent_sidecar.core import book
from subagent_sidecar.core.admission import admit
from subagent_sidecar.core.changes import (
    Accepted,
    Adopted,
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Change,
    Doubted,
    NewRun,
    PastRun,
    Released,
    RunGone,
    RunSeen,
    Start,
    ThreadGone,
    ThreadSeen,
    UsagePriced,
    UsageSeen,
)
from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.model import (
    EndedBy,
    Intent,
    Item,
    RunStatus,
    ThreadStatus,
    UsageEntry,
)
from subagent_sidecar.core.policy import NOTHING, Policy
from subagent_sidecar.core.verdict import Allow, Deny
from subagent_sidecar.policy_file import parse
from subagent_sidecar.store.memory_tables import Tables
from subagent_sidecar.yaml_file import Document

LENGTH = 60
SCOPES = ("task", "session", "supervisor", "agent", "upstream", "tree", "global")
TASKS = ("t1", "t2", "t3", "t4")
THREADS = [status for status in ThreadStatus if status is not ThreadStatus.UNSEEN]


def _rules() -> Policy:
    """Every way of counting within every scope, and none that denies."""
    limits, budgets = [], []
    for scope in SCOPES:
        limits += [
            f"{{name: c-{scope}, concurrent: 1, per: {scope}}}",
            f"{{name: s-{scope}, starts: 1, per: {scope}}}",
            f"{{name: w-{scope}, starts: 1, per: {scope}, window: 9s}}",
            f"{{name: d-{scope}, duplicates: 1, per: {scope}}}",
            f"{{name: v-{scope}, duplicates: 1, per: {scope}, window: 9s}}",
            f"{{name: m-{scope}, concurrent: 1, per: {scope}, match: {{agent: coder}}}}",
            f"{{name: n-{scope}, starts: 1, per: {scope}, match: {{depth: '>=1'}}}}",
        ]
        amounts = f"usd: 1, tokens: 99, run_time: 99s, runs: 99, per: {scope}"
        reserve = "reserve: {usd: 0.00002, tokens: 9, run_time: 4s}"
        budgets += [
            f"{{name: b-{scope}, {amounts}, on_unpriced: deny_new}}",
            f"{{name: r-{scope}, {amounts}, {reserve}}}",
            f"{{name: x-{scope}, {amounts}, {reserve}, window: 9s}}",
            f"{{name: k-{scope}, usd: 1, per: {scope}, reserve: {{usd: 0.00002}}}}",
        ]
    text = "version: 1\nmode: observe\nlimits:\n" + "".join(f"  - {line}\n" for line in limits)
    text += "budgets:\n" + "".join(f"  - {line}\n" for line in budgets)
    return parse([Document(Path("p.yaml"), yaml.safe_load(text), {})])


RULES = _rules()


@dataclass
class Story:
    """What happens, drawn by `dice`, and books in memory that say what it comes to."""

    dice: Random
    tables: Tables = field(default_factory=Tables)
    intents: list[Intent] = field(default_factory=list)

    def steps(self) -> Iterator[Start | Change]:
        for number in range(1, LENGTH):
            step = self._step(number)
            if isinstance(step, Start):
                self.intents.append(admit(self.tables, step))
            elif step is not None:
                book.apply(self.tables, step)
            if step is not None:
                yield step

    def _step(self, number: int) -> Start | Change | None:
        kinds = (
            self._start,
            self._settle,
            self._move,
            self._cancel,
            self._use,
            self._price,
            self._adopt,
        )
        return self.dice.choices(kinds, weights=(6, 7, 6, 2, 3, 1, 1))[0](number)

    def _start(self, number: int) -> Start:
        dice = self.dice
        form = dice.choice(("start", "start", "start", "batch", "cron"))
        batch = [self._item() for _ in range(dice.randint(0, 3))] if form == "batch" else []
        return Start(
            request_id=f"req{number}",
            intent_id=f"i{number:03}",
            upstream=dice.choice(("up", "other")),
            supervisor=dice.choice(("ann", "bob")),
            at=at(number),
            thread_id=None if form == "batch" else dice.choice((None, *TASKS, *TASKS)),
            header_session=dice.choice((None, "s1", *TASKS)),
            agent_name=dice.choice(("coder", "researcher")),
            fingerprint=dice.choice((None, "f1", "f2")),
            batch=form == "batch",
            cron=form == "cron",
            items=tuple(batch),
        )

    def _item(self) -> Item:
        agent = self.dice.choice((None, "coder", "writer"))
        return Item(agent_name=agent, fingerprint=self.dice.choice((None, "f1")))

    def _settle(self, number: int) -> Change | None:
        if not self.intents:
            return None
        dice = self.dice
        intent = dice.choice(self.intents[-4:])
        match dice.choice(("accept", "accept", "release", "doubt")):
            case "accept":
                count = len(intent.items) or 1
                threads = [intent.thread_id or f"{intent.intent_id}-{n}" for n in range(count)]
                status = dice.choice((RunStatus.PENDING, RunStatus.RUNNING))
                runs = [
                    NewRun(run_id=f"r{number}.{n}", thread_id=thread, status=status)
                    for n, thread in enumerate(threads)
                ]
                return Accepted(intent=intent, at=at(number), runs=tuple(runs))
            case "release":
                return Released(intent=intent, at=at(number), reason="no")
            case _:
                return Doubted(intent=intent, at=at(number), reason="lost")

    def _run(self) -> tuple[str, str]:
        return self.dice.choice(list(self.tables.all_runs) or [("t1", "none")])

    def _move(self, number: int) -> Change:
        dice, (task_id, run_id) = self.dice, self._run()
        now = at(number)
        match dice.randrange(8):
            case 0:
                return ThreadGone(thread_id=task_id, by=EndedBy.UPSTREAM, at=now, reason="gone")
            case 1:
                return RunGone(
                    thread_id=task_id, run_id=run_id, by=EndedBy.UPSTREAM, at=now, reason="gone"
                )
            case 2 | 3:
                return ThreadSeen(thread_id=task_id, status=dice.choice(THREADS), at=now)
            case _:
                status = dice.choice(list(RunStatus))
                return RunSeen(thread_id=task_id, run_id=run_id, status=status, at=now)

    def _cancel(self, number: int) -> Change:
        (task_id, run_id), now = self._run(), at(number)
        match self.dice.randrange(4):
            case 0 | 1:
                by = EndedBy.OPERATOR
                return CancelAsked(thread_id=task_id, run_id=run_id, by=by, at=now)
            case 2:
                return CancelUnconfirmed(thread_id=task_id, run_id=run_id, at=now)
            case _:
                return CancelConfirmed(thread_id=task_id, run_id=run_id, at=now)

    def _use(self, number: int) -> Change:
        dice, (task_id, run_id) = self.dice, self._run()
        entry = UsageEntry(
            task_id=task_id,
            message_id=dice.choice(("m1", "m2", "m3")),
            run_id=run_id,
            at=at(number),
            model="m",
            input_tokens=dice.randrange(20),
            output_tokens=dice.randrange(20),
            cost_micro_usd=dice.choice((None, 0, 7, 30)),
        )
        settled = (run_id,) if dice.random() < 0.5 else ()
        return UsageSeen(thread_id=task_id, run_id=run_id, entries=(entry,), settled=settled)

    def _price(self, number: int) -> Change:
        """What has no price gets one, and what has one another, which changes nothing."""
        known = self.tables.all_usage.values()
        entries = [replace(entry, cost_micro_usd=self.dice.randrange(40)) for entry in known]
        return UsagePriced(entries=tuple(entries))

    def _adopt(self, number: int) -> Change:
        dice, thread_id = self.dice, self.dice.choice((*TASKS, "a1", "a2", "a3"))
        began = sorted(dice.sample(range(number + 1), min(number, dice.randint(1, 3))))
        runs = [
            PastRun(
                run_id=f"p{number}.{moment}",
                status=dice.choice(list(RunStatus)),
                created_at=at(moment),
                ended_at=dice.choice((None, at(moment + 1))),
            )
            for moment in began
        ]
        begin = replace(
            self._start(number),
            thread_id=thread_id,
            at=runs[0].created_at,
            batch=False,
            cron=False,
            items=(),
        )
        status = dice.choice((None, *THREADS))
        return Adopted(
            start=begin, runs=tuple(runs), at=at(number), cause="around", thread_status=status
        )

    def calls(self) -> Iterator[Call]:
        """Starts to ask about: of tasks that are there, and a new one."""
        for task in list(self.tables.tasks.values())[:3]:
            yield Call(
                agent=task.agent_name,
                upstream=task.upstream,
                supervisor=task.supervisor,
                session=task.session_id,
                depth=1,
                task_id=task.task_id,
                tree_id=task.tree_id or task.task_id,
                fingerprint="f1",
            )
        yield Call(
            agent="coder", upstream="up", supervisor="ann", session="s1", fingerprint="f1", depth=1
        )


def _numbers(verdict: Allow | Deny) -> list[tuple[str, str, int]]:
    """(rule, what, how many) of everything that was asked."""
    return [(check.rule, check.what, check.current) for check in verdict.checks]


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("seed", range(20))
async def test_kept_counts_are_what_counting_anew_comes_to(
    tmp_path: Path, backend: str, seed: int
) -> None:
    dice = Random(seed)
    story = Story(dice)
    async with BACKENDS[backend](tmp_path) as store:
        waiting: list[asyncio.Future[Intent] | asyncio.Future[None]] = []
        for number, step in enumerate(story.steps(), 1):
            if isinstance(step, Start):
                waiting.append(store.admit(step))
            else:
                waiting.append(store.apply([step]))
            if dice.random() < 0.5:
                continue  # the next ones share its transaction
            now = datetime.fromisoformat(at(LENGTH if dice.random() < 0.1 else number + 1))
            for call in story.calls():
                asked = store.explain(call, RULES, now)
                expected = decide(RULES, counted(story.tables, _text(now)), call, now)
                assert _numbers(await asked) == _numbers(expected), (seed, number, call)
            places = [
                (budget, place)
                for budget in RULES.budgets
                if budget.reserve != NOTHING and (place := call.scope_id(budget.per)) is not None
            ]
            kept = await store.spent(places, now, apart=True)
            anew = counted(story.tables, _text(now))
            for (budget, place), spent in zip(places, kept, strict=True):
                since = None if budget.window is None else _text(now - budget.window)
                assert spent.reserved == anew.reserved(budget, place, since), (seed, number, budget)
        await asyncio.gather(*waiting)


def _text(now: datetime) -> str:
    return now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
