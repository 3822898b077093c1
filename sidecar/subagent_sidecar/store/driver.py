"""The SQLite that sqlite-utils uses: pysqlite3's newer one where its wheel is installed.

SQLite before 3.51.3 has a bug that can corrupt a WAL database when it is reset, and Pythons ship
older ones.
"""

from sqlite_utils.utils import sqlite3 as sqlite3  # type: ignore[attr-defined]
