"""What metrics ask of SQLite: added up in SQL, without the interpreter's lock."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import astuple, fields
from typing import Any

from ..core.metrics.record import (
    COUNTED_KINDS,
    FOLDED,
    RULE_KINDS,
    RUN_MOVED,
    WORDS,
    Census,
    Happened,
    Live,
    RunTime,
    Sighting,
    Stretch,
    Used,
    run_time,
)
from ..core.model import TaskStatus
from .driver import sqlite3

Execute = Callable[..., Any]

_LIVE = (
    "SELECT upstream, agent_name, status, count(*), min(last_updated_at) FROM tasks "
    "WHERE ended_at IS NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3"
)
_UNCONFIRMED = (
    "SELECT t.upstream, count(*) FROM runs r JOIN tasks t USING (task_id) "
    "WHERE r.cancel_unconfirmed_at IS NOT NULL GROUP BY 1"
)
_STARTS = "SELECT upstream, count(*) FROM intents WHERE in_doubt IS {} NULL GROUP BY 1"
_FREEZES = "SELECT scope, count(*) FROM freezes GROUP BY 1"


def _listed(kinds: Iterable[str]) -> str:
    return ", ".join(f"'{kind}'" for kind in kinds)


def _detail(key: str, kinds: Iterable[str]) -> str:
    """A word of the detail, looked for where it may be."""
    return f"CASE WHEN e.kind IN ({_listed(kinds)}) THEN json_extract(e.detail, '$.{key}') END"


def _word() -> str:
    cases = (f"WHEN '{kind}' THEN json_extract(e.detail, '$.{key}')" for kind, key in WORDS.items())
    return f"CASE e.kind {' '.join(cases)} END"


_STRETCH = "e.seq > :after AND e.seq <= :upto"
_LAST = "SELECT coalesce(max(seq), 0) FROM events"
_UPTO = (
    "SELECT coalesce(max(seq), 0) FROM (SELECT seq FROM events WHERE seq > ? ORDER BY seq LIMIT ?)"
)
# A follow-up may be another agent's than its task. A start that failed names its agent by itself.
_AGENT = (
    "CASE WHEN e.kind = 'updated' THEN coalesce(r.agent_name, t.agent_name) "
    "WHEN e.kind = 'start_failed' THEN json_extract(e.detail, '$.agent') ELSE t.agent_name END"
)
_COUNT = (
    f"sum(CASE WHEN e.kind = '{FOLDED}' "
    "THEN coalesce(json_extract(e.detail, '$.times'), 1) ELSE 1 END)"
)
# With one max() in it, what is neither grouped nor added up is of the row that has it.
_HAPPENED = f"""
    SELECT e.kind, {_COUNT}, t.upstream, {_AGENT}, CASE WHEN e.kind = 'ended' THEN e.status END,
        {_word()}, {_detail("rule", RULE_KINDS)}, {_detail("policy", RULE_KINDS)},
        max(e.seq), e.at, t.trace_parent, coalesce(t.tree_id, t.task_id)
    FROM events e NOT INDEXED LEFT JOIN tasks t ON t.task_id = e.task_id
    LEFT JOIN runs r ON e.kind = 'updated' AND r.task_id = e.task_id AND r.run_id = e.run_id
    WHERE {_STRETCH} AND e.kind IN ({_listed(COUNTED_KINDS)})
    GROUP BY 1, 3, 4, 5, 6, 7, 8 ORDER BY 1, 3, 4, 5, 6, 7, 8
"""
_TIMES = f"""
    SELECT t.upstream, coalesce(r.agent_name, t.agent_name), r.created_at, r.started_at, r.ended_at,
        e.status, e.at, e.seq, t.trace_parent, coalesce(t.tree_id, t.task_id)
    FROM events e NOT INDEXED
    CROSS JOIN runs r ON r.task_id = e.task_id AND r.run_id = e.run_id
    CROSS JOIN tasks t ON t.task_id = e.task_id
    WHERE {_STRETCH} AND e.kind = '{RUN_MOVED}' ORDER BY e.seq
"""
_COLUMNS = [field.name for field in fields(Used)]
_KEY = ("upstream", "agent_name", "model")
_USED = f"SELECT {', '.join(_COLUMNS)} FROM used ORDER BY {', '.join(_KEY)}"
_ADD_USED = (
    f"INSERT INTO used ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))}) "
    f"ON CONFLICT ({', '.join(_KEY)}) DO UPDATE SET "
    + ", ".join(f"{name} = {name} + excluded.{name}" for name in _COLUMNS if name not in _KEY)
)


def census(conn: sqlite3.Connection) -> Census:
    """See ports.Figures; read at one moment."""
    conn.execute("BEGIN")
    try:
        live = conn.execute(_LIVE).fetchall()
        return Census(
            live=tuple(
                Live(
                    upstream=upstream,
                    agent_name=agent_name,
                    status=TaskStatus(status),
                    tasks=tasks,
                    since=since,
                )
                for upstream, agent_name, status, tasks, since in live
            ),
            unconfirmed=_counts(conn, _UNCONFIRMED),
            under_way=_counts(conn, _STARTS.format("")),
            in_doubt=_counts(conn, _STARTS.format("NOT")),
            freezes=_counts(conn, _FREEZES),
        )
    finally:
        conn.execute("COMMIT")


def _counts(conn: sqlite3.Connection, sql: str) -> Mapping[str, int]:
    return dict(conn.execute(sql).fetchall())


def happened(conn: sqlite3.Connection, after: int, limit: int) -> Stretch:
    """See ports.Figures."""
    last = int(conn.execute(_LAST).fetchone()[0])
    upto = max(after, int(conn.execute(_UPTO, (after, limit)).fetchone()[0]))
    if upto == after:
        return Stretch(upto=after, last=last)
    between = {"after": after, "upto": upto}
    return Stretch(
        upto=upto,
        last=max(last, upto),
        happened=tuple(_happened(row) for row in conn.execute(_HAPPENED, between).fetchall()),
        times=tuple(_times(conn.execute(_TIMES, between))),
    )


def _happened(row: tuple[Any, ...]) -> Happened:
    kind, times, upstream, agent_name, status, word, rule, policy, seq, at, parent, root = row
    return Happened(
        kind=kind,
        times=times,
        upstream=upstream,
        agent_name=agent_name,
        status=status,
        word=word,
        rule=rule,
        policy=policy,
        last=None if root is None else Sighting(seq, at, parent, root),
    )


def _times(rows: Iterable[tuple[Any, ...]]) -> Iterable[RunTime]:
    for upstream, agent_name, created, began, ended, status, at, seq, parent, root in rows:
        found = run_time(
            upstream=upstream,
            agent_name=agent_name,
            created=created,
            began=began,
            ended=ended,
            status=status,
            at=at,
            seen=Sighting(seq, at, parent, root),
        )
        if found is not None:
            yield found


def used(conn: sqlite3.Connection) -> list[Used]:
    """See ports.Figures."""
    return [Used(**dict(zip(_COLUMNS, row, strict=True))) for row in conn.execute(_USED).fetchall()]


def add_used(execute: Execute, more: Iterable[Used]) -> None:
    """Add to what was used so far."""
    for each in more:
        execute(_ADD_USED, astuple(each))
