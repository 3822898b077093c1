"""Closing the file while it is being read, by one who does not wait for it."""

import asyncio
import threading
from pathlib import Path

import pytest
from tests.support.waiting import eventually

from subagent_sidecar.errors import StoreError
from subagent_sidecar.store.driver import sqlite3
from subagent_sidecar.store.sqlite import SqliteStore
from subagent_sidecar.store.sqlite_reading import Readers


class SlowRead:
    """A read that stays in the middle of its rows until it may go on."""

    def __init__(self) -> None:
        self.begun, self._may_go_on = threading.Event(), threading.Event()
        self.conn: sqlite3.Connection | None = None

    def __call__(self, conn: sqlite3.Connection) -> int:
        self.conn = conn
        rows = conn.execute("SELECT 1 UNION SELECT 2 UNION SELECT 3")
        found = len(rows.fetchmany(1))
        self.begun.set()
        assert self._may_go_on.wait(30)
        return found + len(rows.fetchall())

    def go_on(self) -> None:
        self._may_go_on.set()

    @property
    def closed(self) -> bool:
        """Not to be asked while another thread may be closing it."""
        try:
            assert self.conn is not None
            self.conn.execute("SELECT 1")
        except sqlite3.ProgrammingError:
            return True
        return False


async def test_a_reader_is_closed_after_its_read_though_nobody_waits_for_it(
    tmp_path: Path,
) -> None:
    store = await SqliteStore.open(tmp_path / "books.db")
    readers, work = Readers(tmp_path / "books.db", lambda _: None), SlowRead()
    reading = asyncio.ensure_future(readers.read(work))
    await eventually(work.begun.is_set)
    for _ in range(2):
        closing = asyncio.ensure_future(readers.aclose())
        await asyncio.sleep(0)  # it asks
        closing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await closing
    with pytest.raises(StoreError, match="closed"):
        await readers.read(lambda conn: None)
    work.go_on()
    assert await reading == 3
    await eventually(lambda: not readers._connections)
    await readers.aclose()
    assert work.closed
    await store.aclose()


async def test_a_close_that_is_cancelled_ends_the_writer_all_the_same(tmp_path: Path) -> None:
    store, work = await SqliteStore.open(tmp_path / "books.db"), SlowRead()
    reading = asyncio.ensure_future(store._read(work))
    await eventually(work.begun.is_set)
    closing = asyncio.ensure_future(store.aclose())
    await asyncio.sleep(0)
    closing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await closing
    with pytest.raises(StoreError, match="closed"):
        await store.prune_replies("2026", limit=1)
    work.go_on()
    assert await reading == 3
    await store.aclose()
    assert work.closed
