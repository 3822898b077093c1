"""Who has spent how much of a budget, added up by SQLite: exact, and read in one pass.

The counts that starts are held against (core/tally.py) are kept per scope, for the scopes that
somebody starts in. This is for people who look at all of them.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import chain, groupby
from operator import itemgetter
from typing import Any

from ..core.budgets import most_used
from ..core.facts import microseconds
from ..core.matching import ANYTHING, Call, Scope
from ..core.model import Timestamp, timestamp
from ..core.policy import NOTHING, Budget
from ..core.verdict import Held, Spent
from . import counting
from .driver import sqlite3

_Sums = tuple[int, ...]
"""micro_usd, tokens, run_time, runs, unpriced; then of the first three what is held, by how many
runs, and how many of those are not over."""
_COLUMNS = 14
_HELD = ("micro_usd", "tokens", "run_time")

_SCOPE = {
    Scope.TASK: "t.task_id",
    Scope.SESSION: "t.session_id",
    Scope.SUPERVISOR: "t.supervisor",
    Scope.AGENT: "coalesce(r.agent_name, t.agent_name)",
    Scope.UPSTREAM: "t.upstream",
    Scope.TREE: "coalesce(t.tree_id, t.task_id)",
    Scope.GLOBAL: "'*'",
}
_MATCHED = "coalesce(r.agent_name, t.agent_name), t.upstream, t.supervisor, t.session_id, t.depth"


def _microseconds(column: str) -> str:
    """A time as the books write it, in microseconds since 1970."""
    seconds = f"CAST(strftime('%s', substr({column}, 1, 19)) AS INTEGER)"
    return f"({seconds} * 1000000 + CAST(substr({column}, 21, 6) AS INTEGER))"


_BEGAN, _ENDED = _microseconds("r.started_at"), _microseconds("r.ended_at")
_WORKED = f"max(coalesce({_ENDED} - {_BEGAN}, 0), 0)"
_SUMS = f"""
    sum(CASE WHEN r.settled THEN r.cost_micro_usd ELSE max(r.cost_micro_usd, :usd) END),
    sum(CASE WHEN r.settled THEN r.tokens ELSE max(r.tokens, :tokens) END),
    sum(CASE
        WHEN r.ended_at IS NULL AND r.started_at IS NOT NULL THEN max(:now - {_BEGAN}, :run_time)
        WHEN r.settled THEN {_WORKED}
        ELSE max({_WORKED}, :run_time)
    END),
    count(*),
    sum(r.unpriced > 0)
"""


def _held(left: str) -> str:
    """How much `left` comes to where it is more than nothing, and how often it is."""
    return f"sum(max({left}, 0)), sum(({left}) > 0), sum(({left}) > 0 AND ({counting.UNFINISHED}))"


_TIME_LEFT = f"""CASE
    WHEN r.ended_at IS NULL AND r.started_at IS NOT NULL
    THEN :run_time - max(:now - {_BEGAN}, 0)
    WHEN r.settled THEN 0
    ELSE :run_time - {_WORKED}
END"""
_HOLDING = ", ".join(
    (
        _held("CASE WHEN r.settled THEN 0 ELSE :usd - r.cost_micro_usd END"),
        _held("CASE WHEN r.settled THEN 0 ELSE :tokens - r.tokens END"),
        _held(_TIME_LEFT),
    )
)
_HOLDING_NOTHING = ", ".join("0" * 9)


def spenders(
    conn: sqlite3.Connection, budget: Budget, now: datetime, limit: int
) -> Sequence[tuple[str, Spent]]:
    """See ports.Store.spenders; read at one moment."""
    conn.execute("BEGIN")
    try:
        raises = counting.raises(conn.execute)
        return most_used(
            budget,
            (
                (scope_id, _spent(budget, sums, raises.get((budget.name, scope_id), NOTHING)))
                for scope_id, sums in _all(conn, budget, now)
            ),
            limit,
        )
    finally:
        conn.execute("COMMIT")


def _all(conn: sqlite3.Connection, budget: Budget, now: datetime) -> Iterator[tuple[str, _Sums]]:
    since = None if budget.window is None else timestamp(now - budget.window)
    pending = _on_their_way(conn, budget, since)
    for scope_id, sums in _on_record(conn, budget, since, timestamp(now)):
        yield scope_id, _plus(sums, pending.pop(scope_id, None))
    yield from pending.items()


def _on_record(
    conn: sqlite3.Connection, budget: Budget, since: Timestamp | None, now: Timestamp
) -> Iterator[tuple[str, _Sums]]:
    matched = budget.match is not ANYTHING and budget.match != ANYTHING
    scope = _SCOPE[budget.per]
    columns = f"{scope} AS scope_id" + (f", {_MATCHED}" if matched else "")
    counted = "coalesce(r.counted_at, r.created_at)"
    where = "" if since is None else f" WHERE {counted} >= :since"
    grouped = "scope_id" + (f", {_MATCHED}" if matched else "")
    holding = _HOLDING_NOTHING if budget.reserve == NOTHING else _HOLDING
    sql = (
        f"SELECT {columns}, {_SUMS}, {holding} "
        f"FROM tasks t JOIN runs r ON r.task_id = t.task_id{where} "
        f"GROUP BY {grouped} ORDER BY scope_id"
    )
    usd, tokens, run_time = _reserve(budget)
    values = {"usd": usd, "tokens": tokens, "run_time": run_time, "since": since}
    rows = conn.execute(sql, {**values, "now": microseconds(now)})
    for scope_id, group in groupby(rows, key=itemgetter(0)):
        fitting = [row[-_COLUMNS:] for row in group if not matched or _fits(budget, row)]
        if fitting:
            yield scope_id, tuple(map(sum, zip(*fitting, strict=True)))


def _fits(budget: Budget, row: Sequence[Any]) -> bool:
    agent, upstream, supervisor, session, depth = row[1:6]
    call = Call(agent=agent, upstream=upstream, supervisor=supervisor, session=session, depth=depth)
    return budget.match.fits(call)


def _on_their_way(
    conn: sqlite3.Connection, budget: Budget, since: Timestamp | None
) -> dict[str, _Sums]:
    """Starts that have not arrived: each counts as a run, and the reserve."""
    found: dict[str, _Sums] = {}
    reserve = _reserve(budget)
    holding = chain.from_iterable((least, least > 0, least > 0) for least in reserve)
    each = (*reserve, 1, 0, *holding)
    for facts in counting.on_their_way(conn.execute).values():
        for fact in facts:
            scope_id = fact.call.scope_id(budget.per)
            counts = since is None or fact.at >= since
            if scope_id is not None and counts and budget.match.fits(fact.call):
                found[scope_id] = _plus(each, found.get(scope_id))
    return found


def _reserve(budget: Budget) -> tuple[int, int, int]:
    kept = dict(budget.reserve.said)
    return kept.get("micro_usd", 0), kept.get("tokens", 0), kept.get("run_time", 0)


def _plus(one: _Sums, other: _Sums | None) -> _Sums:
    return one if other is None else tuple(a + b for a, b in zip(one, other, strict=True))


def _spent(budget: Budget, sums: _Sums, raised: Any) -> Spent:
    usd, tokens, run_time, runs, unpriced, *holding = sums
    held = dict(zip(_HELD, map(Held, holding[::3], holding[1::3], holding[2::3]), strict=True))
    return Spent(
        micro_usd=usd,
        tokens=tokens,
        run_time=run_time,
        runs=runs,
        unpriced=unpriced,
        raised=raised,
        reserved=tuple((what, held[what]) for what, _ in budget.reserve.said if held[what].runs),
    )
