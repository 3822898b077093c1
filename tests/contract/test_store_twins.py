"""Whatever happens, in whatever groups, every store keeps exactly the same books."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

import pytest
from tests.support.books import at
from tests.support.stores import BACKENDS, END_OF_TIME

from subagent_sidecar.core import book
from subagent_sidecar.core.admission import admit
from subagent_sidecar.core.changes import (
    Accepted,
    CancelAsked,
    Change,
    Doubted,
    NewRun,
    Polled,
    Released,
    RunGone,
    RunSeen,
    SessionBeat,
    SessionEnded,
    Start,
    ThreadCreated,
    ThreadGone,
    ThreadSeen,
)
from subagent_sidecar.core.metrics.record import Stretch
from subagent_sidecar.core.model import EndedBy, Event, Intent, RunStatus, Thread, ThreadStatus
from subagent_sidecar.core.report import ReportQuery
from subagent_sidecar.core.sessions import SessionQuery
from subagent_sidecar.ports import Store
from subagent_sidecar.store.memory_tables import Tables

STORIES, LENGTH = 40, 30

EVER = ReportQuery(since=at(0), now=at(LENGTH))
REPORTS = (
    EVER,
    replace(EVER, since=at(LENGTH // 2)),
    replace(EVER, agent_name="coder"),
    replace(EVER, upstream="other", session_id="s1"),
)

Op = tuple[object, ...]
"""A word and its arguments; the place in the story gives the time."""

Story = Sequence[Start | Change | None]


def _ops(dice: Random, name: str) -> list[Op]:
    """A story about a few ids of its own, so that many stories fit into one store."""
    threads, runs = (f"{name}-t1", f"{name}-t2"), (f"{name}-r1", f"{name}-r2", f"{name}-r3")
    thread_statuses = [status for status in ThreadStatus if status is not ThreadStatus.UNSEEN]

    def op() -> Op:
        thread_id, run_id = dice.choice(threads), dice.choice(runs)
        session = dice.choice((None, None, "s1", f"{name}-s", *threads))
        agent = dice.choice((None, "researcher", "coder"))
        upstream = dice.choice(("up", "other"))
        status, by = dice.choice(list(RunStatus)), dice.choice(list(EndedBy))
        which = dice.choice((0, 0, 0, 1, 1, 2))
        kinds: list[Op] = [
            ("start", dice.choice((None, *threads, *threads)), session, agent, upstream),
            ("batch", session),
            ("cron", thread_id, session),
            ("thread", thread_id, session, agent, upstream),
            ("accept", which, run_id, thread_id, status),
            ("release", which),
            ("doubt", which),
            ("run", thread_id, run_id, status, dice.choice((None, dice.randrange(LENGTH)))),
            ("status", thread_id, dice.choice(thread_statuses)),
            ("poll", thread_id, dice.randint(1, 9)),
            ("cancel", thread_id, run_id, by),
            ("run gone", thread_id, run_id, by),
            ("thread gone", thread_id, by),
            ("beat", f"{name}-s", dice.choice((None, 60)), dice.choice((True, False))),
            ("session end", f"{name}-s", by),
            ("wait",),
        ]
        return dice.choices(kinds, weights=(6, 1, 1, 3, 5, 4, 4, 4, 3, 1, 2, 1, 1, 2, 1, 2))[0]

    return [op() for _ in range(LENGTH)]


@dataclass
class _Script:
    """Turns ops into starts and changes, by playing them on books of its own."""

    name: str
    tables: Tables
    intents: list[Intent]

    def step(self, number: int, op: Op) -> Start | Change | None:
        """What `op` is in second `number`; None where it is nothing (yet)."""
        made = _start(self.name, number, op)
        if made is not None:
            self.intents.append(admit(self.tables, made))
            return made
        change = self._settling(number, op) or _change(number, op)
        if change is not None:
            book.apply(self.tables, change)
        return change

    def _settling(self, number: int, op: Op) -> Change | None:
        match op:
            case (_, int(which), *_) if which >= len(self.intents):
                return None
            case ("accept", int(which), str(run_id), str(thread_id), RunStatus() as status):
                intent = self.intents[-1 - which]
                run = NewRun(run_id=run_id, thread_id=intent.thread_id or thread_id, status=status)
                return Accepted(intent=intent, at=at(number), runs=(run,))
            case ("release", int(which)):
                return Released(intent=self.intents[-1 - which], at=at(number), reason="no")
            case ("doubt", int(which)):
                return Doubted(intent=self.intents[-1 - which], at=at(number), reason="lost")
            case _:
                return None


def _start(name: str, number: int, op: Op) -> Start | None:
    match op:
        case ("start", thread_id, session, agent, str(upstream)):
            facts = {"thread_id": thread_id, "header_session": session, "agent_name": agent}
        case ("batch", session):
            upstream, facts = "up", {"header_session": session, "batch": True}
        case ("cron", thread_id, session):
            upstream = "up"
            facts = {"thread_id": thread_id, "header_session": session, "cron": True}
        case _:
            return None
    return Start(
        request_id=f"{name}-req{number}",
        intent_id=f"{name}-i{number}",
        upstream=upstream,
        supervisor="ann",
        at=at(number),
        **facts,  # type: ignore[arg-type]
    )


def _change(number: int, op: Op) -> Change | None:
    now = at(number)
    match op:
        case ("thread", str(thread_id), session, agent, str(upstream)):
            thread = Thread(
                thread_id=thread_id,
                upstream=upstream,
                created_at=now,
                supervisor="ann",
                session_id=session,  # type: ignore[arg-type]
                agent_name=agent,  # type: ignore[arg-type]
            )
            return ThreadCreated(thread=thread)
        case ("run", str(thread_id), str(run_id), RunStatus() as status, made):
            created_at = at(made) if isinstance(made, int) else None
            return RunSeen(
                thread_id=thread_id, run_id=run_id, status=status, at=now, created_at=created_at
            )
        case ("status", str(thread_id), ThreadStatus() as seen):
            return ThreadSeen(thread_id=thread_id, status=seen, at=now)
        case ("poll", str(task_id), int(times)):
            return Polled(task_id=task_id, times=times, at=now)
        case ("cancel", str(thread_id), str(run_id), EndedBy() as by):
            return CancelAsked(thread_id=thread_id, run_id=run_id, by=by, at=now)
        case ("run gone", str(thread_id), str(run_id), EndedBy() as by):
            return RunGone(thread_id=thread_id, run_id=run_id, by=by, at=now, reason="gone")
        case ("thread gone", str(thread_id), EndedBy() as by):
            return ThreadGone(thread_id=thread_id, by=by, at=now, reason="gone")
        case ("beat", str(session), lease_s, bool() as reopen):
            return SessionBeat(
                supervisor="ann",
                session_id=session,
                at=now,
                lease_s=lease_s,  # type: ignore[arg-type]
                reopen=reopen,
            )
        case ("session end", str(session), EndedBy() as by):
            return SessionEnded(supervisor="ann", session_id=session, by=by, at=now)
        case _:
            return None


def _story(name: str, script: Sequence[Op]) -> Story:
    player = _Script(name, Tables(), [])
    return [player.step(number, op) for number, op in enumerate(script)]


async def _told(backend: str, folder: Path, stories: Mapping[str, Story]) -> dict[str, object]:
    """What a store knows of each story after all of them; None in one is where its teller waits."""
    told: dict[str, object] = {}
    async with BACKENDS[backend](folder) as store:
        waiting: list[asyncio.Future[Intent] | asyncio.Future[None]] = []
        for story in stories.values():
            for step in story:
                if isinstance(step, Start):
                    waiting.append(store.admit(step))
                elif step is not None:
                    waiting.append(store.apply([step]))
                else:
                    await asyncio.gather(*waiting)
        await asyncio.gather(*waiting)
        intents = await store.open_intents(before=END_OF_TIME)
        for name in stories:
            ids = (f"{name}-t1", f"{name}-t2")
            told[name] = (
                [await store.thread(thread_id) for thread_id in ids],
                [await store.task(thread_id) for thread_id in ids],
                [_kinds(await store.events(thread_id, limit=1_000)) for thread_id in ids],
                [intent for intent in intents if intent.intent_id.startswith(f"{name}-")],
                await store.session("ann", f"{name}-s"),
                await store.sessions(SessionQuery(session_id=f"{name}-s")),
                [
                    lease
                    for lease in await store.leases(limit=1_000)
                    if lease.session_id == f"{name}-s"
                ],
            )
        told["figures"] = await store.census(), await _stretches(store)
        told["reports"] = [await store.report(query) for query in REPORTS]
    return told


async def _stretches(store: Store) -> list[Stretch]:
    """The whole record of events as metrics add it up."""
    found = [await store.happened(0, limit=100)]
    while found[-1].upto < found[-1].last:
        found.append(await store.happened(found[-1].upto, limit=100))
    return found


def _kinds(events: Sequence[Event]) -> list[Event]:
    """Events less their numbers, which tell of other stories too."""
    return [replace(event, seq=0) for event in events]


@pytest.mark.parametrize("seed", range(3))
async def test_the_same_stories_make_the_same_books(tmp_path: Path, seed: int) -> None:
    dice = Random(seed)
    scripts = {f"{seed}.{number}": _ops(dice, f"{seed}.{number}") for number in range(STORIES)}
    stories = {name: _story(name, script) for name, script in scripts.items()}
    books = {name: await _told(name, tmp_path, stories) for name in BACKENDS}
    for name, script in scripts.items():
        assert books["sqlite"][name] == books["memory"][name], script
    assert books["sqlite"]["figures"] == books["memory"]["figures"]
