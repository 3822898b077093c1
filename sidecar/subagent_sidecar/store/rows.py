"""The tables of the books: what lies in them, and how."""

import json

import msgspec

from ..core.model import (
    EndedBy,
    Event,
    Intent,
    IntentKind,
    Item,
    Run,
    RunStatus,
    Task,
    TaskStatus,
    Thread,
    ThreadStatus,
    UsageEntry,
)
from ..core.sessions import Session
from ..core.sums import Sum
from .table import Row, Table


def _ended_by(text: str | None) -> EndedBy | None:
    return None if text is None else EndedBy(text)


def _read_items(text: str | None) -> tuple[Item, ...]:
    return () if text is None else msgspec.json.decode(text, type=tuple[Item, ...])


def _write_items(items: tuple[Item, ...]) -> str | None:
    return msgspec.json.encode(items).decode() if items else None


THREADS = Table(
    name="threads",
    cls=Thread,
    key=("thread_id",),
    frozen=frozenset({"created_at"}),
    readers={},
)
TASKS = Table(
    name="tasks",
    cls=Task,
    key=("task_id",),
    frozen=frozenset(
        {
            "upstream",
            "agent_name",
            "session_id",
            "supervisor",
            "created_at",
            "assistant_id",
            "parent_task_id",
            "depth",
            "purpose",
            "tree_id",
            "trace_parent",
        }
    ),
    readers={"status": TaskStatus, "thread_status": ThreadStatus, "ended_by": _ended_by},
    rare={
        "parent_task_id": None,
        "last_checked_at": None,
        "started_at": None,
        "ended_at": None,
        "ended_by": None,
        "reason": None,
        "tree_id": None,
    },
)
RUNS = Table(
    name="runs",
    cls=Run,
    key=("task_id", "run_id"),
    frozen=frozenset(
        {
            "created_at",
            "assistant_id",
            "strategy",
            "fingerprint",
            "admitted",
            "agent_name",
            "counted_at",
        }
    ),
    readers={"status": RunStatus, "cancel_asked_by": _ended_by, "settled": bool},
    writers={"settled": int},
    rare={
        "strategy": None,
        "started_at": None,
        "ended_at": None,
        "cancel_asked_at": None,
        "cancel_asked_by": None,
        "cancel_reason": None,
        "cancel_unconfirmed_at": None,
        "cancel_confirmed_at": None,
        "superseded_by": None,
        "tokens": 0,
        "cost_micro_usd": 0,
        "unpriced": 0,
        "settled": False,
        "agent_name": None,
        "counted_at": None,
    },
)
INTENTS = Table(
    name="intents",
    cls=Intent,
    key=("intent_id",),
    frozen=frozenset({"request_id", "created_at", "thread_id", "trace_parent"}),
    readers={"kind": IntentKind, "items": _read_items},
    writers={"items": _write_items},
    rare={
        "parent_task_id": None,
        "strategy": None,
        "previous_run_id": None,
        "in_doubt": None,
        "tree_id": None,
        "items": (),
    },
)
USAGE = Table(
    name="usage",
    cls=UsageEntry,
    key=("task_id", "message_id"),
    frozen=frozenset({"run_id", "at"}),
    readers={},
)
SESSIONS = Table(
    name="sessions",
    cls=Session,
    key=("supervisor", "session_id"),
    frozen=frozenset(),
    readers={"ended_by": _ended_by},
)
SUMS = Table(
    name="sums",
    cls=Sum,
    key=("day", "supervisor", "agent_name", "upstream", "status", "model"),
    frozen=frozenset(),
    readers={},
)
_EVENT = "(?, ?, ?, ?, ?, ?)"
EVENTS_INSERT = {
    count: "INSERT INTO events (at, kind, task_id, run_id, status, detail) VALUES "
    + ", ".join([_EVENT] * count)
    for count in range(1, 33)
}
EVENT_COLUMNS = "at, kind, task_id, run_id, status, detail, seq"


def event_values(event: Event) -> Row:
    detail = json.dumps(dict(event.detail)) if event.detail else "{}"
    status = None if event.status is None else str(event.status)
    return (event.at, event.kind, event.task_id, event.run_id, status, detail)


def read_event(row: Row) -> Event:
    at, kind, task_id, run_id, status, detail, seq = row
    return Event(
        at=at,
        kind=kind,
        task_id=task_id,
        run_id=run_id,
        status=status,
        detail=json.loads(detail),
        seq=seq,
    )
