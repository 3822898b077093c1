"""Which trace a task belongs to, and what its spans are called: ids that nobody has to remember.

A tree of tasks is one trace. Its id, and those of all its spans, follow from what is on record
anyway, so that the header of a start, a restarted sidecar and another one on the same store all
come to the same ones. The only thing that has to be kept is the context a tree was started in, and
which run a nested task was started by: `trace_parent`, the text of a W3C `traceparent`.

A run's id is made by its server, when the start has been sent. So the span of a run is named by
what is known before, and on record after: its task, when it was asked for, and its request's id.
Of a stateless run not even the task is known before, for that is the thread which its server makes:
its span is named without, and the trace of one that was started in no context after its intent.
"""

import re
from functools import lru_cache
from hashlib import sha256

from .model import Intent, IntentKind, Run, Task, TaskRecord, Timestamp

_TRACEPARENT = re.compile(
    r"(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?"
)
"""W3C Trace Context, 3.2.2: also later versions, which may say more at the end."""

_SAMPLED = 1
_NOTHING = "0" * 16
"""Where a context names the span above: there is none."""

STATELESS = "stateless"
"""The kind of a run on record that was started without a thread."""


def sampled_parent(header: str) -> str | None:
    """The context in a `traceparent` header, as it is kept; None of one that is not valid, or whose
    trace nobody records."""
    found = _TRACEPARENT.fullmatch(header)
    if found is None or (found[1] == "00" and found[5] is not None):
        return None
    if not int(found[4], 16) & _SAMPLED:
        return None
    return traceparent(found[2], found[3])


def traceparent(trace_id: str, span_id: str) -> str:
    """The header that says: this belongs to that trace, under that span, and is recorded."""
    return f"00-{trace_id}-{span_id}-01"


def parent_span(trace_parent: str | None) -> str | None:
    """The span in a context that was kept; None where it names but a trace."""
    found = None if trace_parent is None else trace_parent[36:52]
    return None if found == _NOTHING else found


def trace_alone(intent_id: str) -> str:
    """The context of a stateless start that came in none: under nothing, in a trace of its own."""
    trace_id = sha256(f"subagent-trace\0stateless\0{intent_id}".encode()).hexdigest()[:32]
    return traceparent(trace_id, _NOTHING)


@lru_cache(1_024)
def tree_trace(root_task_id: str) -> str:
    """The trace of a tree that was started in no context."""
    return sha256(b"subagent-trace\0" + root_task_id.encode("utf-8", "replace")).hexdigest()[:32]


def trace_of(task: Task | Intent) -> str:
    """The trace that the task is in; of a start that made its task's thread."""
    return trace_in(task.trace_parent, task.tree_id or _task_id(task))


def trace_in(trace_parent: str | None, root_task_id: str) -> str:
    """The trace of a tree that was started in that context."""
    return tree_trace(root_task_id) if trace_parent is None else trace_parent[3:35]


def run_span(task_id: str, created_at: Timestamp, asked_by: str) -> str:
    """The span of a run; `asked_by` is the request that started it, the run itself where that is
    not known."""
    text = f"subagent-span\0run\0{task_id}\0{created_at}\0{asked_by}"
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def span_of(run: Run) -> str:
    """The span of a run on record."""
    task_id = "" if run.kind == STATELESS else run.task_id
    return run_span(task_id, run.created_at, run.request_id or run.run_id)


def start_span(task_id: str) -> str:
    """The span of a task's start: everything else of the task is under it."""
    return _span("start", task_id)


def current_span(record: TaskRecord) -> str:
    """That of a task's current run; of its start while there is no run."""
    current = (run for run in record.runs if run.run_id == record.task.run_id)
    return next((span_of(run) for run in current), start_span(record.task.task_id))


def update_span(run: Run) -> str:
    """The span of a follow-up."""
    return _span("update", run.task_id, run.created_at, run.request_id or run.run_id)


def began_span(run: Run) -> str:
    """The mark that a run has begun."""
    return _span("began", run.task_id, run.created_at, run.request_id or run.run_id)


def event_span(seq: int, *rest: str) -> str:
    """The span of an event, by its number; `rest` tells several of one event apart."""
    return _span("event", str(seq), *rest)


def event_trace(seq: int, at: Timestamp) -> str:
    """The trace of an event that belongs to no task on record."""
    return sha256(f"subagent-trace\0event\0{seq}\0{at}".encode()).hexdigest()[:32]


def sent_with(intent: Intent) -> str | None:
    """What goes upstream with a start. None of a batch and a cron, which are not one run."""
    if intent.kind not in _ONE_RUN or (intent.thread_id is None and intent.trace_parent is None):
        return None
    task_id, given = intent.thread_id or "", intent.trace_parent
    trace_id = tree_trace(intent.tree_id or task_id) if given is None else given[3:35]
    return f"00-{trace_id}-{run_span(task_id, intent.created_at, intent.request_id)}-01"


def told_context(trace_parent: str | None) -> dict[str, str]:
    """What an event tells of the context of a start that made no task."""
    return {} if trace_parent is None else {"trace_parent": trace_parent}


def beneath(parent: Task, run: Run | None, given: str | None) -> str:
    """The context of a task that `run` of its parent starts. One that the start brought along
    (`given`) counts if it is in the same trace: a tree has one, whoever instruments its servers."""
    trace_id = trace_of(parent)
    if given is not None and given[3:35] == trace_id:
        return given
    return traceparent(trace_id, start_span(parent.task_id) if run is None else span_of(run))


_ONE_RUN = frozenset({IntentKind.START, IntentKind.UPDATE, IntentKind.STATELESS})


def _task_id(task: Task | Intent) -> str:
    return task.task_id if isinstance(task, Task) else task.thread_id or ""


def _span(*names: str) -> str:
    text = "\0".join(("subagent-span", *names))
    return sha256(text.encode("utf-8", "replace")).hexdigest()[:16]
