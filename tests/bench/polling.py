"""The list of 50 tasks, direct and through the sidecar: 100 GETs at once.

    python -m tests.bench.polling [--rounds 7]

deepagents asks after every unfinished task in its own polls and again in `list_async_tasks`.
"Alike" is that: 50 runs, each asked by two at once; the sidecar asks the server once. "Apart" is
100 different questions, where sharing cannot help. The upstream is an aiohttp server that takes
4 ms for each answer, one at a time, as a Python agent server does.
"""

import argparse
import asyncio
import sys
import time
from statistics import median

from aiohttp import ClientSession, TCPConnector, web

from . import rig

TASKS = 50
ANSWER_S = 0.004


async def _serve(port: int) -> None:
    busy = asyncio.Lock()

    async def answer(request: web.Request) -> web.Response:
        async with busy:
            await asyncio.sleep(ANSWER_S)
        return web.Response(text=rig.RUN_BODY, content_type="application/json")

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    await asyncio.Event().wait()


async def _list(session: ClientSession, url: str, *, alike: bool) -> float:
    async def get(path: str) -> None:
        async with session.get(url + path) as answer:
            await answer.read()

    threads = [f"/threads/01a2064f-5864-7545-89d1-{n:012x}" for n in range(TASKS)]
    paths = [f"{path}/runs/01a2064f-5871-7040-883a-{n:012x}" for n, path in enumerate(threads)]
    paths += paths if alike else threads
    began = time.monotonic()
    await asyncio.gather(*(get(path) for path in paths))
    return time.monotonic() - began


async def _measure(direct: str, ours: str, rounds: int, *, alike: bool) -> float:
    ratios = []
    async with ClientSession(connector=TCPConnector(limit=0)) as session:
        for _ in range(rounds):
            times = {}
            for url in (direct, ours):
                times[url] = await _list(session, url, alike=alike)
                await asyncio.sleep(0.3)
            ratios.append(times[ours] / times[direct])
    return median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve is not None:
        asyncio.run(_serve(given.serve))
        return
    print(f"machine: {rig.machine()}")
    port = rig.free_port()
    command = [sys.executable, "-m", "tests.bench.polling", "--serve", str(port)]
    with (
        rig.scratch() as folder,
        rig.listening("upstream", port, command) as upstream,
        rig.sidecar(folder, port, coalesce="250ms") as ours,
    ):
        for name, alike in (("alike", True), ("apart", False)):
            ratio = asyncio.run(_measure(upstream.url, ours.url, given.rounds, alike=alike))
            print(f"list, {name}: {ratio:.2f}x wall of direct (must 1.0x, ambition 0.5x)")


if __name__ == "__main__":
    main()
