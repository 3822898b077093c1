"""What the store costs a start, with many tasks on record; and what listing them costs.

    python -m tests.bench.admission [--tasks 100000]

CPU is user + system time of this process per start (admit, then accept), 16 at a time. What a
policy adds is measured in turns with starts that no rule is asked about, on copies of one file: for
sessions that have started before (the same 500 all along), and for a new session with every start.
`everything` is a rule of every kind in every scope; nothing is refused. The list is one page of 50,
and `subagentctl tasks` as a whole process against a running sidecar.
"""

import argparse
import asyncio
import random
import shutil
import subprocess
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import median

import yaml

from subagent_sidecar.core.changes import Accepted, NewRun, Start
from subagent_sidecar.core.matching import Scope
from subagent_sidecar.core.model import RunStatus, TaskQuery, timestamp
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.policy_file import find, load, parse
from subagent_sidecar.store.sqlite import SqliteStore
from subagent_sidecar.yaml_file import Document
from tests.support.ports import free_port

from . import rig

AT_ONCE = 16
MEASURED = 4_000
ROUNDS = 5
PER_TURN = 1_008
_BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


NONE = Policy()


@dataclass
class Starts:
    """Starts of a supervisor that never rests: one every 0.7 seconds, of 500 sessions in turn, or
    each of a `new` one. Only with a policy does anybody read the instruction."""

    store: SqliteStore
    number: int = 0

    async def make(
        self, count: int, *, at_once: int, policy: Policy = NONE, new: bool = False
    ) -> None:
        for _ in range(0, count, at_once):
            await asyncio.gather(*(self._one(policy, new=new) for _ in range(at_once)))

    async def _one(self, policy: Policy, *, new: bool) -> None:
        start = self._next(read=policy is not NONE, new=new)
        intent = await self.store.admit(start, policy)
        thread_id = start.thread_id or ""
        status = RunStatus.PENDING if self.number % 50 == 0 else RunStatus.SUCCESS
        run = NewRun(run_id=f"r{thread_id}", thread_id=thread_id, status=status)
        await self.store.apply([Accepted(intent=intent, at=start.at, runs=(run,))])

    def _next(self, *, read: bool, new: bool) -> Start:
        number = self.number = self.number + 1
        noise = random.getrandbits(48)
        return Start(
            intent_id=f"{number:032x}",
            request_id=f"{number:032x}",
            upstream="default",
            supervisor="anonymous",
            at=timestamp(_BEGIN + number * timedelta(seconds=0.7)),
            thread_id=f"01a2{number >> 16:04x}-{number & 0xFFFF:04x}-7545-89d1-{noise:012x}",
            body_session=f"new-{number}" if new else f"session-{number % 500}",
            assistant_id="researcher",
            purpose="y" * 200,
            fingerprint=f"{number:032x}" if read else None,
        )


def _everything() -> Policy:
    """Rules that are asked of every start, and far from refusing any."""
    limits, budgets = ["{name: depth, depth: 9}"], []
    for scope in Scope:
        limits += [
            f"{{name: c-{scope}, concurrent: 900000, per: {scope}}}",
            f"{{name: s-{scope}, starts: 900000, per: {scope}}}",
            f"{{name: w-{scope}, starts: 800000, per: {scope}, window: 1h}}",
            f"{{name: d-{scope}, duplicates: 900000, per: {scope}, window: 5m}}",
        ]
        amounts = "usd: 900000, tokens: 900_000_000_000, run_time: 3650d, runs: 900000"
        budgets += [
            f"{{name: b-{scope}, {amounts}, per: {scope}}}",
            f"{{name: v-{scope}, {amounts}, per: {scope}, window: 1d, reserve: {{tokens: 5}}}}",
        ]
    data = {"version": 1, "limits": limits, "budgets": budgets}
    text = yaml.safe_dump(data, default_style=None).replace("'", "")
    return parse([Document(Path("everything.yaml"), yaml.safe_load(text), {})])


POLICIES = {"no policy": NONE, "default": load([find("default")]), "everything": _everything()}
TURNS = [(name, new) for name in POLICIES for new in (False, True)]


async def _by_policy(path: Path, tasks: int) -> None:
    """What each policy makes of the CPU of a start; medians of rounds. Each has a copy of the file
    to itself: what others write into it would have to be counted anew."""
    figures: dict[tuple[str, bool], list[float]] = {turn: [] for turn in TURNS}
    async with AsyncExitStack() as stack:
        starts = {}
        for name, policy in POLICIES.items():
            copy = path.with_name(f"{name}.db")
            shutil.copy(path, copy)
            store = await SqliteStore.open(copy)
            stack.push_async_callback(store.aclose)
            starts[name] = Starts(store, tasks)
            before = time.process_time()
            await starts[name].make(AT_ONCE, at_once=1, policy=policy)
            first = (time.process_time() - before) * 1e3
            print(f"the first {AT_ONCE} starts by {name} after a restart: {first:.0f} ms CPU")
        for number in range(1 + ROUNDS):  # the first one is for what is counted once
            for name, new in TURNS:
                before = time.process_time()
                await starts[name].make(PER_TURN, at_once=AT_ONCE, policy=POLICIES[name], new=new)
                if number:
                    used = time.process_time() - before
                    figures[name, new].append(used / PER_TURN * 1e6)
    for (name, new), found in figures.items():
        adds = median(found) - median(figures["no policy", new])
        who = "a new session each" if new else "sessions seen before"
        print(f"a start by {name}, {who}: {median(found):.0f} us CPU, adds {adds:.0f} (must 300)")


async def _measure(path: Path, tasks: int) -> None:
    store = await SqliteStore.open(path)
    starts = Starts(store)
    await starts.make(tasks, at_once=256)
    before = time.process_time()
    await starts.make(MEASURED, at_once=AT_ONCE)
    cpu = (time.process_time() - before) / MEASURED * 1e6
    print(f"a start at {tasks} tasks on record: {cpu:.0f} us CPU (must 300, ambition 120)")
    for name, query in (
        ("newest 50", TaskQuery()),
        ("newest 50 of a session", TaskQuery(session_id="session-7")),
        ("live or ended lately", TaskQuery(ended_after="2026-01-02T00:00:00.000000Z")),
    ):
        times = []
        for _ in range(50):
            began = time.perf_counter()
            await store.tasks(query)
            times.append((time.perf_counter() - began) * 1e3)
        print(f"list, {name}: p50 {median(times):.2f} ms, worst of 50 {max(times):.2f} ms")
    await store.aclose()


def _command_line(folder: Path, path: Path) -> None:
    with rig.sidecar(folder, free_port(), store=f"sqlite:///{path}") as server:
        times = []
        for _ in range(7):
            began = time.monotonic()
            url = f"http://127.0.0.1:{server.admin_port}"
            command = [sys.executable, "-m", "subagentctl", "--server", url, "tasks", "--all"]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            times.append(time.monotonic() - began)
    print(f"subagentctl tasks: {median(times):.2f} s wall (must 0.5, ambition 0.25)")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=100_000)
    given = parser.parse_args()
    print(f"machine: {rig.machine()}")
    with rig.scratch() as folder:
        path = folder / "store.db"
        asyncio.run(_measure(path, given.tasks))
        asyncio.run(_by_policy(path, given.tasks + MEASURED))
        _command_line(folder, path)


if __name__ == "__main__":
    main()
