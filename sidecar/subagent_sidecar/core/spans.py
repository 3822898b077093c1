"""What happened, as spans: pure, from an event of the record and the task it is about.

| event | span | under |
|---|---|---|
| `started` | `start_async_task`, from the request to the server's answer | what the task is under |
| `updated` | `update_async_task`, the same of a follow-up | the task's start |
| `run_status` running | `run_began`, a mark | the start or update the run came of |
| `run_status` an end | `invoke_agent`, the whole run, backdated | the start or update it came of |
| `cancel_asked` | `cancel_async_task`, a mark | the run |
| `reaped` | `reap_async_task`, a mark | the run |
| `start_failed` | `start_async_task` that failed | what the start was under |
| `refused` | `refuse_async_task`, a mark that failed | the same |
| `session_ended` | `end_session`, a mark for each of its live tasks | the task's start |

So everything stands under something that was exported before it, but for what is under a run that
goes on: that span follows at its end, once. An event is one span or none, and an end is final, so
what is never read twice is never told twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import run_spans, trace_ids
from . import span_names as named
from .feed import ToldEvent
from .lifecycle import ENDS
from .model import Event, Run, RunStatus, TaskRecord, Timestamp
from .quick import quick
from .run_spans import Attributes

ENDING = frozenset({"run_status"})
"""The events that end runs, among others."""

AT_ONCE = frozenset(
    {"started", "updated", "run_status", "cancel_asked", "reaped", "start_failed", "refused"}
    | {"session_ended"}
)
"""The events of which something is told at once."""

_ENDS = frozenset(status.value for status in ENDS)


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """As it is exported. `calls`: it is of kind CLIENT. `error` is why it failed, None if it did
    not. Ids are hexadecimal."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str | None
    start: Timestamp
    end: Timestamp
    attributes: Attributes
    error: str | None = None
    calls: bool = False


