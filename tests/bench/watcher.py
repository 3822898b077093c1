"""What following live tasks costs an upstream, how soon an end is on record, and memory.

    python -m tests.bench.watcher [--tasks 10000]

The store's file is filled with live tasks before the sidecar, a process of its own with everything
on, is started on it. Nobody polls. Runs end at random times; an end is on record when a reader of
the file, who looks four times a second, first sees it there. Requests are those the upstream got
while runs ended: an average, and the most that came in any one second since the sidecar was up.
Those of the reader of token usage (`state`) are counted apart: they come out of the same allowance,
but would be made for fewer tasks as well.

Memory is the difference in resident size of two sidecars at the same age, on copies of one file
with all the live tasks in it, where to one of the two all but 100 are on an upstream that it does
not have. Both were asked for the whole list before, so that SQLite holds the same pages in both.
"""

import argparse
import asyncio
import json
import random
import shutil
import sys
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.core.changes import Accepted, NewRun, Start
from subagent_sidecar.core.model import RunStatus, timestamp
from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.sqlite import SqliteStore
from tests.support.ports import free_port

from . import rig
from .watcher_upstream import run_id, thread_id

_AT_ONCE = 256
_LOOK_S = 0.25
_USAGE = "state"
_FEW = 100
_ELSEWHERE = """
    UPDATE tasks SET upstream = 'elsewhere' WHERE rowid NOT IN (SELECT rowid FROM tasks LIMIT ?)
"""
_ENDED = "SELECT task_id FROM tasks WHERE ended_at IS NOT NULL"


@dataclass(frozen=True)
class Plan:
    """`ends` runs end within `over_s`, once the sidecar was left alone for `settle_s`; they are
    waited for up to `patience_s` more. The bars are for requests a second, and seconds."""

    name: str
    tasks: int
    settle_s: float
    ends: int
    over_s: float
    patience_s: float
    rate_bars: str
    delay_bars: str = ""
    searches: bool = True


@dataclass
class Measured:
    """`delays` are of the ends that came on record; `missed` did not, in time."""

    delays: list[float] = field(default_factory=list)
    missed: int = 0
    kinds: Counter[str] = field(default_factory=Counter)
    most_in_a_second: int = 0


async def _fill(path: Path, tasks: int) -> None:
    """Put live tasks on record, as starts by the front door do."""
    store = await SqliteStore.open(path)
    for first in range(0, tasks, _AT_ONCE):
        numbers = range(first, min(first + _AT_ONCE, tasks))
        await asyncio.gather(*(_one(store, number) for number in numbers))
    await store.aclose()


async def _one(store: SqliteStore, number: int) -> None:
    start = Start(
        intent_id=f"{number:032x}",
        request_id=f"{random.getrandbits(128):032x}",
        upstream="default",
        supervisor="anonymous",
        at=timestamp(SystemClock().now()),
        thread_id=thread_id(number),
        body_session=f"session-{number % 500}",
        assistant_id="researcher",
        purpose="y" * 200,
    )
    intent = await store.admit(start)
    run = NewRun(run_id=run_id(number), thread_id=thread_id(number), status=RunStatus.RUNNING)
    await store.apply([Accepted(intent=intent, at=start.at, runs=(run,))])


def _upstream(plan: Plan) -> AbstractContextManager[rig.Server]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.watcher_upstream", str(port), str(plan.tasks)]
    return rig.listening("upstream", port, command + ["--no-search"] * (not plan.searches))


def _call(url: str, body: Any = None) -> Any:
    data = None if body is None else json.dumps(body).encode()
    with urllib.request.urlopen(url, data, timeout=30) as answer:
        return json.load(answer)


def _until_on_record(path: Path, ends: int, give_up: float) -> dict[str, float]:
    """When each end was first seen in the file."""
    seen: dict[str, float] = {}
    with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as conn:
        while len(seen) < ends and time.monotonic() < give_up:
            for (task_id,) in conn.execute(_ENDED).fetchall():
                seen.setdefault(task_id, time.monotonic())
            time.sleep(_LOOK_S)
    return seen


def _most_in_a_second(moments: list[float]) -> int:
    most, first = 0, 0
    for last, moment in enumerate(moments):
        while moments[first] <= moment - 1.0:
            first += 1
        most = max(most, last - first + 1)
    return most


def _run(plan: Plan, path: Path, upstream: rig.Server) -> Measured:
    began = time.monotonic()
    _call(f"{upstream.url}/bench/ends", {"count": plan.ends, "over_s": plan.over_s})
    seen = _until_on_record(path, plan.ends, began + plan.over_s + plan.patience_s)
    time.sleep(max(0.0, began + plan.over_s - time.monotonic()))
    report = _call(f"{upstream.url}/bench/report")
    moments = [at for at, _ in report["requests"]]
    while_ending = [kind for at, kind in report["requests"] if began <= at < began + plan.over_s]
    return Measured(
        delays=[seen[task_id] - at for task_id, at in report["ends"].items() if task_id in seen],
        missed=plan.ends - len(seen),
        kinds=Counter(while_ending),
        most_in_a_second=_most_in_a_second(moments),
    )


