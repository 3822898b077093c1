"""What the reaper reads from the SQLite file, where it does not do what memory does."""

from pathlib import Path

import pytest
from tests.support.books import accepted, start

from subagent_sidecar.core.model import RunStatus
from subagent_sidecar.reaper.reading import candidates
from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.sqlite import SqliteStore

TASKS = 501  # and a page is 500


@pytest.mark.parametrize("table", ["tasks", "runs"])
async def test_a_status_of_another_version_hides_no_other_task(tmp_path: Path, table: str) -> None:
    file = tmp_path / "books.db"
    store = await SqliteStore.open(file)
    for number in range(TASKS):
        task_id = f"t{number:03}"
        intent = await store.admit(start(number, task_id))
        run = accepted(intent, f"r{number}", number, thread_id=task_id, status=RunStatus.RUNNING)
        await store.apply([run])
    conn = sqlite3.connect(file)
    conn.execute(f"UPDATE {table} SET status = 'paused' WHERE task_id = 't003'")
    conn.commit()
    conn.close()
    found = [each.task_id for each in await candidates(store, ["up"])]
    await store.aclose()
    assert found == [f"t{number:03}" for number in range(TASKS) if number != 3]
