"""The SQLite that sqlite-utils uses: pysqlite3's newer one where its wheel is installed.

SQLite before 3.51.3 has a bug that can corrupt a WAL database when it is reset, and Pythons ship
older ones.

Whatever opens a sidecar's file in the sidecar's own process must do it with this one, the tests
too. POSIX locks do not hold within a process: a second SQLite library takes the file for its own
and truncates the shared memory that the first one has mapped, whose readers then die of SIGBUS.
"""

from sqlite_utils.utils import sqlite3 as sqlite3  # type: ignore[attr-defined]

_SOUND = (3, 51, 3)

# The driver looks for a way to adapt every None it binds, and fails at it with two exceptions:
# a quarter of what writing a row costs.
sqlite3.register_adapter(type(None), lambda nothing: nothing)


def version() -> str:
    """The SQLite in use, and what is wrong with it if it is an old one."""
    text = f"SQLite {sqlite3.sqlite_version}"
    if sqlite3.sqlite_version_info < _SOUND:
        text += (
            " (older than 3.51.3, which mended a rare corruption of WAL databases: install the "
            "pysqlite3 package, whose wheels bring a newer one)"
        )
    return text
