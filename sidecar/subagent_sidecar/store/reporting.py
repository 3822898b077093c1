"""What a report asks of SQLite (core/report.py): added up and sorted in SQL, so that what is held
here is as much as is told, however much is on record."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from typing import Any

from ..core.candidates import END
from ..core.decisions import Verdict
from ..core.matching import Call
from ..core.past import surely_before
from ..core.report import (
    MOST_AGENTS,
    MOST_SESSIONS,
    PERCENTS,
    POLLED_OFTEN,
    SUPERSEDED,
    AgentRuns,
    Report,
    ReportQuery,
    SessionPolls,
    Times,
)
from .driver import sqlite3
from .past import position_at
from .whole import whole_from

_MOST_REFUSALS = 2_000
"""Agents and rules that refusals are told apart by, those that refused most."""


def _ms(column: str) -> str:
    """A time as the books write it, in milliseconds since 1970."""
    seconds = f"CAST(strftime('%s', substr({column}, 1, 19)) AS INTEGER)"
    return f"({seconds} * 1000 + CAST(substr({column}, 21, 3) AS INTEGER))"


def _between(begin: str, end: str) -> str:
    """Not below 0, wherever somebody has set a clock."""
    return f"max({_ms(end)} - {_ms(begin)}, 0)"


_COLUMNS = (
    "task_id, upstream, agent_name, session_id, supervisor, created_at, ended_at, polls, "
    "last_checked_at"
)
_MINE = (
    "AND (:upstream IS NULL OR upstream = :upstream) "
    "AND (:session_id IS NULL OR session_id = :session_id)"
)
_OF_TASK = _MINE.replace("upstream =", "t.upstream =").replace("session_id =", "t.session_id =")
# One index for each: all that ended long ago is not looked at.
_TASKS = (
    f"(SELECT {_COLUMNS} FROM tasks WHERE ended_at IS NULL {_MINE} "
    f"UNION ALL SELECT {_COLUMNS} FROM tasks WHERE ended_at >= :since {_MINE}) t"
)
_AGENT = "coalesce(r.agent_name, t.agent_name)"
_CHOSEN_AGENTS = "(SELECT value FROM json_each(:agents))"
_OWN_END = (
    "r.ended_at >= :since AND r.started_at NOTNULL AND r.status IN ('success', 'error', 'timeout')"
)
_BEGAN = "CASE WHEN r.started_at = r.ended_at THEN r.created_at ELSE r.started_at END"


def _ranked(length: str) -> str:
    """Percentiles of a column of `mine`, by agent."""
    percentiles = ", ".join(
        f"max(CASE WHEN place = (n * {p} + 99) / 100 THEN ms END)" for p in PERCENTS
    )
    return f"""
        SELECT '{length}', agent, n, {percentiles}, NULL, NULL, NULL, NULL, NULL FROM (
            SELECT agent, {length} AS ms, row_number() OVER (PARTITION BY agent ORDER BY {length})
                AS place, count(*) OVER (PARTITION BY agent) AS n
            FROM mine WHERE {length} NOTNULL AND agent IN (SELECT agent FROM chosen)
        ) GROUP BY agent
    """


# Runs are gone through once, and what is needed of them is looked at several times.
_OF_RUNS = f"""
    WITH mine AS MATERIALIZED (
        SELECT {_AGENT} AS agent, t.upstream AS upstream,
            CASE WHEN r.ended_at IS NULL THEN 'live' WHEN r.ended_at >= :since THEN r.status END
                AS how,
            CASE WHEN r.status = 'interrupted' THEN coalesce(r.cancel_asked_by,
                CASE WHEN r.superseded_by NOTNULL THEN '{SUPERSEDED}' ELSE 'upstream' END) END
                AS whose,
            r.created_at >= :since AND r.kind <> 'update' AS started,
            r.created_at >= :since AND r.kind = 'update' AS updated,
            r.tokens, r.cost_micro_usd, r.unpriced,
            CASE WHEN {_OWN_END} THEN {_between(_BEGAN, "r.ended_at")} END AS ran,
            CASE WHEN {_OWN_END} AND r.started_at <> r.ended_at
                THEN {_between("r.created_at", "r.started_at")} END AS queued
        FROM {_TASKS} CROSS JOIN runs r ON r.task_id = t.task_id
        WHERE :agent_name IS NULL OR {_AGENT} = :agent_name
    ), chosen AS MATERIALIZED (
        SELECT agent, count(*) AS n, count(*) OVER () AS agents FROM mine
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT :most
    )
    SELECT 'chosen', agent, agents, n, NULL, NULL, NULL, NULL, NULL, NULL, NULL FROM chosen
    UNION ALL
    SELECT 'counted', agent, how, whose, count(*), json_group_array(DISTINCT upstream),
        sum(started), sum(updated), sum(tokens), sum(cost_micro_usd),
        json_array(sum(tokens > 0 OR unpriced > 0), sum(unpriced > 0))
    FROM mine WHERE agent IN (SELECT agent FROM chosen) GROUP BY agent, how, whose
    UNION ALL {_ranked("ran")} UNION ALL {_ranked("queued")}
