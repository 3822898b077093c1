"""kill -9 twenty times, anywhere, under load: no task lost, none double, the file sound. (row 6)

`test_kill_at_failpoints.py` kills at the known dangerous places; this one does not know where it
kills. KILLS=200 for more; a failure shows its seed, and SEED=... plays those dice again.
"""

import asyncio
import os
import secrets
import shutil
import signal
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import pytest
from tests.acceptance.rig.truth import disagreements
from tests.integration.faults.load import Load, under_load
from tests.integration.faults.rig import Rig, running_rig
from tests.support.waiting import eventually, eventually_got

from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.testing import FaultKind, Script, ask, fail, hang, succeed

KILLS = int(os.environ.get("KILLS", "20"))
SEED = os.environ.get("SEED") or secrets.token_hex(4)
CLIENTS = 6
REQUESTS_BETWEEN_KILLS = 40
"""At most; none at all is a kill before the sidecar has caught its breath."""
A_MOMENT = 0.05
"""So long, at most, after the last of them: what they left behind is killed too."""

GRAPHS: dict[str, Script] = {
    "researcher": succeed(0.05),
    "steps": succeed(0.3, steps=5),
    "hang": hang(),
    "failing": fail(),
    "asker": ask(),
}
CONFIG = {"start_timeout": "1s"}
"""How long a start that left no trace stays possible."""
SETTLED_WITHIN = 120.0


async def torment(rig: Rig, load: Load, folder: Path) -> None:
    """Kill and restart; what lies on the disk in between must be a sound database."""
    dice = Random(SEED)
    for number in range(KILLS):
        load.up.set()
        await load.asked_for(dice.randint(0, REQUESTS_BETWEEN_KILLS))
        await asyncio.sleep(dice.random() * A_MOMENT)
        load.up.clear()
        assert await rig.sidecar.kill9() == -signal.SIGKILL, "it died by itself"
        assert integrity(left_behind(rig.sidecar.store_path, folder / f"kill-{number}")) == "ok"
        await rig.sidecar.start()


def left_behind(store: Path, folder: Path) -> Path:
    """A copy of the store and its log: to look at it would mend it."""
    folder.mkdir()
    for file in (store, store.with_name(f"{store.name}-wal")):
        if file.exists():
            shutil.copy(file, folder)
    return folder / store.name


def integrity(store: Path) -> str:
    found: str = one_value(store, "PRAGMA integrity_check")
    return found


def one_value(store: Path, query: str) -> Any:
    connection = sqlite3.connect(store)
    try:
        return connection.execute(query).fetchone()[0]
    finally:
        connection.close()


async def untruths(rig: Rig) -> dict[str, Any]:
    """Task -> field -> (recorded, true), of every task that the server has runs of."""
    found = {}
    for task in await rig.tasks():
        thread = (await rig.direct.call("GET", f"/threads/{task['task_id']}")).json
        runs = await rig.direct.call("GET", f"/threads/{task['task_id']}/runs?limit=1000")
        if not runs.json:
            assert (task["status"], task["runs"]) == ("error", []), task
        elif wrong := disagreements(task, expected={}, runs=runs.json, thread=thread):
            found[task["task_id"]] = wrong
    return found


@pytest.mark.timeout(600)
async def test_twenty_kills_under_load_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    print(f"SEED={SEED}")
    async with running_rig(tmp_path, config=CONFIG, graphs=GRAPHS) as rig:
        # Many a start is taken by the server, and not yet answered, when the sidecar dies.
        rig.server.faults.add(
            FaultKind.DELAY_HEAD, "/threads/*/runs", method="POST", times=None, seconds=0.02
        )
        async with under_load(rig.sidecar.url, clients=CLIENTS, seed=SEED) as load:
            await torment(rig, load, tmp_path)
        print(f"answered: {load.answered}, cut off: {load.cut}")
        assert load.cut.total() >= KILLS // 4, "the sidecar was idle when it was killed"
        assert set(load.answered) == {"start", "update", "cancel", "poll"}
        assert set(load.told) < set(rig.server.ledger.run_ids), "no start was cut off"

        await rig.books_agree(within=SETTLED_WITHIN)
        sent = Counter(entry.body_sha256 for entry in rig.server.ledger)
        assert [body for body, times in sent.items() if times > 1] == []
        await eventually_got(lambda: untruths(rig), lambda found: not found, within=SETTLED_WITHIN)
        store = rig.sidecar.store_path
        # What was on record and never sent is given up when its time is over.
        await eventually(
            lambda: one_value(store, "SELECT count(*) FROM intents") == 0, within=SETTLED_WITHIN
        )

        assert await rig.sidecar.terminate() == 0
        assert integrity(store) == "ok"
        assert "Traceback" not in rig.sidecar.log
