"""Reading back from SQLite what was started, and what spoke against starts."""

from collections.abc import Sequence
from typing import Any

from ..core.matching import Call
from ..core.past import (
    DecisionPage,
    DecisionQuery,
    PastStart,
    StartPage,
    StartQuery,
    left_at,
    surely_before,
)
from .decision_rows import DECISION_COLUMNS, read_decision
from .driver import sqlite3
from .whole import whole_from

_STRETCH = 20_000
"""Decisions looked at in one read, so that a reader of rare ones never keeps others waiting."""

# Along the index of tasks by age, each with its runs: only those of one task are sorted.
STARTS = """
    SELECT coalesce(r.agent_name, t.agent_name), t.upstream, t.supervisor, t.session_id, t.depth,
        t.task_id, coalesce(t.tree_id, t.task_id), r.fingerprint, r.kind = 'update', r.run_id,
        r.created_at, t.created_at, r.request_id, t.parent_task_id, r.started_at, r.ended_at,
        t.ended_at,
        t.run_id IS r.run_id, r.cancel_unconfirmed_at NOTNULL, r.tokens, r.cost_micro_usd,
        r.unpriced, r.settled
    FROM tasks t INDEXED BY tasks_newest CROSS JOIN runs r ON r.task_id = t.task_id
    WHERE (t.created_at, t.task_id) >= (:at, :task) AND (t.task_id <> :task OR r.run_id > :run)
        AND (:since IS NULL OR t.ended_at IS NULL OR t.ended_at >= :since
            OR t.task_id IN (SELECT task_id FROM runs WHERE cancel_unconfirmed_at NOTNULL))
    ORDER BY t.created_at, t.task_id, r.run_id LIMIT :limit
"""

_LAST = "SELECT coalesce(max(seq), 0) FROM decisions"
_AT = "SELECT seq, at FROM decisions WHERE seq >= ? ORDER BY seq LIMIT 1"
_AGENT, _SESSION = (
    f"json_extract(call, '$[{Call.__slots__.index(n)}]')" for n in ("agent", "session")
)


def starts(conn: sqlite3.Connection, query: StartQuery) -> StartPage:
    """See ports.Store."""
    at, task_id, run_id = query.after or ("", "", "")
    values = {
        "at": at,
        "task": task_id,
        "run": run_id,
        "since": query.since,
        "limit": query.limit + 1,
    }
    whole = whole_from(conn.execute)  # first: what is pruned meanwhile is missed by few
    found = [_start(row) for row in conn.execute(STARTS, values).fetchall()]
    page = found[: query.limit]
    more = len(found) > len(page)
    return StartPage(
        starts=tuple(page), next_after=page[-1].position if more else None, whole_from=whole
    )


def _start(row: Sequence[Any]) -> PastStart:
    agent, upstream, supervisor, session, depth, task_id, tree_id, fingerprint, update = row[:9]
    run_id, at, task_at, request_id, parent, started_at, ended_at, task_ended_at = row[9:17]
    newest, at_large, tokens, cost, unpriced, settled = row[17:]
    call = Call(
        agent=agent,
        upstream=upstream,
        supervisor=supervisor,
        session=session,
        depth=depth,
        task_id=task_id,
        tree_id=tree_id,
        fingerprint=fingerprint,
        update=bool(update),
    )
    return PastStart(
        call=call,
        run_id=run_id,
        at=at,
        task_at=task_at,
        request_id=request_id,
        parent_task_id=parent,
        started_at=started_at,
        ended_at=ended_at,
        left_at=left_at(ended_at=ended_at, newest=bool(newest), task_ended_at=task_ended_at),
        at_large=bool(at_large),
        tokens=tokens,
        cost_micro_usd=cost,
        unpriced=unpriced,
        settled=bool(settled),
    )


def decisions(
    conn: sqlite3.Connection, query: DecisionQuery, *, stretch: int = _STRETCH
) -> DecisionPage:
    """See ports.Store. Each page looks at a stretch of the record."""
    low, high = 1, _last(conn)
    if query.since is not None:
        low = position_at(conn, surely_before(query.since), high) + 1
    if query.after is not None:
        low, high = (query.after + 1, high) if query.oldest_first else (low, query.after - 1)
    if query.oldest_first:
        begin, end, order = low, min(high, low + stretch - 1), "ASC"
    else:
        begin, end, order = max(low, high - stretch + 1), high, "DESC"
    where, values = _where(query)
    rows = conn.execute(
        f"SELECT {DECISION_COLUMNS} FROM decisions WHERE seq BETWEEN ? AND ? {where} "
        f"ORDER BY seq {order} LIMIT ?",
        [begin, end, *values, query.limit],
    ).fetchall()
    found = tuple(read_decision(row) for row in rows)
    reached = end if query.oldest_first else begin
    if len(found) == query.limit:
        reached = found[-1].seq
    more = reached < high if query.oldest_first else reached > low
    return DecisionPage(decisions=found, next_after=reached if more else None)


def _last(conn: sqlite3.Connection) -> int:
    return int(conn.execute(_LAST).fetchone()[0])


def _where(query: DecisionQuery) -> tuple[str, list[Any]]:
    wanted = {
        "thread_id = ?": query.thread_id,
        f"{_SESSION} = ?": query.session,
        f"{_AGENT} = ?": query.agent,
        "verdict = ?": None if query.verdict is None else query.verdict.value,
        "at >= ?": query.since,
    }
    given = {clause: value for clause, value in wanted.items() if value is not None}
    return " ".join(f"AND {clause}" for clause in given), list(given.values())


def position_at(conn: sqlite3.Connection, moment: str, last: int | None = None) -> int:
    """The number after which the decisions of `moment` and later come, found by halving: times
    grow with the numbers, but where a wall clock was set back."""
    low, high = 0, _last(conn) if last is None else last
    while low < high:
        middle = (low + high + 1) // 2
        seq, at = conn.execute(_AT, (middle,)).fetchone()
        if at < moment:
            low = seq
        else:
            high = middle - 1
    return low
