"""Putting a task on record that was started past the sidecar, as if its start had been seen.

No policy is asked, for it is there already; from here on it counts like any other. What the record
says happened now (its events) happened now: that is when it was seen. When its runs began and ended
is told as its server tells it.
"""

from collections.abc import Callable
from dataclasses import replace

from .admission import admit
from .changes import Accepted, Adopted, Change, NewRun, PastRun, RunSeen, ThreadSeen
from .ledger import Ledger
from .model import Event, IntentKind, Thread
from .quick import changed

Apply = Callable[[Ledger, Change], None]


def adopted(ledger: Ledger, change: Adopted, apply: Apply) -> None:
    """`apply` is book.apply. Nothing happens where it is on record, or a start is on its way."""
    thread_id = change.thread_id
    if ledger.task(thread_id) is not None or _on_its_way(ledger, thread_id):
        return
    start = change.start
    if ledger.thread(thread_id) is None:
        ledger.put_thread(
            Thread(
                thread_id=thread_id,
                upstream=start.upstream,
                created_at=start.at,
                supervisor=start.supervisor,
                session_id=start.header_session or start.body_session,
                agent_name=start.agent_name,
            )
        )
    detail = {"cause": change.cause}
    ledger.add_event(Event(at=change.at, kind="adopted", task_id=thread_id, detail=detail))
    for run in change.runs:
        one = replace(start, intent_id=f"{start.intent_id}/{run.run_id}", at=run.created_at)
        if run is not change.runs[0]:  # what is known of the first instruction is not theirs
            one = replace(one, purpose=None, fingerprint=None)
        intent = admit(ledger, replace(one, request_id=run.request_id or one.intent_id))
        new = NewRun(run_id=run.run_id, thread_id=thread_id)
        apply(ledger, Accepted(intent=intent, at=change.at, runs=(new,)))
    for run in change.runs:  # once all are there: the end of an earlier one is not the task's
        apply(ledger, _seen(change, run))
        _date(ledger, thread_id, run)
    if change.thread_status is not None:
        apply(ledger, ThreadSeen(thread_id=thread_id, status=change.thread_status, at=change.at))
    _date_task(ledger, thread_id)


def _seen(change: Adopted, run: PastRun) -> RunSeen:
    return RunSeen(
        thread_id=change.thread_id,
        run_id=run.run_id,
        status=run.status,
        at=change.at,
        upstream=change.start.upstream,
    )


def _on_its_way(ledger: Ledger, thread_id: str) -> bool:
    return any(intent.kind is not IntentKind.CRON for intent in ledger.intents_on(thread_id))


def _date(ledger: Ledger, thread_id: str, seen: PastRun) -> None:
    run = ledger.run(thread_id, seen.run_id)
    if run is None:
        return
    began = None if run.started_at is None else run.created_at
    ended = max(seen.ended_at or run.created_at, run.created_at) if run.ended else None
    ledger.put_run(changed(run, started_at=began, ended_at=ended))


def _date_task(ledger: Ledger, thread_id: str) -> None:
    task = ledger.task(thread_id)
    if task is None:
        return
    runs = ledger.runs(thread_id)
    began = [run.started_at for run in runs if run.started_at is not None]
    ended = next((run.ended_at for run in runs if run.run_id == task.run_id), None)
    task = changed(task, started_at=min(began, default=None))
    if not task.live and ended is not None:
        task = changed(task, ended_at=ended)
    ledger.put_task(task)
