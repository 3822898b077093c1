"""Sessions in the SQLite file, where it does not do what the store in memory does."""

from pathlib import Path

from tests.support.books import accepted, start

from subagent_sidecar.core.sessions import SessionQuery
from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.sessions import list_sessions
from subagent_sidecar.store.sqlite import SqliteStore


async def test_of_a_session_with_very_many_tasks_the_newest_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "books.db"
    store = await SqliteStore.open(file)
    for number in range(5):
        intent = await store.admit(start(number, f"t{number}", header_session="s"))
        await store.apply([accepted(intent, f"r{number}", number, thread_id=f"t{number}")])
    await store.aclose()
    conn = sqlite3.connect(file)
    found = {
        counted: list_sessions(conn, SessionQuery(), counted=counted).sessions[0]
        for counted in (4, 5)
    }
    conn.close()
    assert [(line.live, line.tasks, line.capped) for line in found.values()] == [
        (5, 4, True),
        (5, 5, False),
    ]
    assert found[4].first_at == found[5].first_at
