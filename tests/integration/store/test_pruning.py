"""A file that old tasks were removed from is as good as before."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from tests.integration.store.test_tails import ids, indexed, shortest_of_its_own
from tests.support.books import accepted, at, start
from tests.support.stores import listed, pages

from subagent_sidecar.core.changes import RunSeen, ThreadCreated
from subagent_sidecar.core.feed import EventQuery
from subagent_sidecar.core.model import RunStatus, TaskQuery, Thread
from subagent_sidecar.ports import Store
from subagent_sidecar.store.sqlite import SqliteStore
from subagent_sidecar.store.working_set import WorkingSet

EVER = "9999"


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path / "books.db")
    try:
        yield store
    finally:
        await store.aclose()


async def ended(store: Store, names: Iterable[str]) -> None:
    for number, name in enumerate(names):
        intent = await store.admit(start(number, name))
        over = RunSeen(thread_id=name, run_id="r", status=RunStatus.SUCCESS, at=at(number))
        await store.apply([accepted(intent, "r", number, thread_id=name), over])


async def begun(store: Store, name: str, number: int = 9_999) -> None:
    intent = await store.admit(start(number, name))
    await store.apply([accepted(intent, f"r{number}", number, thread_id=name)])


async def pruned(store: Store, before: str = EVER) -> None:
    while await store.prune(before, limit=50):
        pass


@pytest.mark.parametrize("count", [60, 1_100])
async def test_short_ids_and_lists_are_right_among_those_that_are_left(
    tmp_path: Path, count: int
) -> None:
    names = ids(count)
    left = names[count // 2 :]
    async with opened(tmp_path) as store:
        await ended(store, names)
        await pruned(store, at(count // 2))
        assert await listed(store, TaskQuery(limit=50)) == left[::-1]
        shown = [r for page in await pages(store, TaskQuery(limit=50)) for r in page.records]
        assert {r.task.task_id: r.short_id for r in shown} == {
            name: shortest_of_its_own(name, left) for name in left
        }
        ending = sorted(name for name in left if name.endswith("-same"))
        assert list(await store.tasks_named("-same", limit=2_000)) == ending
    async with opened(tmp_path):
        pass  # opening enters what is not in the index of tails yet
    assert indexed(tmp_path / "books.db") == len(left)


async def test_numbers_and_tails_go_on_after_everything_that_can_go_has_gone(
    tmp_path: Path,
) -> None:
    seen: list[int] = []
    for life in range(4):
        async with opened(tmp_path) as store:
            await ended(store, [f"task-{life}-{n}" for n in range(5)])
            page = await store.events_after(EventQuery(after=seen[-1] if seen else 0))
            seen += [told.event.seq for told in page.events]
            await pruned(store)
            assert len(await listed(store)) == 1
            assert await store.last_event() == seen[-1]
    assert seen == list(range(1, 4 * 5 * 3 + 1))
    db = Database(tmp_path / "books.db")
    assert db["tails"].count <= 5, "those of the last tasks are entered at the next opening"
    assert db["sums"].count == 1
    db.close()


class Gate:
    """Holds the writer, so that what is handed in meanwhile becomes one group."""

    def __init__(self, store: SqliteStore) -> None:
        self._begun, self._open = threading.Event(), threading.Event()
        self._job = store._writer.submit(self._wait)

    def _wait(self, rows: WorkingSet) -> None:
        self._begun.set()
        assert self._open.wait(20)

    async def __aenter__(self) -> None:
        await asyncio.to_thread(self._begun.wait)

    async def __aexit__(self, *error: object) -> None:
        self._open.set()
        await self._job


def removing(*task_ids: str) -> Callable[[WorkingSet], int]:
    return lambda rows: rows.prune_tasks(task_ids, EVER)


def removing_threads(*ids: str) -> Callable[[WorkingSet], int]:
    return lambda rows: rows.prune_threads(ids, EVER)


@pytest.mark.parametrize("update_first", [True, False])
async def test_a_task_that_is_taken_up_again_in_the_same_commit_stays_whole(
    tmp_path: Path, update_first: bool
) -> None:
    async with opened(tmp_path) as store:
        await ended(store, ["old", "other"])
        await begun(store, "newest")
        async with Gate(store):
            jobs: list[Callable[[], asyncio.Future[Any]]] = [
                lambda: store.admit(start(50, "old")),
                lambda: store._writer.submit(removing("old", "other")),
            ]
            handed_in = [job() for job in (jobs if update_first else jobs[::-1])]
        update, gone = handed_in if update_first else handed_in[::-1]
        assert await gone == 1
        await store.apply([accepted(await update, "r2", 51, thread_id="old")])
        record = await store.task("old")
        assert record is not None and [run.run_id for run in record.runs] == ["r", "r2"]
        assert await store.task("other") is None


async def test_a_child_that_is_started_in_the_same_commit_keeps_its_parent(
    tmp_path: Path,
) -> None:
    async with opened(tmp_path) as store:
        await ended(store, ["mother"])
        await begun(store, "newest")
        async with Gate(store):
            child = store.admit(start(50, "child", header_session="mother"))
            gone = store._writer.submit(removing("mother"))
        assert await gone == 0
        assert (await child).depth == 1
        assert await store.task("mother") is not None


async def test_a_thread_that_is_made_anew_in_the_same_commit_stays(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        thread = Thread(thread_id="t", upstream="up", created_at=at(1), supervisor="ann")
        await store.apply([ThreadCreated(thread=thread)])
        async with Gate(store):
            made = store.apply([ThreadCreated(thread=thread)])
            gone = store._writer.submit(removing_threads("t"))
        await made
        assert await gone == 0
        assert await store.thread("t") == thread


async def test_what_fails_half_way_is_as_if_it_had_not_begun(tmp_path: Path) -> None:
    async with opened(tmp_path) as store:
        await ended(store, ["old"])
        await begun(store, "newest")

        def work(rows: WorkingSet) -> int:
            assert rows.prune_tasks(["old"], EVER) == 1
            raise ValueError("broken off")

        with pytest.raises(Exception, match="does not take this"):
            await store._writer.submit(work)
        assert await store.task("old") is not None
        assert list(await store.sums()) == []
        assert await store.prune(EVER, limit=10) == 1
        assert [one.tasks for one in await store.sums()] == [1]


async def test_two_processes_may_prune_at_once_and_count_each_task_once(tmp_path: Path) -> None:
    async with opened(tmp_path) as here, opened(tmp_path) as there:
        await ended(here, [f"t{n}" for n in range(60)])
        await begun(here, "newest")

        async def prune(store: Store) -> int:
            removed = 0
            while some := await store.prune(EVER, limit=7):
                removed += some
            return removed

        assert sum(await asyncio.gather(prune(here), prune(there))) == 60
        assert [one.tasks for one in await here.sums()] == [60]
        assert await listed(there) == ["newest"]
