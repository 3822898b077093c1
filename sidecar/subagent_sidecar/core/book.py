"""The bookkeeping: how every change moves the records.

These functions run inside one store transaction and speak to it through `Ledger`, so that every
store (SQLite, memory, later PostgreSQL) keeps exactly the same books. They are idempotent: a
change may arrive twice (live, and again from a reconciliation after a crash) and late.
"""

from dataclasses import replace
from typing import assert_never

from . import acts, adoption, endings, folding, levers, releases, session_book, usage_book
from .acts import AdminActed
from .chain import add_run, begin_run, move_run, settle_status
from .changes import (
    Accepted,
    Adopted,
    BudgetRaised,
    BudgetTold,
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Change,
    Doubted,
    Frozen,
    NewRun,
    Polled,
    Released,
    RunGone,
    RunSeen,
    SessionBeat,
    SessionEnded,
    StartRefused,
    Terminated,
    ThreadCreated,
    ThreadGone,
    ThreadSeen,
    Unfrozen,
    UsagePriced,
    UsageSeen,
    WaitingCancelled,
)
from .ledger import Ledger
from .model import Event, Intent, IntentKind, Run, RunStatus, Task, TaskStatus, Timestamp
from .quick import changed, made
from .recovery import not_before
from .trace_ids import STATELESS

_TOLD = (RunSeen, ThreadSeen, CancelAsked, RunGone, ThreadGone)
"""What a server told about a thread."""
_new_task, _new_run = made(Task), made(Run)


def apply(ledger: Ledger, change: Change) -> None:
    """Enter one change into the books."""
    if isinstance(change, _TOLD) and not _theirs(ledger, change.thread_id, change.upstream):
        return
    match change:
        case RunSeen():
            _run_seen(ledger, change)
        case Polled():
            _polled(ledger, change)
        case ThreadSeen():
            _thread_seen(ledger, change)
        case Accepted():
            _accepted(ledger, change)
        case Released():
            releases.released(ledger, change)
        case Doubted():
            _doubted(ledger, change)
        case ThreadCreated():
            _thread_created(ledger, change)
        case CancelAsked():
            endings.cancel_asked(ledger, change)
        case CancelUnconfirmed():
            endings.cancel_unconfirmed(ledger, change)
        case CancelConfirmed():
            endings.cancel_confirmed(ledger, change)
        case WaitingCancelled():
            endings.waiting_cancelled(ledger, change)
        case UsageSeen():
            usage_book.seen(ledger, change)
        case UsagePriced():
            usage_book.priced(ledger, change)
        case RunGone():
            endings.run_gone(ledger, change)
        case ThreadGone():
            endings.thread_gone(ledger, change)
        case Adopted():
            adoption.adopted(ledger, change, apply)
        case Frozen():
            levers.frozen(ledger, change)
        case Unfrozen():
            levers.unfrozen(ledger, change)
        case BudgetRaised():
            levers.budget_raised(ledger, change)
        case BudgetTold():
            levers.budget_told(ledger, change)
        case SessionBeat():
            session_book.beat(ledger, change)
        case SessionEnded():
            session_book.ended(ledger, change)
        case Terminated():
            ledger.close_reap(change.task_id, change.run_id, change.at)
        case StartRefused():
            folding.enter(ledger, change)
        case AdminActed():
            ledger.add_event(acts.event_of(change))
        case _:
            assert_never(change)


def _thread_created(ledger: Ledger, change: ThreadCreated) -> None:
    known = ledger.thread(change.thread.thread_id)
    if known is None:
        ledger.put_thread(change.thread)
    elif known.supervisor != change.thread.supervisor:
        return  # it is its first maker's, whoever is told that it is there
    elif known.session_id is None and known.agent_name is None:
        ledger.put_thread(replace(change.thread, created_at=known.created_at))


def _accepted(ledger: Ledger, change: Accepted) -> None:
    intent = change.intent
    ledger.drop_intent(intent.intent_id)
    if change.cron_id is not None:
        detail = {
            "cron_id": change.cron_id,
            "agent": intent.agent_name,
            "upstream": intent.upstream,
        }
        ledger.add_event(
            Event(at=change.at, kind="cron_created", task_id=intent.thread_id, detail=detail)
        )
    for number, new in enumerate(change.runs):
        known = ledger.run(new.thread_id, new.run_id)
        if known is None:
            one = _of_batch(intent, number, change) if intent.items else intent
            _begin_run(ledger, one, new, change.at)
        elif known.request_id is None:
            ledger.put_run(changed(known, request_id=intent.request_id, kind=_run_kind(intent)))
        elif known.request_id != intent.request_id:
            # Another start's run: what became of this one is still to be found out.
            doubt = "the run it was answered with is another start's"
            ledger.put_intent(changed(intent, in_doubt=doubt))


def _of_batch(intent: Intent, number: int, change: Accepted) -> Intent:
    """The start of one run of a batch, where the answer has as many as were asked for."""
    if len(intent.items) != len(change.runs):
        return intent
    item = intent.items[number]
    return changed(
        intent,
        agent_name=item.agent_name or intent.agent_name,
        assistant_id=item.assistant_id,
        purpose=item.purpose,
        fingerprint=item.fingerprint,
        admitted=item.admitted,
    )


