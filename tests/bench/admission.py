"""What the store costs a start, with many tasks on record; and what listing them costs.

    python -m tests.bench.admission [--tasks 100000]

CPU is user + system time of this process per start (admit, then accept), 16 at a time. The list
is one page of 50, and `subagentctl tasks` as a whole process against a running sidecar.
"""

import argparse
import asyncio
import random
import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from subagent_sidecar.core.changes import Accepted, NewRun, Start
from subagent_sidecar.core.model import RunStatus, TaskQuery
from subagent_sidecar.store.sqlite import SqliteStore
from tests.support.ports import free_port

from . import rig

AT_ONCE = 16
MEASURED = 4_000


def _start(number: int) -> Start:
    noise = random.getrandbits(48)
    return Start(
        intent_id=f"{number:032x}",
        request_id=f"{number:032x}",
        upstream="default",
        supervisor="anonymous",
        at=f"2026-01-01T{number // 3600 % 24:02d}:00:00.{number % 1_000_000:06d}Z",
        thread_id=f"01a2{number >> 16:04x}-{number & 0xFFFF:04x}-7545-89d1-{noise:012x}",
        body_session=f"session-{number % 500}",
        assistant_id="researcher",
        purpose="y" * 200,
    )


async def _one(store: SqliteStore, number: int, *, ends: bool) -> None:
    start = _start(number)
    intent = await store.admit(start)
    thread_id = start.thread_id or ""
    status = RunStatus.SUCCESS if ends else RunStatus.PENDING
    run = NewRun(run_id=f"r{thread_id}", thread_id=thread_id, status=status)
    await store.apply([Accepted(intent=intent, at=start.at, runs=(run,))])


async def _fill(store: SqliteStore, first: int, count: int, *, at_once: int) -> None:
    for number in range(first, first + count, at_once):
        await asyncio.gather(
            *(_one(store, n, ends=n % 50 != 0) for n in range(number, number + at_once))
        )


async def _measure(path: Path, tasks: int) -> None:
    store = await SqliteStore.open(path)
    await _fill(store, 0, tasks, at_once=256)
    before = time.process_time()
    await _fill(store, tasks, MEASURED, at_once=AT_ONCE)
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
        _command_line(folder, path)


if __name__ == "__main__":
    main()
