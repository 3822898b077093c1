"""How SQLite reads the past: in stretches, and along an index."""

from pathlib import Path

import pytest
from tests.support.books import start
from tests.support.past import rules
from tests.support.refusing import refused_on_record

from subagent_sidecar.core.past import DecisionQuery
from subagent_sidecar.store import past
from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.sqlite import SqliteStore

CLOSED = rules("name: closed, match: {agent: '*'}, deny: true")
COUNT = 10


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    """Ten refusals, of which numbers 1 and 10 are a painter's."""
    path = tmp_path / "books.db"
    store = await SqliteStore.open(path)
    for number in range(1, COUNT + 1):
        agent = "painter" if number in (1, COUNT) else "coder"
        await refused_on_record(store, start(number, None, agent_name=agent), CLOSED)
    await store.aclose()
    return path


@pytest.mark.parametrize("stretch", [1, 3, COUNT - 1, COUNT, 100])
@pytest.mark.parametrize("oldest_first", [False, True])
async def test_rare_decisions_are_found_by_many_short_looks(
    file: Path, stretch: int, oldest_first: bool
) -> None:
    conn = sqlite3.connect(file)
    found, after, looks = [], None, 0
    while looks == 0 or after is not None:
        query = DecisionQuery(agent="painter", oldest_first=oldest_first, after=after)
        page = past.decisions(conn, query, stretch=stretch)
        found += [decision.seq for decision in page.decisions]
        after = page.next_after
        looks += 1
    conn.close()
    assert found == ([1, COUNT] if oldest_first else [COUNT, 1])
    assert looks == -(-COUNT // stretch)


async def test_a_page_of_starts_is_read_along_an_index(file: Path) -> None:
    conn = sqlite3.connect(file)
    values = {"at": "", "task": "", "run": "", "since": "2026", "limit": 5}
    plan = conn.execute(f"EXPLAIN QUERY PLAN {past.STARTS}", values).fetchall()
    conn.close()
    steps = [row[-1] for row in plan]
    assert any("tasks_newest" in step for step in steps), steps
    assert not any("TEMP B-TREE FOR ORDER BY" in step for step in steps), steps
