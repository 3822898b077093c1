"""core.tally.Source over SQLite: what is on record in a scope, read in one statement.

These are asked once for each rule and scope, then the counts are kept (core/tally.py). So they may
read a whole scope; what a rule asks often is met by an index (tasks of a session, of a tree, live
tasks, runs that have not ended).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from ..core.facts import Fact, Unit, intent_facts, microseconds
from ..core.matching import Call, Scope
from ..core.model import Timestamp
from ..core.policy import Amounts
from ..core.tallies import Place
from ..core.verdict import Freeze
from .rows import INTENTS

Execute = Callable[..., Any]

_CALL = (
    "t.agent_name, t.upstream, t.supervisor, t.session_id, t.depth, t.task_id, "
    "coalesce(t.tree_id, t.task_id)"
)
_AGENT = "coalesce(r.agent_name, t.agent_name)"
_FACT = (
    f"SELECT {_CALL.replace('t.agent_name', _AGENT)}, r.fingerprint, r.kind, r.run_id, "
    "coalesce(r.counted_at, r.created_at), r.started_at, r.ended_at, "
    "r.cancel_unconfirmed_at IS NOT NULL OR (r.cancel_asked_at IS NOT NULL AND "
    "r.cancel_confirmed_at IS NULL AND r.status = 'interrupted'), "
    "r.settled, r.tokens, r.cost_micro_usd, r.unpriced "
    "FROM tasks t JOIN runs r ON r.task_id = t.task_id WHERE "
)
_TASK = f"SELECT {_CALL} FROM tasks t WHERE t.ended_at IS NULL AND "
WITHIN = {
    Scope.TASK: "t.task_id = :id",
    Scope.SESSION: "t.session_id = :id",
    Scope.SUPERVISOR: "t.supervisor = :id",
    Scope.AGENT: "t.agent_name = :id",
    Scope.UPSTREAM: "t.upstream = :id",
    Scope.TREE: "(t.tree_id = :id OR (t.task_id = :id AND t.tree_id IS NULL))",
    Scope.GLOBAL: "TRUE",
}
_UNFINISHED = (
    "r.ended_at IS NULL",
    "r.cancel_unconfirmed_at IS NOT NULL",
    "r.cancel_asked_at IS NOT NULL AND r.cancel_confirmed_at IS NULL AND r.status = 'interrupted'",
)
"""As Run.unfinished has it; each has an index of its own."""
UNFINISHED = " OR ".join(f"({kind})" for kind in _UNFINISHED)
_BROAD = frozenset({Scope.SUPERVISOR, Scope.AGENT, Scope.UPSTREAM, Scope.GLOBAL})
_FEW = 1_000
_INTENTS = INTENTS.select("")
_FREEZES = "SELECT scope, scope_id, reason, at FROM freezes ORDER BY at"
_LAST_TOLD = (
    "SELECT max(at) FROM (SELECT at FROM (SELECT at FROM events ORDER BY seq DESC LIMIT 1) "
    "UNION ALL SELECT max(created_at) FROM tasks)"
)
_COUNTED_AFTER = (
    "SELECT task_id, run_id, coalesce(counted_at, created_at) AS at FROM runs WHERE at > ?"
)
_COUNT_AS_OF = "UPDATE runs SET counted_at = ? WHERE task_id = ? AND run_id = ?"
_RAISES = (
    "SELECT budget, scope_id, sum(micro_usd), sum(tokens), sum(run_time), sum(runs) "
    "FROM raises GROUP BY budget, scope_id"
)


def facts(execute: Execute, place: Place, since: Timestamp | None) -> Iterator[Fact]:
    """The runs of a scope."""
    scope, scope_id = place
    values: dict[str, object] = {"id": scope_id}
    where = _of_runs(scope)
    if since is not None:
        where += " AND coalesce(r.counted_at, r.created_at) >= :since"
        values["since"] = since
    for row in execute(_FACT + where, values).fetchall():
        yield _fact(row)


def held(execute: Execute, place: Place) -> Iterator[Fact]:
    """Runs that are not over for all that is known."""
    scope, scope_id = place
    values = {"id": scope_id}
    if _is_small(execute, place):
        sql = f"{_FACT}{_of_runs(scope)} AND ({UNFINISHED})"
        yield from map(_fact, execute(sql, values).fetchall())
        return
    seen = set()
    for kind in _UNFINISHED:  # by its index, whatever else there is in the scope
        for row in execute(_FACT + _apart(_of_runs(scope)) + f" AND {kind}", values).fetchall():
            fact = _fact(row)
            if fact.unit not in seen:
                seen.add(fact.unit)
                yield fact


def _of_runs(scope: Scope) -> str:
    """Of runs: a follow-up may be another agent's than its task."""
    return WITHIN[scope].replace("t.agent_name", _AGENT)


