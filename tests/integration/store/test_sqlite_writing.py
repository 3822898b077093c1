"""Writing: commits in groups, a bounded queue, locks of others, and crashes."""

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from tests.integration.store.others import other
from tests.support.books import accepted, at, start
from tests.support.stores import END_OF_TIME, listed

from subagent_sidecar.core.model import Intent, TaskQuery, Thread
from subagent_sidecar.errors import StoreBusy, StoreRejected, StoreUnavailable
from subagent_sidecar.store.connections import connect_writer
from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.kept import Kept
from subagent_sidecar.store.sqlite import SqliteStore
from subagent_sidecar.store.working_set import WorkingSet
from subagent_sidecar.store.writer import Writer


@asynccontextmanager
async def writing(connect: Callable[[], Database], *, limit: int = 10_000) -> AsyncIterator[Writer]:
    writer = Writer(connect, limit=limit)
    await writer.open()
    try:
        yield writer
    finally:
        await writer.aclose()


def put(thread_id: str) -> Callable[[WorkingSet], str]:
    thread = Thread(thread_id=thread_id, upstream="up", created_at=at(0), supervisor="ann")

    def work(rows: WorkingSet) -> str:
        rows.put_thread(thread)
        return thread_id

    return work


def note(notes: list[int], number: int) -> Callable[[object], None]:
    return lambda _: notes.append(number)


def fail(rows: WorkingSet) -> None:
    raise KeyError("a bug")


def threads_in(path: Path) -> list[str]:
    with closing(sqlite3.connect(str(path))) as conn:
        return [row[0] for row in conn.execute("SELECT thread_id FROM threads ORDER BY 1")]


class Gate:
    """A job that holds the writer until it is let through, so that others queue up behind it."""

    def __init__(self) -> None:
        self._open = threading.Event()

    def job(self, rows: WorkingSet) -> None:
        assert self._open.wait(20)

    def open(self) -> None:
        self._open.set()


async def test_what_queued_up_during_a_commit_shares_the_next(tmp_path: Path) -> None:
    statements: Counter[str] = Counter()

    def connect() -> Database:
        db = connect_writer(tmp_path / "books.db")
        db.conn.set_trace_callback(lambda sql: statements.update([sql.split()[0]]))
        return db

    async with writing(connect) as writer:
        gate = Gate()
        first = writer.submit(gate.job)
        rest = [writer.submit(put(f"t{n:03}")) for n in range(200)]
        gate.open()
        await first
        assert await asyncio.gather(*rest) == [f"t{n:03}" for n in range(200)]
    assert threads_in(tmp_path / "books.db") == [f"t{n:03}" for n in range(200)]
    assert statements["COMMIT"] <= 2


async def test_jobs_run_and_are_answered_in_their_order(tmp_path: Path) -> None:
    ran: list[int] = []
    answered: list[int] = []
    async with writing(lambda: connect_writer(tmp_path / "books.db")) as writer:
        jobs = [writer.submit(note(ran, n)) for n in range(1_000)]
        for n, job in enumerate(jobs):
            job.add_done_callback(note(answered, n))
        await asyncio.gather(*jobs)
    assert ran == answered == list(range(1_000))


async def test_a_job_that_fails_fails_alone(tmp_path: Path) -> None:
    async with writing(lambda: connect_writer(tmp_path / "books.db")) as writer:
        gate = Gate()
        first = writer.submit(gate.job)
        good, bad = writer.submit(put("a")), writer.submit(fail)
        last = writer.submit(put("b"))
        gate.open()
        await first
        with pytest.raises(StoreRejected, match="KeyError"):
            await bad
        assert (await good, await last) == ("a", "b")
    assert threads_in(tmp_path / "books.db") == ["a", "b"]


async def test_a_caller_that_stops_waiting_stops_nothing(tmp_path: Path) -> None:
    async with writing(lambda: connect_writer(tmp_path / "books.db")) as writer:
        gate = Gate()
        first = writer.submit(gate.job)
        left = writer.submit(put("a"))
        left.cancel()
        gate.open()
        await first
        await writer.submit(put("b"))
    assert threads_in(tmp_path / "books.db") == ["a", "b"]


# failures.md 7
async def test_past_its_bound_the_queue_refuses_at_once(tmp_path: Path) -> None:
    async with writing(lambda: connect_writer(tmp_path / "books.db"), limit=3) as writer:
        gate = Gate()
        jobs: list[asyncio.Future[Any]] = [writer.submit(gate.job)]
        jobs += [writer.submit(put(thread_id)) for thread_id in ("a", "b")]
        with pytest.raises(StoreBusy, match="3 writes are waiting") as error:
            jobs.append(writer.submit(put("c")))
        assert (error.value.status, error.value.retry_after_s) == (503, 1.0)
        gate.open()
        await asyncio.gather(*jobs)
        assert writer.waiting == 0
        await writer.submit(put("d"))
    assert threads_in(tmp_path / "books.db") == ["a", "b", "d"]


