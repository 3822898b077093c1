"""Starts that came to nothing, and those that are on their way."""

from .changes import Released
from .ledger import Ledger
from .model import EndedBy, Event, Intent, IntentKind, TaskStatus
from .quick import changed
from .trace_ids import told_context


def released(ledger: Ledger, change: Released) -> None:
    intent = change.intent
    if ledger.intent(intent.intent_id) is None:
        return
    ledger.drop_intent(intent.intent_id)
    task = ledger.task(intent.thread_id) if intent.thread_id else None
    if task is not None and task.run_id is None and not starts_on(ledger, task.task_id):
        # Its start was in doubt, so its caller was told this id: it ends, it does not vanish.
        ledger.put_task(
            changed(
                task,
                status=TaskStatus.ERROR,
                ended_at=change.at,
                ended_by=EndedBy.UPSTREAM,
                last_updated_at=change.at,
                reason=f"the start came to nothing: {change.reason}",
            )
        )
    ledger.add_event(
        Event(
            at=change.at,
            kind="start_failed",
            task_id=intent.thread_id,
            detail={
                "reason": change.reason,
                "agent": intent.agent_name,
                **told_context(intent.trace_parent),
            },
        )
    )


def starts_on(ledger: Ledger, task_id: str) -> list[Intent]:
    """The starts under way on a thread. A cron starts nothing by itself."""
    on_thread = ledger.intents_on(task_id)
    return [intent for intent in on_thread if intent.kind is not IntentKind.CRON]
