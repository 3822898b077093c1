"""Limits hold for all the processes on a file together. (row 13)

SUPERVISORS=400 for more.
"""

import os
from collections import Counter
from contextlib import AsyncExitStack
from pathlib import Path

from tests.integration.store.other_process import EACH
from tests.integration.store.others import other

from subagent_sidecar.store.driver import sqlite3

PROCESSES = 4
SUPERVISORS = int(os.environ.get("SUPERVISORS", "100"))
TRIES = 12
"""For each supervisor, by each process."""


def started(path: Path) -> Counter[str]:
    """How many tasks of each supervisor are on record."""
    connection = sqlite3.connect(str(path))
    try:
        rows = connection.execute("SELECT supervisor, count(*) FROM tasks GROUP BY 1").fetchall()
        return Counter(dict(rows))
    finally:
        connection.close()


async def test_four_processes_let_in_exactly_as_many_as_there_may_be(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    async with AsyncExitStack() as stack:
        processes = [
            await stack.enter_async_context(other("try", path, str(SUPERVISORS), str(TRIES)))
            for _ in range(PROCESSES)
        ]
        for process in processes:
            assert await process.says() == "ready"
        for process in processes:
            process.go()
        let_in = [int(await process.says()) for process in processes]
        assert [await process.ended() for process in processes] == [0] * PROCESSES
    assert started(path) == {f"ann-{number}": EACH for number in range(SUPERVISORS)}
    assert sum(let_in) == EACH * SUPERVISORS
    assert max(let_in) < EACH * SUPERVISORS, "one was done before the others began"
