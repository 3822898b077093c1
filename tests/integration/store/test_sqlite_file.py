"""The SQLite file itself: its schema, how it is opened, and what a bad one says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database
from tests.integration.store.others import other
from tests.support.books import accepted, at, start
from tests.support.stores import listed

from subagent_sidecar.core.changes import RunSeen, UsageSeen
from subagent_sidecar.core.model import RunStatus, TaskQuery, UsageEntry
from subagent_sidecar.errors import StoreCorrupt, StoreRejected, StoreUnavailable
from subagent_sidecar.store.connections import connect_writer
from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.migrations import migrations
from subagent_sidecar.store.rows import INTENTS, RUNS, TASKS, THREADS
from subagent_sidecar.store.sqlite import SqliteStore
from subagent_sidecar.store.table import Table


def same(value: object) -> object:
    return value


@asynccontextmanager
async def opened(path: Path) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path)
    try:
        yield store
    finally:
        await store.aclose()


async def fill(path: Path, count: int) -> None:
    async with opened(path) as store:
        for number in range(count):
            intent = await store.admit(start(number, f"t{number}", purpose="x" * 200))
            await store.apply([accepted(intent, f"r{number}", number, thread_id=f"t{number}")])


def files_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def schema(conn: sqlite3.Connection) -> list[Any]:
    rows = conn.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
    return list(rows)


def schema_of(path: Path) -> list[Any]:
    conn = sqlite3.connect(str(path))
    try:
        return schema(conn)
    finally:
        conn.close()


async def test_the_schema_of_a_file_is_what_the_migrations_make(tmp_path: Path) -> None:
    fresh = Database(memory=True)
    migrations.apply(fresh)
    await fill(tmp_path / "books.db", 1)
    assert schema_of(tmp_path / "books.db") == schema(fresh.conn)
    fresh.conn.close()


async def test_opening_an_existing_file_changes_neither_schema_nor_books(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    await fill(path, 3)
    before = schema_of(path)
    async with opened(path) as store:
        assert await listed(store) == ["t2", "t1", "t0"]
    assert schema_of(path) == before


@pytest.mark.parametrize(("made_with", "pages"), [(None, 8_192), (4_096, 4_096)])
async def test_a_file_keeps_the_size_of_its_pages(
    tmp_path: Path, made_with: int | None, pages: int
) -> None:
    path = tmp_path / "books.db"
    if made_with is not None:  # as versions before this one did
        with closing(sqlite3.connect(str(path))) as conn:
            conn.execute(f"PRAGMA page_size = {made_with}")
            conn.execute("PRAGMA journal_mode = WAL").fetchone()
            conn.execute("VACUUM")
    await fill(path, 3)
    async with opened(path) as store:
        assert await listed(store) == ["t2", "t1", "t0"]
    with closing(connect_writer(path).conn) as conn:
        assert conn.execute("PRAGMA page_size").fetchone() == (pages,)
        limit = conn.execute("PRAGMA wal_autocheckpoint").fetchone()[0]
        assert limit * pages == 16 * 1024 * 1024


@pytest.mark.parametrize("table", [THREADS, TASKS, RUNS, INTENTS], ids=lambda table: table.name)
def test_every_field_of_a_record_has_its_column(table: Table[Any]) -> None:
    db = Database(memory=True)
    migrations.apply(db)
    columns = {column.name for column in db[table.name].columns}
    assert columns == {field.name for field in fields(table.cls)}
    assert table.frozen < columns
    db.conn.close()


@pytest.mark.parametrize("table", [TASKS, RUNS, INTENTS], ids=lambda table: table.name)
def test_a_column_that_new_rows_leave_out_has_what_they_have_there(table: Table[Any]) -> None:
    db = Database(memory=True)
    migrations.apply(db)
    made = {c.name: None if c.default_value is None else int(c.default_value)
            for c in db[table.name].columns}  # fmt: skip
    left_out = {name: table.writers.get(name, same)(value) for name, value in table.rare.items()}
    assert left_out == {name: made[name] for name in table.rare}
    db.conn.close()


async def test_processes_that_open_a_new_file_together_all_get_it(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    async with other("start", path, "20") as one, other("start", path, "20") as two:
        assert (await one.says(), await two.says()) == ("ready", "ready")
        one.go()
        two.go()
        assert (await one.ended(), await two.ended()) == (0, 0)
    async with opened(path) as store:
        assert len(await listed(store)) == 40
        assert list(await store.open_intents(before=at(99))) == []


async def test_what_was_used_before_it_was_added_up_is_added_up_when_it_is_opened(
    tmp_path: Path,
) -> None:
    path = tmp_path / "books.db"
    await fill(path, 3)
    entry = UsageEntry(
        task_id="t0",
        message_id="m",
        run_id="r0",
        at=at(1),
        model="a-model",
        input_tokens=5,
        output_tokens=7,
        cost_micro_usd=None,
    )
    async with opened(path) as store:
        await store.apply([UsageSeen(thread_id="t0", run_id="r0", entries=(entry,))])
        gone = RunSeen(thread_id="t0", run_id="r0", status=RunStatus.SUCCESS, at=at(2))
        await store.apply([gone])
        await store.prune(at(3), limit=10)
        entry = replace(entry, task_id="t1", run_id="r1", cost_micro_usd=3)
        await store.apply([UsageSeen(thread_id="t1", run_id="r1", entries=(entry,))])
        before = await store.used()
    assert [(one.messages, one.unpriced, one.cost_micro_usd) for one in before] == [(2, 1, 3)]
    db = Database(str(path))
    db.execute("DROP TABLE used")
    db.execute("DELETE FROM _sqlite_migrations WHERE name = '0009_used'")
    db.conn.commit()
    db.conn.close()
    async with opened(path) as store:
        assert await store.used() == before


def test_an_acknowledged_write_is_one_that_was_synced(tmp_path: Path) -> None:
    db = connect_writer(tmp_path / "books.db")
    asked = {name: db.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode",
             "synchronous")}  # fmt: skip
    db.conn.close()
    assert asked == {"journal_mode": "wal", "synchronous": 2}  # 2 is FULL


async def test_the_books_say_which_sqlite_keeps_them(tmp_path: Path) -> None:
    async with opened(tmp_path / "books.db") as store:
        assert await store.check() == f"SQLite {sqlite3.sqlite_version} at {tmp_path}/books.db"


async def test_a_closed_store_leaves_one_whole_file(tmp_path: Path) -> None:
    await fill(tmp_path / "books.db", 3)
    async with opened(tmp_path / "books.db") as store:
        await listed(store)  # with readers open
    assert files_in(tmp_path) == ["books.db"]


ODD_PATHS = ["with space.db", "what?mode=memory#x.db", "100%41.db", "büche\u0308r.db", "a'b\".db"]


@pytest.mark.parametrize("name", ODD_PATHS)
async def test_any_file_name_will_do(tmp_path: Path, name: str) -> None:
    await fill(tmp_path / name, 2)
    async with opened(tmp_path / name) as store:
        assert await listed(store) == ["t1", "t0"]
    assert files_in(tmp_path) == [name]


async def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    path = tmp_path / "missing" / "books.db"
    with pytest.raises(StoreUnavailable, match="unable to open") as error:
        await SqliteStore.open(path)
    assert str(path) in error.value.message


async def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable) as error:
        await SqliteStore.open(tmp_path)
    assert str(tmp_path) in error.value.message


@pytest.mark.parametrize("content", [b"SQLite format 4\0" + b"\1" * 5_000, b"hello\n" * 1_000])
async def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "books.db"
    path.write_bytes(content)
    with pytest.raises(StoreCorrupt, match=r"damaged: file is not a database") as error:
        await SqliteStore.open(path)
    assert str(path) in error.value.message
    assert path.read_bytes() == content


async def test_a_damaged_schema_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    await fill(path, 3)
    whole = path.read_bytes()
    path.write_bytes(whole[:100] + b"\xff" * 3_996 + whole[4_096:])  # all but the file header
    with pytest.raises(StoreCorrupt, match="damaged") as error:
        await SqliteStore.open(path)
    assert str(path) in error.value.message


async def test_damage_found_later_is_said(tmp_path: Path) -> None:
    path = tmp_path / "books.db"
    await fill(path, 200)
    whole = bytearray(path.read_bytes())
    page = whole[16] * 256 + whole[17]
    for number in range(40, len(whole) // page):  # behind the schema and the roots
        whole[number * page : number * page + 64] = b"\xff" * 64
    path.write_bytes(whole)
    async with opened(path) as store:
        with pytest.raises(StoreCorrupt, match="damaged"):
            await store.tasks(TaskQuery(limit=500))


async def test_text_no_database_can_hold_fails_alone(tmp_path: Path) -> None:
    async with opened(tmp_path / "books.db") as store:
        intents = [
            store.admit(start(1, "before")),
            store.admit(start(2, "t", purpose="\ud800")),
            store.admit(start(3, "after")),
        ]
        with pytest.raises(StoreRejected, match="UnicodeEncodeError"):
            await intents[1]
        assert [(await intents[n]).thread_id for n in (0, 2)] == ["before", "after"]
        with pytest.raises(StoreRejected):
            await store.task("\ud800")