async def make_start(store: SqliteStore, name: str) -> None:
    intent = await store.admit(start(1, name, intent_id=name))
    await store.apply([accepted(intent, f"run of {name}", 2, thread_id=name)])


# failures.md 7
async def test_while_another_process_holds_the_file_reads_go_on_and_starts_wait(
    tmp_path: Path,
) -> None:
    path = tmp_path / "books.db"
    store = await SqliteStore.open(path, queue_limit=60)
    await make_start(store, "before")
    async with other("hold", path) as holder:
        assert await holder.says() == "held"
        admitted: list[asyncio.Future[Intent]] = []
        refused = 0
        for number in range(100):
            try:
                admitted.append(store.admit(start(number, f"t{number}")))
            except StoreBusy:
                refused += 1
        for _ in range(50):  # and none of them waits for the lock
            assert await listed(store) == ["before"]
            assert await store.thread("before") is None
        assert (len(admitted), refused) == (60, 40)
        assert not any(future.done() for future in admitted)
        holder.go()
        intents = await asyncio.gather(*admitted)
        assert await holder.ended() == 0
    on_record = await store.open_intents(before=END_OF_TIME)
    assert sorted(i.intent_id for i in on_record) == sorted(i.intent_id for i in intents)
    assert len(on_record) == 60
    await store.aclose()


async def test_a_lock_that_stays_is_waited_for_once_and_not_by_each(tmp_path: Path) -> None:
    path = tmp_path / "books.db"

    def connect() -> Database:
        db = connect_writer(path)
        db.execute("PRAGMA busy_timeout = 100")
        return db

    async with writing(connect) as writer, other("hold", path) as holder:
        assert await holder.says() == "held"
        jobs = [writer.submit(put(f"t{n}")) for n in range(300)]
        async with asyncio.timeout(20):  # one by one it would be half a minute
            results = await asyncio.gather(*jobs, return_exceptions=True)
        assert {type(result) for result in results} == {StoreUnavailable}
        holder.go()
        await holder.ended()
        assert await writer.submit(put("after")) == "after"
    assert threads_in(path) == ["after"]


async def test_processes_share_one_file_without_losing_a_start(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    store = await SqliteStore.open(path)
    async with other("start", path, "100") as one, other("start", path, "100") as two:
        for process in (one, two):
            assert await process.says() == "ready"
            process.go()
        await asyncio.gather(*(make_start(store, f"mine-{n}") for n in range(100)))
        assert (await one.ended(), await two.ended()) == (0, 0)
    found = await listed(store, TaskQuery(limit=500))
    assert len(found) == len(set(found)) == 300
    await store.aclose()


async def test_a_task_that_was_not_there_is_found_once_another_process_has_made_it(
    tmp_path: Path,
) -> None:
    path = tmp_path / "books.db"
    ours, theirs = await SqliteStore.open(path), await SqliteStore.open(path)
    intent = await ours.admit(start(0, "t"))  # looked for, and not there
    other_intent = await theirs.admit(start(1, "t"))
    await theirs.apply([accepted(other_intent, "theirs", 2, thread_id="t")])
    await ours.apply([accepted(intent, "ours", 3, thread_id="t")])
    record = await ours.task("t")
    assert record is not None
    assert [run.run_id for run in record.runs] == ["ours", "theirs"]
    await ours.aclose()
    await theirs.aclose()


def test_what_was_not_there_is_forgotten_when_others_write_or_a_transaction_fails() -> None:
    kept = Kept()
    forgetting: list[Callable[[], None]] = [partial(kept.true_of, 2), kept.forget]
    for forget in forgetting:
        kept.true_of(1)
        kept.absent.add("t")
        kept.true_of(1)
        assert kept.absent == {"t"}
        forget()
        assert not kept.absent


def test_what_was_not_there_is_kept_in_bounds() -> None:
    kept = Kept()
    kept.true_of(1)
    kept.absent.update(map(str, range(5_000)))
    kept.true_of(1)
    assert not kept.absent


# failures.md 6: what was acknowledged survives a SIGKILL at any moment.
@pytest.mark.parametrize("count", [1, 7, 40])
async def test_what_was_acknowledged_survives_a_kill(tmp_path: Path, count: int) -> None:
    path = tmp_path / "books.db"
    async with other("endless", path) as process:
        acknowledged = [await process.says() for _ in range(count)]
        acknowledged += await process.kill()
    store = await SqliteStore.open(path)
    on_record = set(await listed(store, TaskQuery(limit=500)))
    assert set(acknowledged) <= on_record
    assert len(on_record) <= len(acknowledged) + 1
    for task_id in acknowledged:
        record = await store.task(task_id)
        assert record is not None
        assert record.task.run_id == f"run of {task_id}"
    await store.aclose()