def _is_small(execute: Execute, place: Place) -> bool:
    """Whether it is cheaper to look at everything in a scope than at everything unfinished."""
    scope, scope_id = place
    if scope in _BROAD:
        return False
    counted = f"SELECT count(*) FROM (SELECT 1 FROM tasks t WHERE {WITHIN[scope]} LIMIT {_FEW})"
    return bool(execute(counted, {"id": scope_id}).fetchone()[0] < _FEW)


def _apart(within: str) -> str:
    """The condition, so that no index is looked for by it."""
    return within.replace("t.", "+t.")


def on_their_way(execute: Execute) -> dict[str, Sequence[Fact]]:
    """All of them: there are few at a time."""
    intents = map(INTENTS.read, execute(_INTENTS).fetchall())
    return {intent.intent_id: tuple(intent_facts(intent)) for intent in intents}


def live_tasks(execute: Execute, place: Place) -> Sequence[Call]:
    scope, scope_id = place
    # Where there is much in the scope all live tasks are gone through.
    within = WITHIN[scope] if _is_small(execute, place) else _apart(WITHIN[scope])
    rows = execute(_TASK + within, {"id": scope_id}).fetchall()
    return [_call(row) for row in rows]


def freezes(execute: Execute) -> Sequence[Freeze]:
    return [
        Freeze(scope=Scope(scope), scope_id=scope_id, reason=reason, at=at)
        for scope, scope_id, reason, at in execute(_FREEZES).fetchall()
    ]


def raises(execute: Execute) -> dict[tuple[str, str], Amounts]:
    return {
        (budget, scope_id): Amounts.of_microseconds(usd, tokens, time, runs)
        for budget, scope_id, usd, tokens, time, runs in execute(_RAISES).fetchall()
    }


def last_told(execute: Execute) -> Timestamp | None:
    found: Timestamp | None = execute(_LAST_TOLD).fetchone()[0]
    return found


def counted_after(execute: Execute, moment: Timestamp) -> dict[Unit, Timestamp]:
    rows = execute(_COUNTED_AFTER, (moment,)).fetchall()
    return {(task_id, run_id): at for task_id, run_id, at in rows}


def count_as_of(execute: Execute, moments: Mapping[Unit, Timestamp]) -> None:
    for (task_id, run_id), at in moments.items():
        execute(_COUNT_AS_OF, (at, task_id, run_id))


def _call(row: Sequence[Any], fingerprint: str | None = None, kind: str = "start") -> Call:
    agent, upstream, supervisor, session, depth, task_id, tree_id = row[:7]
    return Call(
        agent=agent,
        upstream=upstream,
        supervisor=supervisor,
        session=session,
        depth=depth,
        task_id=task_id,
        tree_id=tree_id,
        fingerprint=fingerprint,
        update=kind == "update",
    )


def _fact(row: Sequence[Any]) -> Fact:
    """As core.facts.run_fact makes it of a run and its task."""
    fingerprint, kind, run_id, at, began, ended, goes_on, settled, tokens, usd, unpriced = row[7:]
    worked = 0
    if ended is not None and began is not None:
        worked = max(microseconds(ended) - microseconds(began), 0)
    return Fact(
        unit=(row[5], run_id),
        call=_call(row, fingerprint, kind),
        at=at,
        live=ended is None or bool(goes_on),
        holds=ended is None or bool(goes_on),
        open=not settled,
        micro_usd=usd,
        tokens=tokens,
        run_time=worked,
        began=began if ended is None else None,
        unpriced=unpriced > 0,
    )
