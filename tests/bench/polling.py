"""The list of 50 tasks, direct and through the sidecar: 100 GETs at once, on a real server.

    python -m tests.bench.polling [--rounds 15]

`langgraph dev` runs 50 tasks to their end, then they are asked after as deepagents' list does:
each task's run and its thread, 100 different questions at once. deepagents asks so twice in a row
(before an agent's turn and before its model; by the list tool and before the next model call), and
the second time the sidecar shares what it has just learnt: that is "a turn". "Once" is a list on
its own, where sharing cannot help. The questions are asked by aiohttp: the SDK spends more on
asking than the server on answering. Direct and sidecar take turns, the ratio is the median over
rounds, and the wait between them is longer than the sidecar shares an answer for.
"""

import argparse
import asyncio
import time
from statistics import median
from typing import Any

from aiohttp import ClientSession, TCPConnector
from langgraph_sdk import get_client

from tests.acceptance.rig.servers import langgraph_dev
from tests.support.ports import free_port

from . import rig

TASKS = 50
WORK: dict[str, Any] = {"messages": [{"role": "user", "content": "quick"}]}
_CASES = (("a turn", 2, " (must 1.0x, ambition 0.5x)"), ("once", 1, ""))


async def _start(url: str) -> list[tuple[str, str]]:
    """(thread, run) ids of the tasks, ended."""
    client = get_client(url=url)

    async def one() -> tuple[str, str]:
        thread = await client.threads.create()
        run = await client.runs.create(thread["thread_id"], "researcher", input=WORK)
        await client.runs.join(thread["thread_id"], run["run_id"])
        return thread["thread_id"], run["run_id"]

    return await asyncio.gather(*(one() for _ in range(TASKS)))


def _paths(tasks: list[tuple[str, str]]) -> list[str]:
    runs = [f"/threads/{thread_id}/runs/{run_id}" for thread_id, run_id in tasks]
    return runs + [f"/threads/{thread_id}" for thread_id, _ in tasks]


async def _list(session: ClientSession, url: str, paths: list[str], times: int) -> float:
    async def get(path: str) -> None:
        async with session.get(url + path) as answer:
            assert answer.status == 200
            await answer.read()

    began = time.monotonic()
    for _ in range(times):
        await asyncio.gather(*(get(path) for path in paths))
    return time.monotonic() - began


async def _measure(
    direct: str, ours: str, rounds: int, paths: list[str], lists: int
) -> tuple[float, float]:
    """(median ratio, median direct seconds)."""
    urls = (direct, ours)
    times: list[list[float]] = [[], []]
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        for url in urls:
            await _list(session, url, paths, lists)
        for number in range(rounds):
            for which in (0, 1) if number % 2 else (1, 0):
                await asyncio.sleep(0.3)
                times[which].append(await _list(session, urls[which], paths, lists))
    ratios = [through / straight for straight, through in zip(*times, strict=True)]
    return median(ratios), median(times[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    print(f"machine: {rig.machine()}")
    with (
        rig.scratch() as folder,
        langgraph_dev(folder, port=free_port(), sidecar_url="http://127.0.0.1:1") as server,
        rig.sidecar(folder, int(server.url.rpartition(":")[2]), coalesce="250ms") as ours,
    ):
        paths = _paths(asyncio.run(_start(ours.url)))
        for name, lists, bar in _CASES:
            measured = _measure(server.url, ours.url, given.rounds, paths, lists)
            ratio, direct = asyncio.run(measured)
            print(f"list, {name}: {ratio:.2f}x wall of direct ({direct * 1000:.0f} ms){bar}")


if __name__ == "__main__":
    main()
