"""Threads on an agent server that look like subagents' tasks and are not on record: ghosts.

    judge(thread, look) -> Verdict

What is known of a thread is what its server lists: times, and the metadata its maker wrote.
deepagents names the subagent and the supervisor's thread in it (0.7.27), the latter only (0.7.26),
or nothing at all (before, and in JavaScript); then the graph is all there is to go by.
"""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from enum import StrEnum
from typing import Any

from .model import Timestamp
from .storable import name

YOUNG = timedelta(minutes=1)
"""How old a thread must be before it is missed: a start may be on its way to the record."""


_MARKS = ("sidecar_task_id", "sidecar_session_id", "sidecar_depth")


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenThread:
    """A thread as its server lists it; the times are ours where they can be read."""

    thread_id: str
    status: str | None = None
    created_at: Timestamp | None = None
    updated_at: Timestamp | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    @property
    def marked(self) -> bool:
        """Whether a sidecar wrote into the metadata."""
        return any(self.text(key) for key in _MARKS)

    def text(self, key: str) -> str | None:
        """What stands in the metadata, if it is text: as it may be put on record."""
        return name(self.metadata.get(key))


class Cause(StrEnum):
    """Why a task is not on record.

    AROUND: nothing of it passed through a sidecar. BEFORE: likewise, and it is older than the
    record. ELSEWHERE: it passed through another sidecar, with a record of its own. LOST: it passed
    through a sidecar before this record began. UNSTARTED: its thread was made through this sidecar,
    and what runs on it was started past it.
    """

    AROUND = "around"
    BEFORE = "before"
    ELSEWHERE = "elsewhere"
    LOST = "lost"
    UNSTARTED = "unstarted"


class Not(StrEnum):
    """Why a thread is no ghost."""

    KNOWN = "known"
    NO_TASK = "no_task"
    """Nothing says that a subagent works there."""
    EMPTY = "empty"
    """Made for a subagent, and nothing was ever started on it."""
    YOUNG = "young"
    FORGOTTEN = "forgotten"
    """Last touched longer ago than the record is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ghost:
    """A task that is not on record. `evidence` are the words of its metadata that show what it is.
    `session_id` is None where nothing names one."""

    thread: SeenThread
    cause: Cause
    agent_name: str
    evidence: tuple[str, ...]
    session_id: str | None = None
    assistant_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A ghost, and its newest run as its server tells of it; None where it does not tell."""

    ghost: Ghost
    run_id: str | None = None
    run_status: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """What one server has that is not on record. `threads` were looked at; `others` counts why
    they are no ghosts. `problem` says why not all of them were, if it is so; `more`: that there are
    ghosts beside those that are told."""

    upstream: str
    ghosts: Sequence[Found] = ()
    threads: int = 0
    others: Mapping[Not, int] = field(default_factory=dict)
    problem: str | None = None
    more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Adoption:
    """What became of a ghost that was to be adopted; `problem` where it was not."""

    upstream: str
    thread_id: str
    agent_name: str
    problem: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look at a server goes by.

    `recorded` are tasks on record there, or starts on their way; `made_here` other threads on
    record. `agents` are graphs known to be subagents. The record holds what was touched after
    `kept_since` (None: everything) and began at `begun` (None: nobody knows).
    """

    recorded: Container[str]
    made_here: Container[str] = frozenset()
    agents: Container[str] = frozenset()
    missed_before: Timestamp
    kept_since: Timestamp | None = None
    begun: Timestamp | None = None


_DEEPAGENTS = ("subagent_name", "parent_thread_id")
_RUN_ON = ("graph_id", "assistant_id")
"""What a server writes into a thread's metadata when its first run comes."""


def judge(thread: SeenThread, look: Look) -> Ghost | Not:
    """What a thread is that an agent server lists."""
    if thread.thread_id in look.recorded:
        return Not.KNOWN
    evidence = _evidence(thread, look.agents)
    if not evidence and thread.thread_id not in look.made_here:
        return Not.NO_TASK
    if thread.created_at is not None and thread.created_at >= look.missed_before:
        return Not.YOUNG
    touched = thread.updated_at or thread.created_at
    if look.kept_since is not None and touched is not None and touched < look.kept_since:
        return Not.FORGOTTEN
    if not _was_run(thread):
        return Not.EMPTY
    graph = thread.text("graph_id")
    return Ghost(
        thread=thread,
        cause=_cause(thread, look),
        agent_name=thread.text("subagent_name") or graph or "unknown",
        evidence=evidence,
        session_id=thread.text("sidecar_session_id") or thread.text("parent_thread_id"),
        assistant_id=graph or thread.text("assistant_id"),
    )


def _evidence(thread: SeenThread, agents: Container[str]) -> tuple[str, ...]:
    said = [key for key in (*_DEEPAGENTS, *_MARKS) if thread.text(key)]
    graph = thread.text("graph_id")
    if graph is not None and graph in agents:
        said.append("graph_id")
    return tuple(said)


def _was_run(thread: SeenThread) -> bool:
    return any(thread.text(key) for key in _RUN_ON) or thread.status not in (None, "idle")


def _cause(thread: SeenThread, look: Look) -> Cause:
    if thread.thread_id in look.made_here:
        return Cause.UNSTARTED
    known = look.begun is not None and thread.created_at is not None
    before = known and (thread.created_at or "") < (look.begun or "")
    cause = Cause.BEFORE if before else Cause.AROUND
    return _THROUGH[cause] if thread.marked else cause


_THROUGH = {Cause.BEFORE: Cause.LOST, Cause.AROUND: Cause.ELSEWHERE}


def through_a_sidecar(ghost: Ghost) -> Ghost:
    """What is known of a ghost once its run shows the marks that its thread does not have: nobody
    had named a session when the thread was made."""
    return replace(ghost, cause=_THROUGH.get(ghost.cause, ghost.cause))