"""
_REAPED = f"""
    SELECT {_AGENT}, json_extract(e.detail, '$.key'), count(DISTINCT e.seq)
    FROM reaps p CROSS JOIN tasks t ON t.task_id = p.task_id
    CROSS JOIN events e ON e.task_id = p.task_id AND e.run_id = p.run_id AND e.kind = 'reaped'
    LEFT JOIN runs r ON r.task_id = p.task_id AND r.run_id = p.run_id
    WHERE substr(p.what, 1, {len(END)}) = '{END}' AND e.at >= :since
        {_OF_TASK}
        AND {_AGENT} IN {_CHOSEN_AGENTS} GROUP BY 1, 2
"""
_LIFE = _between("t.created_at", "coalesce(t.ended_at, :now)")
_POLLED = f"""
    SELECT t.agent_name, count(*), sum(t.polls), sum({_LIFE}) FROM {_TASKS}
    WHERE t.agent_name IN {_CHOSEN_AGENTS} GROUP BY 1
"""
_SESSIONS = f"""
    SELECT session_id, supervisor, count(*), sum(t.polls) AS polls, sum({_LIFE}) AS life
    FROM {_TASKS} WHERE t.polls >= :often AND (:agent_name IS NULL OR t.agent_name = :agent_name)
    GROUP BY 1, 2 ORDER BY 1.0 * sum(t.polls) / max(sum({_LIFE}), 1000) DESC, 2, 1 LIMIT :most
"""


def _of_call(name: str) -> str:
    return f"json_extract(call, '$[{Call.__slots__.index(name)}]')"


_REFUSED = f"""
    SELECT {_of_call("agent")}, verdict, coalesce(rule, ''), sum(times) FROM decisions
    WHERE seq > :from AND at >= :since
        AND (:agent_name IS NULL OR {_of_call("agent")} = :agent_name)
        AND (:upstream IS NULL OR {_of_call("upstream")} = :upstream)
        AND (:session_id IS NULL OR {_of_call("session")} = :session_id)
    GROUP BY 1, 2, 3 ORDER BY 4 DESC, 1, 2, 3 LIMIT {_MOST_REFUSALS}
