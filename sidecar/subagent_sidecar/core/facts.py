"""What rules count, one fact for each run on record and each start on its way.

The same facts come out of the rows a transaction is changing and out of a query over all rows, so
that counts can be kept up to date by what changes and still be counted anew at any time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from .matching import Call
from .model import Intent, IntentKind, Item, Run, Task, Timestamp
from .quick import made, quick

_MICROSECOND = timedelta(microseconds=1)
_EPOCH = datetime.fromtimestamp(0, UTC)

Unit = tuple[str, str]
"""What a fact is about: (task id, run id), or (intent id, number in its batch)."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """`live`: the run is not over for all that is known. `holds`: nor is its task, for that alone,
    whatever its status says. `open`: what it uses is not known for good, so that it counts a
    budget's reserve at least.

    `run_time` in microseconds, of a run that is over; one that is at work has `began` instead.
    `call.update` is set on follow-ups. `micro_usd` leaves out what has no price (`unpriced`).
    """

    unit: Unit
    call: Call
    at: Timestamp
    live: bool = True
    holds: bool = True
    open: bool = True
    micro_usd: int = 0
    tokens: int = 0
    run_time: int = 0
    began: Timestamp | None = None
    unpriced: bool = False

    @property
    def place(self) -> str | Unit:
        """The task it is a run of; starts whose thread the server makes have none yet."""
        return self.call.task_id or self.unit


_new_call, _new_fact = made(Call), made(Fact)


def run_fact(run: Run, task: Task) -> Fact:
    """What a run on record counts."""
    ended = run.ended_at is not None
    worked = 0
    if ended and run.started_at is not None and run.ended_at is not None:
        worked = max(microseconds(run.ended_at) - microseconds(run.started_at), 0)
    return _new_fact(
        unit=(run.task_id, run.run_id),
        call=task_call(
            task,
            fingerprint=run.fingerprint,
            update=run.kind == "update",
            agent=run.agent_name,
        ),
        at=run.counted_at or run.created_at,
        live=run.unfinished,
        holds=run.unfinished,
        open=not run.settled,
        micro_usd=run.cost_micro_usd,
        tokens=run.tokens,
        run_time=worked,
        began=None if ended else run.started_at,
        unpriced=run.unpriced > 0,
    )


def task_call(
    task: Task,
    *,
    fingerprint: str | None = None,
    update: bool = False,
    agent: str | None = None,
) -> Call:
    """A task on record, or a run of it, as the rules see it."""
    return _new_call(
        agent=agent or task.agent_name,
        upstream=task.upstream,
        supervisor=task.supervisor,
        session=task.session_id,
        depth=task.depth,
        task_id=task.task_id,
        tree_id=task.tree_id or task.task_id,
        fingerprint=fingerprint,
        update=update,
    )


def intent_facts(intent: Intent) -> Sequence[Fact]:
    """What a start on its way counts: as if it had arrived. A cron starts nothing by itself."""
    if intent.kind is IntentKind.CRON:
        return ()
    if not intent.items:
        call = item_call(intent, intent)
        return (_new_fact(unit=(intent.intent_id, "0"), call=call, at=intent.created_at),)
    calls = [item_call(intent, item) for item in intent.items]
    return tuple(
        _new_fact(unit=(intent.intent_id, str(number)), call=call, at=intent.created_at)
        for number, call in enumerate(calls)
    )


def items_of(intent: Intent) -> Sequence[Item | Intent]:
    """What is started: the items of a batch, else the one run there is."""
    return intent.items or (intent,)


def item_call(intent: Intent, item: Item | Intent) -> Call:
    """A start that was put on record, as the rules see it afterwards."""
    return _new_call(
        agent=item.agent_name or intent.agent_name,
        upstream=intent.upstream,
        supervisor=intent.supervisor,
        session=intent.session_id,
        depth=intent.depth,
        task_id=intent.thread_id,
        tree_id=intent.tree_id or intent.thread_id,
        fingerprint=item.fingerprint,
        update=intent.kind is IntentKind.UPDATE,
    )


def microseconds(at: Timestamp) -> int:
    """Since 1970, exact."""
    return (datetime.fromisoformat(at) - _EPOCH) // _MICROSECOND
