"""Deciding what a start is, and making it durable before it is sent."""

from .changes import Start
from .ledger import Ledger
from .model import Intent, IntentKind, Task, just_after

_DEFAULT = "default:"


def default_session(supervisor: str) -> str:
    """The session of callers that name none."""
    return f"{_DEFAULT}{supervisor}"


def admit(ledger: Ledger, start: Start) -> Intent:
    """Decide what a start is (a new task or an update) and make it durable as an intent."""
    task = ledger.task(start.thread_id) if start.thread_id else None
    intent = _update(ledger, start, task) if task and not start.cron else _spawn(ledger, start)
    ledger.put_intent(intent)
    return intent


def _update(ledger: Ledger, start: Start, task: Task) -> Intent:
    """A run on a known task: the task keeps its session, depth and name. It comes after the
    newest run, wherever somebody has set the clock meanwhile."""
    newest = ledger.run(task.task_id, task.run_id) if task.run_id else None
    return Intent(
        intent_id=start.intent_id,
        request_id=start.request_id,
        kind=IntentKind.UPDATE,
        upstream=start.upstream,
        created_at=start.at if newest is None else max(start.at, just_after(newest.created_at)),
        session_id=task.session_id,
        supervisor=task.supervisor,
        agent_name=task.agent_name,
        depth=task.depth,
        thread_id=task.task_id,
        parent_task_id=task.parent_task_id,
        assistant_id=start.assistant_id,
        strategy=start.strategy,
        purpose=start.purpose,
        previous_run_id=task.run_id,
    )


def _spawn(ledger: Ledger, start: Start) -> Intent:
    thread = ledger.thread(start.thread_id) if start.thread_id else None
    session_id = (
        start.header_session
        or (thread.session_id if thread else None)
        or start.body_session
        or default_session(start.supervisor)
    )
    parent = _parent(ledger, session_id)
    agent = start.agent_name or (thread.agent_name if thread else None) or start.assistant_id
    return Intent(
        intent_id=start.intent_id,
        request_id=start.request_id,
        kind=_kind(start),
        upstream=start.upstream,
        created_at=start.at,
        session_id=session_id,
        supervisor=thread.supervisor if thread else start.supervisor,
        agent_name=agent or "unknown",
        depth=parent.depth + 1 if parent else 0,
        thread_id=start.thread_id,
        parent_task_id=parent.task_id if parent else None,
        assistant_id=start.assistant_id,
        strategy=start.strategy,
        purpose=start.purpose,
    )


def _parent(ledger: Ledger, session_id: str) -> Task | None:
    """The task whose thread the session is. One that never ran started nothing, and the name of a
    default session is no task's, whatever id somebody gave a thread."""
    if session_id.startswith(_DEFAULT):
        return None
    task = ledger.task(session_id)
    return task if task is not None and task.run_id is not None else None


def _kind(start: Start) -> IntentKind:
    if start.cron:
        return IntentKind.CRON
    if start.batch:
        return IntentKind.BATCH
    return IntentKind.START if start.thread_id else IntentKind.STATELESS
