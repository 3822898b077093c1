"""Connections to the SQLite file: the one that writes, and those that read."""

import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlite_utils import Database

from .driver import sqlite3
from .migrations import migrations

_BUSY_MS = 5_000
_STATEMENTS = 1_024
"""More than there are: each kind comes in every size up to 32 rows."""
_WAL_TRIES = 50
_PAGE = 8_192
"""Bytes, of new files. A commit costs by the page more than by the byte, most of all where an index
grows at its end and three neighbours are balanced: of 4,096 bytes a start writes half as many
again."""
_WAL = 16 * 1024 * 1024
"""Bytes after which what is in the log is copied into the file."""


def connect_writer(path: Path) -> Database:
    conn = sqlite3.connect(
        str(path),
        isolation_level=None,
        timeout=_BUSY_MS / 1000,
        cached_statements=_STATEMENTS,
    )
    try:
        db = Database(conn, recursive_triggers=False, execute_plugins=False)
        _pragma(conn, f"page_size = {_PAGE}")  # a file that is there keeps its own
        _use_wal(conn)
        _pragma(conn, "synchronous = FULL")
        _pragma(conn, "cache_size = -16384")
        _pragma(conn, f"wal_autocheckpoint = {_WAL // _pragma(conn, 'page_size')[0]}")
        conn.execute("BEGIN IMMEDIATE")  # two processes that start together migrate one by one
        migrations.apply(db)
        conn.execute("COMMIT")
    except BaseException:
        conn.close()  # and roll back
        raise
    return db


def _use_wal(conn: sqlite3.Connection) -> None:
    """Switch a new file to WAL. The busy timeout does not hold for this: of two processes that
    do it at once, one is told at once that the file is locked, and has only to try again."""
    for attempt in range(_WAL_TRIES):
        try:
            _pragma(conn, "journal_mode = WAL")
            return
        except sqlite3.OperationalError:
            if attempt == _WAL_TRIES - 1:
                raise
            time.sleep(_BUSY_MS / 1000 / _WAL_TRIES)  # on the writer's own thread


def connect_reader(path: Path) -> sqlite3.Connection:
    uri = f"file:{quote(str(path))}?mode=ro"
    conn = sqlite3.connect(
        uri, uri=True, isolation_level=None, timeout=_BUSY_MS / 1000, check_same_thread=False
    )
    _pragma(conn, "query_only = ON")
    return conn


def _pragma(conn: sqlite3.Connection, text: str) -> Any:
    return conn.execute(f"PRAGMA {text}").fetchone()