def _run_kind(intent: Intent) -> str:
    if intent.kind is IntentKind.STATELESS:
        return STATELESS
    return "update" if intent.kind is IntentKind.UPDATE else "start"


def _begin_run(ledger: Ledger, intent: Intent, new: NewRun, at: Timestamp) -> None:
    """Enter an accepted run as the newest of its task; the task begins with its first run."""
    task = ledger.task(new.thread_id)
    if task is None:
        task = _task_of(intent, new.thread_id, at, run_id=new.run_id)
        run = _run_of(intent, new, task, _run_kind(intent))
        ledger.put_first(task, run)
        begin_run(ledger, task, run, new.status, at)
        return
    earlier = ledger.runs(new.thread_id) if task.run_id is not None else ()
    first = not any(run.created_at <= intent.created_at for run in earlier)
    run = _run_of(intent, new, task, _run_kind(intent) if first else "update")
    add_run(ledger, task, run, new.status, at)


def _run_of(intent: Intent, new: NewRun, task: Task, kind: str) -> Run:
    return _new_run(
        run_id=new.run_id,
        task_id=new.thread_id,
        kind=kind,
        status=RunStatus.PENDING,
        created_at=intent.created_at,
        request_id=intent.request_id,
        assistant_id=intent.assistant_id,
        strategy=intent.strategy,
        fingerprint=intent.fingerprint,
        admitted=intent.admitted,
        agent_name=None if intent.agent_name == task.agent_name else intent.agent_name,
    )


def _task_of(intent: Intent, thread_id: str, at: Timestamp, *, run_id: str | None = None) -> Task:
    return _new_task(
        task_id=thread_id,
        upstream=intent.upstream,
        agent_name=intent.agent_name,
        status=TaskStatus.PENDING,
        session_id=intent.session_id,
        supervisor=intent.supervisor,
        created_at=intent.created_at,
        last_updated_at=at,
        run_id=run_id,
        assistant_id=intent.assistant_id,
        parent_task_id=intent.parent_task_id,
        depth=intent.depth,
        purpose=intent.purpose,
        tree_id=intent.tree_id,
        trace_parent=intent.trace_parent,
    )


def _doubted(ledger: Ledger, change: Doubted) -> None:
    intent = change.intent
    if ledger.intent(intent.intent_id) is None:
        return
    ledger.put_intent(changed(intent, in_doubt=change.reason))
    thread_id = None if intent.kind is IntentKind.CRON else intent.thread_id
    if thread_id is not None and ledger.task(thread_id) is None:
        ledger.put_task(_task_of(intent, thread_id, change.at))
    ledger.add_event(
        Event(
            at=change.at,
            kind="in_doubt",
            task_id=intent.thread_id,
            detail={"reason": change.reason},
        )
    )


def _run_seen(ledger: Ledger, change: RunSeen) -> None:
    task = ledger.task(change.thread_id)
    if task is None:
        return
    run = ledger.run(change.thread_id, change.run_id)
    if run is None:
        _unknown_run(ledger, task, change)
    else:
        move_run(ledger, task, run, change.status, change.at)


def _unknown_run(ledger: Ledger, task: Task, change: RunSeen) -> None:
    """A run on a known task that no start of ours is on record for.

    Either it is what became of a start in doubt, or another client started it; both ways it is
    the task's newest run. Older runs that a listing names are history and stay out.
    """
    intents = releases.starts_on(ledger, task.task_id)
    doubted = [i for i in intents if i.in_doubt and not_before(change.created_at, i)]
    if doubted:
        new = NewRun(run_id=change.run_id, thread_id=change.thread_id, status=change.status)
        _accepted(ledger, Accepted(intent=doubted[0], at=change.at, runs=(new,)))
        return
    if intents:
        return  # its answer is on its way: that will tell which start it belongs to
    newest = ledger.run(task.task_id, task.run_id) if task.run_id else None
    known_from = task.created_at if newest is None else newest.created_at
    if change.created_at is None or change.created_at <= known_from:
        return
    run = Run(
        run_id=change.run_id,
        task_id=task.task_id,
        kind="update",
        status=RunStatus.PENDING,
        created_at=change.created_at,
    )
    add_run(ledger, task, run, change.status, change.at)


def _thread_seen(ledger: Ledger, change: ThreadSeen) -> None:
    task = ledger.task(change.thread_id)
    if task is None or task.run_id is None or task.thread_status is change.status:
        return
    run = ledger.run(task.task_id, task.run_id)
    if run is not None:
        settle_status(ledger, changed(task, thread_status=change.status), run, change.at)


def _polled(ledger: Ledger, change: Polled) -> None:
    task = ledger.task(change.task_id)
    if task is not None:
        ledger.put_task(changed(task, polls=task.polls + change.times, last_checked_at=change.at))


def _theirs(ledger: Ledger, thread_id: str, upstream: str | None) -> bool:
    """Whether `upstream` is the one that knows about this thread."""
    if upstream is None:
        return True
    task = ledger.task(thread_id)
    return task is None or task.upstream == upstream
