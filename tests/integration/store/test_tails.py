"""Short ids come from an index that is filled behind the starts, and are right all the same."""

import random
from collections.abc import Iterable
from pathlib import Path

import pytest
from sqlite_utils import Database
from tests.support.books import accepted, start
from tests.support.stores import pages

from subagent_sidecar.core.model import TaskQuery
from subagent_sidecar.ports import Store
from subagent_sidecar.store.sqlite import SqliteStore

ENOUGH = 1_100
"""Tasks of which some are in the index and some are not."""


def ids(count: int) -> list[str]:
    """Ids whose ends are often alike, some of them shorter than a short id."""
    chance = random.Random(7)
    made = {f"t-{n:04}-" + "".join(chance.choices("ab", k=6)) + "-same" for n in range(count - 6)}
    made |= {"same", "-same", "b", "aab-same", "\u00fcber-same", "x" * 200}
    return chance.sample(sorted(made), count)


def shortest_of_its_own(task_id: str, everybody: Iterable[str]) -> str:
    for length in range(8, len(task_id)):
        if not any(o != task_id and o.endswith(task_id[-length:]) for o in everybody):
            return task_id[-length:]
    return task_id


async def started(store: Store, names: Iterable[str]) -> None:
    for n, name in enumerate(names):
        intent = await store.admit(start(n, name))
        await store.apply([accepted(intent, f"r{n}", n, thread_id=name)])


def indexed(path: Path) -> int:
    db = Database(path)
    count = db["tails"].count
    db.close()
    return count


@pytest.mark.parametrize("count", [50, ENOUGH])
async def test_short_ids_are_the_shortest_tails_of_their_own(tmp_path: Path, count: int) -> None:
    names = ids(count)
    store = await SqliteStore.open(tmp_path / "books.db")
    await started(store, names)
    shown = [record for page in await pages(store, TaskQuery(limit=50)) for record in page.records]
    assert {r.task.task_id: r.short_id for r in shown} == {
        name: shortest_of_its_own(name, names) for name in names
    }
    await store.aclose()


async def test_a_task_is_found_by_its_end_in_the_index_or_not(tmp_path: Path) -> None:
    names = ids(ENOUGH)
    store = await SqliteStore.open(tmp_path / "books.db")
    await started(store, names)
    for fragment in ("a-same", "ab-same", "-same", names[3][-14:], names[-3][-14:], "nobody"):
        ending = sorted(name for name in names if name.endswith(fragment))
        found = await store.tasks_named(fragment, limit=2_000)
        assert list(found) == ending, fragment
        assert len(await store.tasks_named(fragment, limit=2)) == min(2, len(ending))
    await store.aclose()
    assert 0 < indexed(tmp_path / "books.db") < ENOUGH


async def test_what_a_crash_left_out_of_the_index_is_entered_at_the_next_start(
    tmp_path: Path,
) -> None:
    path = tmp_path / "books.db"
    for _ in range(2):
        store = await SqliteStore.open(path)
        await started(store, ids(20))
        await store.aclose()
    assert indexed(path) == 20
