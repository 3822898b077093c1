"""Reading events from SQLite, across tasks and in the order in which they were committed.

Numbers are given out inside write transactions, and SQLite has one of those at a time, whatever
the number of processes on the file: whoever sees an event sees all that have a lower number, now
or never. So a reader that goes on after the last number it saw misses nothing.

Filters that no index helps look at a bounded stretch of the record in one read, so that a reader
of rare events never keeps the others waiting.
"""

from collections.abc import Callable
from typing import Any

from ..core.feed import EventPage, EventQuery, ToldEvent
from .driver import sqlite3
from .rows import EVENT_COLUMNS, read_event

_STRETCH = 10_000
"""Events looked at in one read, where the filters are not for one task."""

_COLUMNS = ", ".join(f"events.{column}" for column in EVENT_COLUMNS.split(", "))


def _whose(column: str, word: str) -> str:
    """As core.feed.told has it."""
    return (
        f"CASE WHEN tasks.task_id IS NOT NULL THEN tasks.{column} "
        f"ELSE coalesce(json_extract(events.detail, '$.{word}'), "
        f"CASE json_extract(events.detail, '$.scope') WHEN '{word}' "
        "THEN json_extract(events.detail, '$.scope_id') END) END"
    )


_AGENT = _whose("agent_name", "agent")
_SESSION = _whose("session_id", "session")
_UPSTREAM = _whose("upstream", "upstream")
_SELECT = f"SELECT {_COLUMNS}, {_AGENT}, {_SESSION}, {_UPSTREAM} FROM events"
_TASKS = "LEFT JOIN tasks ON tasks.task_id = events.task_id"
_LAST = "SELECT coalesce(max(seq), 0) FROM events"
_NEXT = "SELECT min(seq) FROM events WHERE seq > ?"
_PREVIOUS = "SELECT max(seq) FROM events WHERE seq < ?"
_PRUNED = "SELECT value FROM progress WHERE name = 'pruned'"
_AT = "SELECT seq, at FROM events WHERE seq >= ? ORDER BY seq LIMIT 1"


def last_event(conn: sqlite3.Connection) -> int:
    """The number of the newest event, 0 where there is none."""
    return int(conn.execute(_LAST).fetchone()[0])


def events_after(conn: sqlite3.Connection, query: EventQuery) -> EventPage:
    """See ports.Store."""
    pruned = conn.execute(_PRUNED).fetchone()[0]
    last = last_event(conn)  # first: what comes meanwhile is not passed over
    begin = conn.execute(_NEXT, (query.after,)).fetchone()[0]
    if begin is None or begin > last:
        return EventPage(events=(), upto=query.after, last=last, pruned=pruned)
    upto = min(begin + _STRETCH - 1, last) if query.sparse else last
    events = _between(conn, query, begin, upto, "ASC", query.limit)
    if len(events) == query.limit:
        upto = events[-1].event.seq
    return EventPage(events=tuple(events), upto=upto, last=last, pruned=pruned)


def events_before(
    query: EventQuery, before: int, limit: int
) -> Callable[[sqlite3.Connection], tuple[list[ToldEvent], int]]:
    """Reads at most `limit` of the newest events below `before`, newest first, and the number
    down to which the record was looked at, 0 at its beginning."""

    def read(conn: sqlite3.Connection) -> tuple[list[ToldEvent], int]:
        end = conn.execute(_PREVIOUS, (before,)).fetchone()[0]
        if end is None:
            return [], 0
        begin = max(end - _STRETCH + 1, 1) if query.sparse else 1
        return _between(conn, query, begin, end, "DESC", limit), 0 if begin == 1 else begin

    return read


def _between(
    conn: sqlite3.Connection, query: EventQuery, begin: int, end: int, order: str, limit: int
) -> list[ToldEvent]:
    """Events that fit, their numbers from `begin` to `end`."""
    index = "INDEXED BY events_of_task" if query.task_id is not None else "NOT INDEXED"
    where, values = _where(query)
    rows = conn.execute(
        f"{_SELECT} {index} {_TASKS} WHERE events.seq BETWEEN ? AND ? {where} "
        f"ORDER BY events.seq {order} LIMIT ?",
        [begin, end, *values, limit],
    )
    return [_told(row) for row in rows.fetchall()]


def _where(query: EventQuery) -> tuple[str, list[Any]]:
    columns = {
        "events.task_id": query.task_id,
        _SESSION: query.session_id,
        _UPSTREAM: query.upstream,
        _AGENT: query.agent_name,
    }
    wanted = {column: value for column, value in columns.items() if value is not None}
    clauses, values = [f"AND {column} = ?" for column in wanted], list(wanted.values())
    if query.kinds:
        clauses.append(f"AND events.kind IN ({', '.join('?' * len(query.kinds))})")
        values += sorted(query.kinds)
    return " ".join(clauses), values


def _told(row: tuple[Any, ...]) -> ToldEvent:
    *event, agent_name, session_id, upstream = row
    return ToldEvent(
        event=read_event(tuple(event)),
        agent_name=agent_name,
        session_id=session_id,
        upstream=upstream,
    )


def position_at(conn: sqlite3.Connection, moment: str) -> int:
    """The number after which the events of `moment` and later come. Found by halving, for times
    grow with the numbers, but where a wall clock was set back."""
    low, high = 0, last_event(conn)
    while low < high:
        middle = (low + high + 1) // 2
        seq, at = conn.execute(_AT, (middle,)).fetchone()
        if at < moment:
            low = seq
        else:
            high = middle - 1
    return low