def _print(plan: Plan, measured: Measured) -> None:
    kinds = {kind: count / plan.over_s for kind, count in measured.kinds.most_common()}
    total = sum(kinds.values())
    parts = ", ".join(f"{rate:.1f} {kind}" for kind, rate in kinds.items())
    print(f"{plan.name}: {plan.ends / plan.over_s:.1f} ends/s")
    print(
        f"  watcher: {total - kinds.get(_USAGE, 0.0):.1f} requests/s ({plan.rate_bars}); "
        f"with usage {total:.1f}, most in a second {measured.most_in_a_second} ({parts})"
    )
    if plan.delay_bars:
        longest = max(measured.delays, default=float("nan"))
        print(
            f"  an end on record after {longest:.1f} s at most, "
            f"{sum(measured.delays) / max(len(measured.delays), 1):.1f} s on average, "
            f"{measured.missed} missed ({plan.delay_bars})"
        )


def _list_all(sidecar: rig.Server) -> None:
    """Have every task read, by both of the store's readers."""
    url = f"http://127.0.0.1:{sidecar.admin_port}/v1/tasks?all=true&limit=200"

    def walk() -> None:
        page = _call(url)
        while page["next_cursor"]:
            page = _call(f"{url}&cursor={quote(page['next_cursor'])}")

    with ThreadPoolExecutor(4) as pool:
        for walking in [pool.submit(walk) for _ in range(4)]:
            walking.result()


def _follow(plan: Plan, folder: Path, store: Path) -> None:
    with _upstream(plan) as upstream, rig.sidecar(folder, upstream.port, store=_url(store)):
        time.sleep(plan.settle_s)
        _print(plan, _run(plan, store, upstream))


def _follow_and_weigh(plan: Plan, folder: Path, store: Path) -> None:
    """`_follow`, beside a sidecar that has the same books and follows few of the tasks in them."""
    twin = Path(shutil.copy(store, folder / "twin.db"))
    _leave(twin, _FEW)
    with (
        _upstream(plan) as upstream,
        rig.sidecar(folder, upstream.port, store=_url(store)) as ours,
    ):
        with (
            _upstream(plan) as another,
            rig.sidecar(folder, another.port, store=_url(twin)) as other,
        ):
            for each in (ours, other):
                _list_all(each)
            time.sleep(plan.settle_s)
            many, few = ours.rss_mb(), other.rss_mb()
        a_task = (many - few) * 1024 * 1024 / (plan.tasks - _FEW)
        print(
            f"memory: {few:.1f} MB following {_FEW}, {many:.1f} MB following {plan.tasks}: "
            f"{a_task:.0f} bytes a task (must 1024)"
        )
        _print(plan, _run(plan, store, upstream))


def _leave(path: Path, count: int) -> None:
    """Have all but so many of the tasks be on an upstream that nobody follows."""
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(_ELSEWHERE, (count,))


def _url(path: Path) -> str:
    return f"sqlite:///{path}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", type=int, default=10_000)
    tasks: int = parser.parse_args().tasks
    many = Plan(
        name=f"{tasks} live tasks",
        tasks=tasks,
        settle_s=10,
        ends=min(tasks, 100),
        over_s=20,
        patience_s=60,
        rate_bars="must 50, aim 10",
        delay_bars="must 30 s, aim 10 s",
    )
    few = Plan(
        name="100 live tasks",
        tasks=100,
        settle_s=5,
        ends=50,
        over_s=10,
        patience_s=30,
        rate_bars="must 50, aim 10",
        delay_bars="must 3 s",
    )
    unsearched = Plan(
        name=f"{tasks} live tasks, a server that cannot search",
        tasks=tasks,
        settle_s=10,
        ends=min(tasks, 100),
        over_s=10,
        patience_s=0,
        rate_bars="must 50",
        searches=False,
    )
    print(f"machine: {rig.machine()}")
    with rig.scratch() as folder:
        stores = [folder / f"{name}.db" for name in ("many", "few", "unsearched")]
        asyncio.run(_fill(stores[0], many.tasks))
        asyncio.run(_fill(stores[1], few.tasks))
        shutil.copy(stores[0], stores[2])
        _follow_and_weigh(many, folder, stores[0])
        _follow(few, folder, stores[1])
        _follow(unsearched, folder, stores[2])


if __name__ == "__main__":
    main()
