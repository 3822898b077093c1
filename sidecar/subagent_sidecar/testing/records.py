"""The threads, runs and checkpoints of a fake server, and the JSON they become.

Shapes (keys, order, nulls) are those of langgraph-api 0.16.7.
"""

import asyncio
import uuid
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from subagent_sidecar.testing.events import EventLog

Json = dict[str, Any]

_ASSISTANTS = uuid.UUID("6ba7b821-9dad-11d1-80b4-00c04fd430c8")
ACTIVE = ("pending", "running")


class WallClock(Protocol):
    """The half of `ports.Clock` that stamps records."""

    def now(self) -> datetime: ...


class ApiError(Exception):
    """An answer that is not 2xx: `{"detail": ...}`."""

    def __init__(self, status: int, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail


def assistant_id_of(graph_id: str) -> str:
    """The id every langgraph-api gives the default assistant of a graph."""
    return str(uuid.uuid5(_ASSISTANTS, graph_id))


def uuid7(now: datetime) -> str:
    """A fresh id that sorts by time, as langgraph-api makes them (RFC 9562, 5.7)."""
    millis = int(now.timestamp() * 1000)
    value = (millis & (1 << 48) - 1) << 80 | uuid.uuid4().int & (1 << 80) - 1
    value = value & ~(0xF << 76) | 0x7 << 76
    return str(uuid.UUID(int=value & ~(0x3 << 62) | 0x2 << 62))


def require_uuid(value: object, detail: str) -> str:
    """The id in its canonical spelling, or 422."""
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise ApiError(422, detail) from None


@dataclass(slots=True, kw_only=True)
class Checkpoint:
    """The state after one step; `tasks` say what the graph is in the middle of."""

    checkpoint_id: str
    parent_id: str | None
    created_at: str
    values: Json
    next: list[str]
    tasks: list[Json]
    metadata: Json


@dataclass(slots=True, kw_only=True)
class Thread:
    thread_id: str
    created_at: str
    updated_at: str
    state_updated_at: str
    metadata: Json
    status: str = "idle"
    config: Json = field(default_factory=dict)
    values: Json | None = None
    outcome: Json = field(default_factory=dict)
    """`error` and `interrupts`: absent until a run of the thread has ended."""
    checkpoints: list[Checkpoint] = field(default_factory=list)
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)
    """Held by the run that executes: a thread runs one at a time."""

    def to_json(self) -> Json:
        return {
            "thread_id": self.thread_id,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "state_updated_at": self.state_updated_at,
            "metadata": self.metadata,
            "status": self.status,
            "config": self.config,
            "values": self.values,
            **self.outcome,
        }

    @property
    def interrupts(self) -> list[Json]:
        """What the thread waits for a human to answer."""
        groups: dict[str, list[Json]] = self.outcome.get("interrupts") or {}
        return [interrupt for group in groups.values() for interrupt in group]

    def state_json(self) -> Json:
        """The answer to GET state."""
        if not self.checkpoints:
            return _state(None, self.thread_id)
        return _state(self.checkpoints[-1], self.thread_id)


def _state(checkpoint: Checkpoint | None, thread_id: str) -> Json:
    def reference(checkpoint_id: str | None) -> Json | None:
        if checkpoint_id is None:
            return None
        return {"checkpoint_id": checkpoint_id, "thread_id": thread_id, "checkpoint_ns": ""}

    current = checkpoint.checkpoint_id if checkpoint else None
    parent = checkpoint.parent_id if checkpoint else None
    tasks = checkpoint.tasks if checkpoint else []
    return {
        "values": checkpoint.values if checkpoint else {},
        "next": checkpoint.next if checkpoint else [],
        "tasks": tasks,
        "metadata": checkpoint.metadata if checkpoint else None,
        "created_at": checkpoint.created_at if checkpoint else None,
        "checkpoint": reference(current),
        "parent_checkpoint": reference(parent),
        "interrupts": [interrupt for task in tasks for interrupt in task["interrupts"]],
        "checkpoint_id": current,
        "parent_checkpoint_id": parent,
    }


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run is to end before its time: `action` is interrupt or rollback."""

    action: str
    reason: str


@dataclass(slots=True, kw_only=True)
class Run:
    run_id: str
    thread_id: str
    graph_id: str
    assistant_id: str
    metadata: Json
    kwargs: Json
    multitask_strategy: str
    created_at: str
    updated_at: str
    after_seconds: float
    alone: bool = True
    """False: it does not wait for its turn on the thread (MULTITASK_IGNORED)."""
    status: str = "pending"
    deleted: bool = False
    ghost: bool = False
    """Never existed; stands in for an unknown run where the server only says so in a stream."""
    disowned: bool = False
    """Shown as ended while the graph goes on: the status is no longer touched."""
    stop: Stop | None = None
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    events: EventLog = field(default_factory=EventLog)

    @property
    def active(self) -> bool:
        return not self.deleted and self.status in ACTIVE

    def to_json(self) -> Json:
        return {
            "run_id": self.run_id,
            "thread_id": self.thread_id,
            "assistant_id": self.assistant_id,
            "metadata": self.metadata,
            "status": self.status,
            "kwargs": self.kwargs,
            "multitask_strategy": self.multitask_strategy,
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "langsmith_session_name": None,
        }
