"""Threads, tasks, runs, the starts that make them, and what happened to them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..quick import quick
from .words import LIVE, EndedBy, IntentKind, RunStatus, TaskStatus, ThreadStatus, Timestamp


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """A thread the sidecar has seen created or used: where it lives and who made it.

    `session_id` is None when its maker named no session; `agent_name` is the `subagent_name` of
    its metadata, None before deepagents 0.7.27.
    """

    thread_id: str
    upstream: str
    created_at: Timestamp
    supervisor: str
    session_id: str | None = None
    agent_name: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One execution on a task's thread. A task's runs are in the order of `created_at`: when the
    start was asked for, not when we learnt what became of it.

    `cancel_reason` is what the supervisor's model is told, None for its own cancels.
    `cancel_unconfirmed_at`: since when the server has taken a cancel and the run goes on, whatever
    its status says. `cancel_confirmed_at`: when it was seen that the cancel came true.
    `tokens`, `cost_micro_usd` and `unpriced` (messages without a price) add up what is on record of
    its usage; `settled`: all of it was read after the end. `admitted` is what the policy was asked
    when it was let in (see decisions.admitted). `agent_name` is set where it is another agent's
    than its task. `counted_at` is as of when windows count it, where that is not `created_at`
    (see set_back.py).
    """

    run_id: str
    task_id: str
    kind: str
    status: RunStatus
    created_at: Timestamp
    request_id: str | None = None
    assistant_id: str | None = None
    strategy: str | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    cancel_asked_at: Timestamp | None = None
    cancel_asked_by: EndedBy | None = None
    cancel_reason: str | None = None
    cancel_unconfirmed_at: Timestamp | None = None
    cancel_confirmed_at: Timestamp | None = None
    superseded_by: str | None = None
    fingerprint: str | None = None
    tokens: int = 0
    cost_micro_usd: int = 0
    unpriced: int = 0
    settled: bool = False
    admitted: str | None = None
    agent_name: str | None = None
    counted_at: Timestamp | None = None

    @property
    def ended(self) -> bool:
        return self.ended_at is not None

    @property
    def at_large(self) -> bool:
        """Whether it goes on although it was cancelled, for all that is known."""
        return self.cancel_unconfirmed_at is not None

    @property
    def unfinished(self) -> bool:
        """Whether it is at work for all that is known: a cancel is no end until it is verified."""
        return not self.ended or self.at_large or self.cancel_open

    @property
    def cancel_open(self) -> bool:
        """Whether it is to be cancelled, and it is not known yet that it was, or ended before."""
        if self.cancel_asked_at is None or self.cancel_confirmed_at is not None:
            return False
        return not self.ended or self.status is RunStatus.INTERRUPTED


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One async subagent job; its id is its thread's id. `run_id` is None while a first start is
    in doubt: sent to the server, its outcome not known yet. `tree_id` is the task at the root of
    its tree, None for one that is the root itself. `trace_parent` is the context its spans are in
    (core.trace_ids), None for that of a tree of its own."""

    task_id: str
    upstream: str
    agent_name: str
    status: TaskStatus
    session_id: str
    supervisor: str
    created_at: Timestamp
    last_updated_at: Timestamp
    run_id: str | None = None
    thread_status: ThreadStatus = ThreadStatus.UNSEEN
    assistant_id: str | None = None
    parent_task_id: str | None = None
    depth: int = 0
    purpose: str | None = None
    polls: int = 0
    last_checked_at: Timestamp | None = None
    started_at: Timestamp | None = None
    ended_at: Timestamp | None = None
    ended_by: EndedBy | None = None
    reason: str | None = None
    tree_id: str | None = None
    trace_parent: str | None = None

    @property
    def live(self) -> bool:
        return self.status in LIVE

    @property
    def half_seen(self) -> bool:
        """Whether its run's success was seen, and not its thread since: it may be waiting."""
        return self.status is TaskStatus.SUCCESS and self.thread_status is ThreadStatus.UNSEEN


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One run of a batch as the request has it; see Start for the fields."""

    agent_name: str | None = None
    assistant_id: str | None = None
    purpose: str | None = None
    fingerprint: str | None = None
    admitted: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Intent:
    """A start that is durable before it is sent, and gone once its outcome is on record.

    `request_id` travels as `x-request-id`; langgraph-api keeps it in the run, which is how a
    restart finds out what became of the start. `in_doubt` holds why the outcome is not known.
    `previous_run_id` is the run an update is going to supersede. `tree_id` and `trace_parent` are
    as a task has them.
    `items` are the runs of a batch, in the order of the request, each with its agent's name.
    """

    intent_id: str
    request_id: str
    kind: IntentKind
    upstream: str
    created_at: Timestamp
    session_id: str
    supervisor: str
    agent_name: str
    depth: int = 0
    thread_id: str | None = None
    parent_task_id: str | None = None
    assistant_id: str | None = None
    strategy: str | None = None
    purpose: str | None = None
    previous_run_id: str | None = None
    in_doubt: str | None = None
    tree_id: str | None = None
    fingerprint: str | None = None
    items: tuple[Item, ...] = ()
    admitted: str | None = None
    trace_parent: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One line of a task's history. `seq` is given by the store and never used twice."""

    at: Timestamp
    kind: str
    task_id: str | None = None
    run_id: str | None = None
    status: str | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    seq: int = 0


def in_order(runs: Iterable[Run]) -> list[Run]:
    """A task's runs, oldest first."""
    return sorted(runs, key=lambda run: (run.created_at, run.run_id))