"""


def report(conn: sqlite3.Connection, query: ReportQuery) -> Report:
    """See ports.Reports; read at one moment."""
    conn.execute("BEGIN")
    try:
        return _report(conn, query)
    finally:
        conn.execute("COMMIT")


def _report(conn: sqlite3.Connection, query: ReportQuery) -> Report:
    asked = {**asdict(query), "most": MOST_AGENTS}
    runs = _Runs(conn, asked)
    refused, would_refuse = _refusals(conn, asked)
    idle = [agent for agent in {**refused, **would_refuse} if agent not in runs.facts]
    agents = [*runs.chosen, *idle][:MOST_AGENTS]
    asked["agents"] = json.dumps(agents)
    _reaps_and_polls(conn, asked, runs.facts)
    return Report(
        agents=tuple(
            AgentRuns(
                agent_name=agent,
                refused=refused.get(agent, {}),
                would_refuse=would_refuse.get(agent, 0),
                **runs.facts.get(agent, {}),
            )
            for agent in agents
        ),
        left_out=_left_out(runs.agents, len(runs.chosen), len(idle), len(agents)),
        sessions=_sessions(conn, asked),
        whole_from=whole_from(conn.execute),
    )


def _sessions(conn: sqlite3.Connection, asked: Mapping[str, Any]) -> tuple[SessionPolls, ...]:
    rows = conn.execute(_SESSIONS, {**asked, "most": MOST_SESSIONS, "often": POLLED_OFTEN})
    return tuple(
        SessionPolls(
            session_id=session, supervisor=supervisor, tasks=tasks, polls=polls, live_ms=life
        )
        for session, supervisor, tasks, polls, life in rows
    )


def _left_out(with_runs: int, told_of_them: int, refused_only: int, told: int) -> int:
    """Among those left out for their few runs are some that were refused: they count once."""
    more = max(with_runs - told_of_them, 0)
    return max(more, told_of_them + refused_only - told)


def _refusals(
    conn: sqlite3.Connection, asked: Mapping[str, Any]
) -> tuple[dict[str, dict[str, int]], Counter[str]]:
    refused: dict[str, dict[str, int]] = {}
    would_refuse: Counter[str] = Counter()
    begin = position_at(conn, surely_before(asked["since"]))
    for agent, verdict, rule, times in conn.execute(_REFUSED, {**asked, "from": begin}):
        if verdict == Verdict.DENY:
            refused.setdefault(agent, {})[rule] = times
        else:
            would_refuse[agent] += times
    return refused, would_refuse


class _Runs:
    """What runs tell: `chosen` are the agents with the most of them, of `agents` that there are;
    `facts` are the fields of AgentRuns that are known of each."""

    def __init__(self, conn: sqlite3.Connection, asked: Mapping[str, Any]) -> None:
        self.chosen: list[str] = []
        self.agents = 0
        self.facts: dict[str, dict[str, Any]] = {}
        for what, agent, *row in conn.execute(_OF_RUNS, asked):
            fields = self.facts.setdefault(agent, _nothing())
            match what:
                case "chosen":
                    self.chosen.append(agent)
                    self.agents = row[0]
                case "counted":
                    _count(fields, row)
                case _:
                    of, p50, p95, p99 = row[:4]
                    fields[what] = Times(of=of, p50=p50, p95=p95, p99=p99)
        for fields in self.facts.values():
            fields["upstreams"] = tuple(sorted(fields["upstreams"]))


def _reaps_and_polls(
    conn: sqlite3.Connection, asked: Mapping[str, Any], facts: dict[str, dict[str, Any]]
) -> None:
    for agent, key, times in conn.execute(_REAPED, asked):
        facts.setdefault(agent, _nothing())["reaped"][key] = times
    for agent, tasks, polls, life in conn.execute(_POLLED, asked):
        facts.setdefault(agent, _nothing()).update(tasks=tasks, polls=polls, live_ms=life)


def _nothing() -> dict[str, Any]:
    plain = ("runs", "live", "started", "updated", "tokens", "cost_micro_usd", "metered")
    return {
        **dict.fromkeys((*plain, "unpriced"), 0),
        "endings": Counter(),
        "cancelled": Counter(),
        "reaped": {},
        "upstreams": (),
    }


def _count(into: dict[str, Any], row: Iterable[Any]) -> None:
    """Add a group of runs that agree in `how` they ended and by `whose` act; `how` is None where
    they had ended before."""
    how, whose, runs, upstreams, started, updated, tokens, cost, with_usage = row
    metered, unpriced = json.loads(with_usage)
    into["runs"] += runs
    into["started"] += started
    into["updated"] += updated
    into["upstreams"] = {*into["upstreams"], *json.loads(upstreams)}
    if how is None:
        return
    for name, value in (("tokens", tokens), ("cost_micro_usd", cost)):
        into[name] += value
    into["metered"] += metered
    into["unpriced"] += unpriced
    match how:
        case "live":
            into["live"] += runs
        case "interrupted" if whose == SUPERSEDED:
            into["endings"][SUPERSEDED] += runs
        case "interrupted":
            into["endings"]["cancelled"] += runs
            into["cancelled"][whose] += runs
        case _:
            into["endings"][how] += runs