Servers = Mapping[str, tuple[str, int]]
"""Host and port of each upstream."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """`content`: what tasks are about may be told as well."""

    servers: Servers
    content: bool = False

    def ends_run(self, event: Event) -> bool:
        """Whether the event is the end of a run."""
        return event.kind == "run_status" and event.status in _ENDS

    def of_end(self, told: ToldEvent, record: TaskRecord | None) -> list[Span]:
        """The run that ended, whole."""
        run = _run(told, record)
        if record is None or run is None or run.ended_at is None:
            return []
        return [
            Span(
                name=f"{named.INVOKE_AGENT} {run.agent_name or record.task.agent_name}",
                trace_id=trace_ids.trace_of(record.task),
                span_id=trace_ids.span_of(run),
                parent_id=_anchor(run),
                start=run.created_at,
                end=max(run.ended_at, run.created_at),
                attributes=self._common(told, record) | run_spans.of_run(run, record),
                error=run_spans.error_of(run),
                calls=True,
            )
        ]

    def at_once(self, told: ToldEvent, records: Mapping[str, TaskRecord]) -> list[Span]:
        """What is told of an event, but for the ends of runs. `records` has the tasks that are
        `needed`, as far as they are on record."""
        event = told.event
        record = records.get(event.task_id or "")
        match event.kind:
            case "start_failed" | "refused":
                return [self._came_to_nothing(told)]
            case "session_ended":
                tasks = [records[each] for each in _named_tasks(event) if each in records]
                return [self._session_ended(told, each) for each in tasks]
            case _ if record is None:
                return []
            case "started" | "updated":
                return self._begun(told, record)
            case "run_status":
                return self._running(told, record)
            case "cancel_asked" | "reaped":
                return self._under_run(told, record)
            case _:
                return []

    def needed(self, event: Event) -> Sequence[str]:
        """The tasks whose records are needed to tell of the event."""
        match event.kind:
            case "start_failed" | "refused":
                return ()
            case "session_ended":
                return _named_tasks(event)
            case _:
                return () if event.task_id is None else (event.task_id,)

    def _begun(self, told: ToldEvent, record: TaskRecord) -> list[Span]:
        run = _run(told, record)
        if run is None:
            return []
        first = told.event.kind == "started"
        span_id = trace_ids.start_span(run.task_id) if first else trace_ids.update_span(run)
        return [
            Span(
                name=f"{'start' if first else 'update'}_async_task {_agent(run, record)}",
                trace_id=trace_ids.trace_of(record.task),
                span_id=span_id,
                parent_id=_above(record) if first else _start_of(record),
                start=run.created_at,
                end=max(_answered(told.event, run), run.created_at),
                attributes=self._common(told, record) | run_spans.facts(run),
            )
        ]

    def _running(self, told: ToldEvent, record: TaskRecord) -> list[Span]:
        run = _run(told, record)
        if run is None or told.event.status != RunStatus.RUNNING:
            return []
        attributes = self._common(told, record) | run_spans.facts(run)
        name = f"run_began {_agent(run, record)}"
        return [self._mark(told, record, name, trace_ids.began_span(run), _anchor(run), attributes)]

    def _under_run(self, told: ToldEvent, record: TaskRecord) -> list[Span]:
        run, event = _run(told, record), told.event
        if run is None:
            return []
        word = "cancel" if event.kind == "cancel_asked" else "reap"
        attributes = self._common(told, record) | run_spans.facts(run) | _told(event)
        return [
            self._mark(
                told,
                record,
                f"{word}_async_task {_agent(run, record)}",
                trace_ids.event_span(event.seq),
                trace_ids.span_of(run),
                attributes,
            )
        ]

    def _session_ended(self, told: ToldEvent, record: TaskRecord) -> Span:
        task = record.task
        attributes = self._common(told, record) | _told(told.event)
        span_id = trace_ids.event_span(told.event.seq, task.task_id)
        return self._mark(
            told, record, f"end_session {task.agent_name}", span_id, _start_of(record), attributes
        )

    def _mark(
        self,
        told: ToldEvent,
        record: TaskRecord,
        name: str,
        span_id: str,
        parent_id: str | None,
        attributes: Attributes,
    ) -> Span:
        """Something that took no time."""
        at = told.event.at
        return Span(
            name=name,
            trace_id=trace_ids.trace_of(record.task),
            span_id=span_id,
            parent_id=parent_id,
            start=at,
            end=at,
            attributes=attributes,
        )

    def _came_to_nothing(self, told: ToldEvent) -> Span:
        """A start of which there is nothing on record but this."""
        event, detail = told.event, told.event.detail
        given = detail.get("trace_parent")
        context = given if isinstance(given, str) and len(given) == 55 else None
        refused = event.kind == "refused"
        agent = told.agent_name or detail.get("agent") or "unknown"
        attributes = {
            named.AGENT: agent,
            named.SESSION: told.session_id,
            named.TASK: event.task_id,
            named.CONVERSATION: event.task_id,
            named.EVENT: event.kind,
            named.SEQ: event.seq,
        }
        error = detail.get("code", "refused") if refused else "start_failed"
        return Span(
            name=f"{'refuse' if refused else 'start'}_async_task {agent}",
            trace_id=context[3:35] if context else trace_ids.event_trace(event.seq, event.at),
            span_id=trace_ids.event_span(event.seq),
            parent_id=trace_ids.parent_span(context),
            start=event.at,
            end=event.at,
            attributes=run_spans.said(attributes | _told(event) | {named.ERROR: error}),
            error=str(error),
        )

    def _common(self, told: ToldEvent, record: TaskRecord) -> Attributes:
        task = record.task
        host, port = self.servers.get(task.upstream, (None, None))
        attributes = run_spans.of_task(record) | {
            named.SERVER: host,
            named.PORT: port,
            named.EVENT: told.event.kind,
            named.SEQ: told.event.seq,
            named.PURPOSE: task.purpose if self.content else None,
        }
        return run_spans.said(attributes)


def _answered(event: Event, run: Run) -> Timestamp:
    """When the server took a start: a run that was put on record late was at work before that."""
    return min(event.at, run.started_at or event.at, run.ended_at or event.at)


def _run(told: ToldEvent, record: TaskRecord | None) -> Run | None:
    runs = () if record is None else record.runs
    return next((run for run in runs if run.run_id == told.event.run_id), None)


def _agent(run: Run, record: TaskRecord) -> str:
    return run.agent_name or record.task.agent_name


def _above(record: TaskRecord) -> str | None:
    """What the task is under."""
    return trace_ids.parent_span(record.task.trace_parent)


def _start_of(record: TaskRecord) -> str | None:
    """The task's start; what it is under, where all that is known of it are follow-ups."""
    started = any(run.kind != "update" for run in record.runs)
    return trace_ids.start_span(record.task.task_id) if started else _above(record)


def _anchor(run: Run) -> str:
    """The start or update that a run came of."""
    return trace_ids.update_span(run) if run.kind == "update" else trace_ids.start_span(run.task_id)


def _named_tasks(event: Event) -> Sequence[str]:
    tasks = event.detail.get("tasks")
    return [each for each in tasks if isinstance(each, str)] if isinstance(tasks, list) else ()


_DETAIL = {
    "rule": named.RULE,
    "policy": named.POLICY,
    "code": named.CODE,
    "limit": named.LIMIT,
    "current": named.CURRENT,
    "times": named.TIMES,
    "action": named.ACTION,
    "key": named.KEY,
    "evidence": named.EVIDENCE,
    "by": named.ENDED_BY,
    "reason": named.REASON,
}


def _told(event: Event) -> dict[str, Any]:
    """What the event tells besides."""
    found = {_DETAIL[key]: value for key, value in event.detail.items() if key in _DETAIL}
    return run_spans.said(found)
