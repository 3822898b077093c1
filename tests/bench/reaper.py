"""What a sweep costs, and a fleet at the sweeps of every day: `python -m tests.bench.reaper`.

python -m tests.bench.reaper sweeps            10,000 live tasks under the policy `strict`
python -m tests.bench.reaper fleet [SEED]      a week of 10,000 tasks, swept every five seconds
"""

import asyncio
import sys
import tempfile
import time
from pathlib import Path

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.policy_file import find, load
from subagent_sidecar.ports import ServerRun
from subagent_sidecar.reaper import Reaper
from subagent_sidecar.service import Service
from subagent_sidecar.store.sqlite import SqliteStore
from subagent_sidecar.tasks import spawn
from tests.support.fleet import Fleet
from tests.unit.reaper.desk import Desk

LIVE, SESSIONS, SWEEPS = 10_000, 500, 5


async def sweeps() -> None:
    """CPU of the whole process for each sweep, and the longest that the event loop was held up."""
    with tempfile.TemporaryDirectory() as folder:
        store = await SqliteStore.open(Path(folder) / "books.db")
        service = Service(store=store, clock=SystemClock())
        for number in range(LIVE):
            await start(service, number)
        for number in range(SESSIONS):
            await service.sessions.beat("ann", f"s{number}", lease_s=60, reopen=False)
        service.policy = load([find("strict")])
        desk = Desk()
        reaper = Reaper(
            service=service,
            store=store,
            clock=SystemClock(),
            servers={"up": desk.server},
            credentials=Credentials(),
            ender=desk.ender,
            reachability=desk,
            interval_s=5.0,
        )
        for number in range(SWEEPS):
            gaps: list[float] = []
            pulse = spawn(beat(gaps), name="pulse")
            cpu, wall = time.process_time(), time.perf_counter()
            await reaper.sweep()
            cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
            pulse.cancel()
            print(f"sweep {number}: {cpu:.3f} s of CPU, {wall:.3f} s, gap {max(gaps) * 1e3:.1f} ms")
        await reaper.settled()
        await reaper.aclose()
        await service.flush()
        await store.aclose()


async def start(service: Service, number: int) -> None:
    thread_id = f"01a2064f-0000-7000-8000-{number:012d}"
    intent = await service.admit(
        upstream="up",
        supervisor="ann",
        thread_id=thread_id,
        header_session=f"s{number % SESSIONS}",
        agent_name=f"agent{number % 20}",
    )
    run = ServerRun(run_id=f"run-{number}", thread_id=thread_id, status="running")
    service.accepted(intent, [run])


async def beat(gaps: list[float]) -> None:
    last = time.perf_counter()
    while True:
        await asyncio.sleep(0.001)
        now = time.perf_counter()
        gaps.append(now - last - 0.001)
        last = now


def fleet(seed: int) -> None:
    played = Fleet(tasks=10_000, days=7, sweep_s=5.0, seed=seed)
    cpu = time.process_time()
    played.play()
    print(
        f"seed {seed}: {len(played.made):,} tasks, {played.finished:,} runs finished, "
        f"{played.sweeps:,} sweeps, ended {dict(played.reaped)}, held {played.held:,} times; "
        f"wrong: {played.wrong}, missed: {played.missed}; {time.process_time() - cpu:.0f} s of CPU"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["fleet"]:
        fleet(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    else:
        asyncio.run(sweeps())
