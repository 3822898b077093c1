"""`subagentctl events --follow` of a real sidecar, which is killed and stopped meanwhile."""

import asyncio
import json
import os
import signal
import sys
from pathlib import Path

from tests.integration.faults.rig import Rig, running_rig
from tests.support.signals import heeded

PATIENCE_S = 60.0
KIND = "started"


async def follower(url: str) -> asyncio.subprocess.Process:
    command = [sys.executable, "-m", "subagentctl", "--server", url, "-o", "json"]
    command += ["events", "--follow", "--last", "1000", "--kind", KIND]
    pipe = asyncio.subprocess.PIPE
    with heeded():
        return await asyncio.create_subprocess_exec(
            *command, stdout=pipe, stderr=pipe, env={**os.environ, "PYTHONUTF8": "1"}
        )


async def numbers(process: asyncio.subprocess.Process, count: int) -> list[int]:
    """Of the next events it shows."""
    assert process.stdout is not None
    async with asyncio.timeout(PATIENCE_S):
        return [int(json.loads(await process.stdout.readline())["seq"]) for _ in range(count)]


async def on_record(rig: Rig) -> list[int]:
    answer = await rig.admin.call("GET", f"/v1/events?kind={KIND}&limit=1000&follow=false")
    return [event["seq"] for event in answer.json["events"]]


async def started(rig: Rig, count: int) -> None:
    for _ in range(count):
        await rig.client.start(await rig.client.new_thread(), "hang")


async def test_each_event_is_shown_once_and_in_order_whatever_befalls_the_sidecar(
    tmp_path: Path,
) -> None:  # rows 6, 27
    async with running_rig(tmp_path) as rig:
        process = await follower(rig.sidecar.admin_url)
        try:
            await started(rig, 2)
            shown = await numbers(process, 2)
            await started(rig, 5)
            await rig.sidecar.restart()  # kill -9, before all of it is on record
            await started(rig, 5)
            shown += await numbers(process, 10)
            await started(rig, 2)
            assert await rig.sidecar.terminate() == 0
            await rig.sidecar.start()
            shown += await numbers(process, 2)
            assert shown == await on_record(rig)
            process.send_signal(signal.SIGINT)
            async with asyncio.timeout(PATIENCE_S):
                rest, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    assert (process.returncode, rest) == (0, b"")
    assert errors and all(line.endswith(b"Trying again.") for line in errors.splitlines())
