"""The records of what governs tasks: starts and decisions, budgets, ends, audits, reports."""

from ...core.candidates import Key
from ...core.decisions import Verdict
from ...core.ghosts import Cause, Not
from ...core.matching import Scope
from ...core.policy import LimitKind, Mode, OnEnd, OnExhausted
from .kinds import (
    AMOUNT,
    COUNT,
    DURATION,
    FLAG,
    MOMENT,
    NAME,
    SECONDS,
    SHARE,
    TEXT,
    USD,
    Schema,
    by_name,
    maybe,
    record,
    ref,
    several,
    words,
)
from .records import STATUS

MODE = words(*Mode)
SCOPE = words(*Scope)
WHAT = words(*LimitKind, "micro_usd", "tokens", "run_time", "runs", "unpriced", "frozen", "key")
_CALL: dict[str, Schema] = {
    "agent": TEXT,
    "upstream": TEXT,
    "supervisor": TEXT,
    "session": TEXT,
    "depth": COUNT,
    "task_id": maybe(TEXT),
    "tree_id": maybe(TEXT),
    "fingerprint": maybe(TEXT),
    "update": FLAG,
    "wakes": FLAG,
}
_START = record(
    {
        **{name: schema for name, schema in _CALL.items() if name != "wakes"},
        "run_id": NAME,
        "at": MOMENT,
        "task_at": MOMENT,
        "request_id": maybe(TEXT),
        "parent_task_id": maybe(TEXT),
        "started_at": maybe(MOMENT),
        "ended_at": maybe(MOMENT),
        "left_at": maybe(MOMENT),
        "at_large": FLAG,
        "tokens": COUNT,
        "cost_micro_usd": COUNT,
        "unpriced": COUNT,
        "settled": FLAG,
    }
)
CHECK_FIELDS: dict[str, Schema] = {
    "rule": TEXT,
    "policy": TEXT,
    "mode": MODE,
    "what": WHAT,
    "scope": maybe(SCOPE),
    "scope_id": maybe(TEXT),
    "current": AMOUNT,
    "wants": AMOUNT,
    "limit": AMOUNT,
    "reserved": AMOUNT,
    "reserving": maybe(COUNT),
    "window": maybe(DURATION),
    "denies": FLAG,
}
_DECISION = record(
    {
        "number": COUNT,
        "at": MOMENT,
        "times": {"type": "integer", "minimum": 1},
        "until": maybe(MOMENT),
        "verdict": words(*Verdict),
        "rule": maybe(TEXT),
        "thread_id": maybe(TEXT),
        "intent_id": TEXT,
        **_CALL,
        "checks": several(ref("Check")),
    }
)
_BUDGET_AMOUNT = record(
    {
        **dict.fromkeys(("used", "spent", "reserved", "limit", "raised", "remaining"), AMOUNT),
        "reserving": COUNT,
        "at_least": FLAG,
    }
)
_BUDGET = record(
    {
        "rule": NAME,
        "policy": TEXT,
        "mode": MODE,
        "scope": SCOPE,
        "scope_id": TEXT,
        "window": maybe(DURATION),
        "on_exhausted": words(*OnExhausted),
        "state": words("ok", "near", "reserved", "exhausted", "unpriced"),
        "share": {"type": "number", "minimum": 0},
        "unpriced": COUNT,
        "amounts": by_name(ref("BudgetAmount")),
    }
)
_REAP = record(
    {
        "task_id": NAME,
        "agent_name": TEXT,
        "session_id": TEXT,
        "supervisor": TEXT,
        "upstream": TEXT,
        "status": STATUS,
        "run_id": NAME,
        "rule": TEXT,
        "policy": maybe(TEXT),
        "mode": MODE,
        "key": words(*Key),
        "action": words(*OnEnd),
        "evidence": TEXT,
        "held": FLAG,
        "outcome": maybe(TEXT),
        "over": FLAG,
        "detail": maybe(TEXT),
    }
)
_END = record(
    {
        "task_id": NAME,
        "outcome": TEXT,
        "over": FLAG,
        "status": STATUS,
        "run_id": maybe(TEXT),
        "detail": TEXT,
    }
)
_FREEZE = record(
    {
        "scope": words("all", "agent", "session"),
        "id": maybe(TEXT),
        "reason": maybe(TEXT),
        "at": MOMENT,
    }
)
_KEY = record(
    {
        "key_id": NAME,
        "name": NAME,
        "state": words("live", "expired", "revoked"),
        "agents": several(NAME),
        "every_task": FLAG,
        "created_at": MOMENT,
        "created_by": maybe(TEXT),
        "expires_at": maybe(MOMENT),
        "revoked_at": maybe(MOMENT),
    }
)
_NOT_ON_RECORD = record({"scope": SCOPE, "id": TEXT, "did_you_mean": several(TEXT)})
_GHOST = record(
    {
        "upstream": TEXT,
        "thread_id": NAME,
        "agent_name": TEXT,
        "assistant_id": maybe(TEXT),
        "session_id": maybe(TEXT),
        "cause": words(*Cause),
        "evidence": several(TEXT),
        "status": maybe(TEXT),
        "created_at": maybe(MOMENT),
        "updated_at": maybe(MOMENT),
        "run_id": maybe(TEXT),
        "run_status": maybe(TEXT),
    }
)
_AUDITED = record(
    {
        "upstream": TEXT,
        "threads": COUNT,
        "ghosts": COUNT,
        **{word.value: COUNT for word in Not},
        "more": FLAG,
        "problem": maybe(TEXT),
    }
)
_TIMES = record({"of": COUNT, "p50": SECONDS, "p95": SECONDS, "p99": SECONDS})
_AGENT_REPORT = record(
    {
        "agent_name": TEXT,
        "upstreams": several(TEXT),
        **dict.fromkeys(("started", "updated", "live_runs", "ended_runs"), COUNT),
        "endings": by_name(COUNT),
        "cancelled_by": by_name(COUNT),
        "reaped": by_name(COUNT),
        "failed": COUNT,
        "failure_rate": maybe(SHARE),
        "run_time_s": maybe(ref("Times")),
        "queue_s": maybe(ref("Times")),
        "few": FLAG,
        "run_clock_s": maybe(SECONDS),
        "refused": COUNT,
        "refused_by": by_name(COUNT),
        "refusal_rate": maybe(SHARE),
        "would_refuse": COUNT,
        "tokens": COUNT,
        "cost_usd": maybe(USD),
        **dict.fromkeys(("metered_runs", "unpriced_runs", "tasks", "polls"), COUNT),
        "polls_per_run": maybe(SECONDS),
        "polls_per_minute": maybe(SECONDS),
    }
)

GOVERNING: dict[str, Schema] = {
    "Call": record(_CALL),
    "Start": _START,
    "Check": record(CHECK_FIELDS),
    "Decision": _DECISION,
    "Budget": _BUDGET,
    "BudgetAmount": _BUDGET_AMOUNT,
    "Reap": _REAP,
    "End": _END,
    "Freeze": _FREEZE,
    "Key": _KEY,
    "NotOnRecord": _NOT_ON_RECORD,
    "Ghost": _GHOST,
    "Audited": _AUDITED,
    "Times": _TIMES,
    "AgentReport": _AGENT_REPORT,
}
"""By the names under which they are referred to."""
