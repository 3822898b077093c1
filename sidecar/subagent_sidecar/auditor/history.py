"""What a server tells of a task's past, as the change that puts it on record."""

from collections.abc import Sequence
from typing import Any

from ..core import instruction, lifecycle
from ..core.changes import Adopted, PastRun, Start
from ..core.ghosts import Ghost
from ..core.model import Timestamp
from ..core.recovery import normalised
from ..ports import ServerRun


def past_runs(listed: Sequence[ServerRun]) -> tuple[PastRun, ...]:
    """Those that can be read, in order; servers list the newest first."""
    return tuple(one for one in map(_past_run, reversed(listed)) if one is not None)


def history(
    ghost: Ghost,
    runs: Sequence[PastRun],
    given: Any,
    *,
    upstream: str,
    supervisor: str,
    now: Timestamp,
) -> Adopted:
    """`given` is the input of the first of the runs."""
    thread = ghost.thread
    purpose, fingerprint = instruction.read(instruction.contents(given))
    start = Start(
        request_id="",
        intent_id=f"adopted/{thread.thread_id}",
        upstream=upstream,
        supervisor=supervisor,
        at=runs[0].created_at,
        thread_id=thread.thread_id,
        body_session=ghost.session_id,
        agent_name=ghost.agent_name,
        assistant_id=ghost.assistant_id,
        purpose=purpose,
        fingerprint=fingerprint,
    )
    return Adopted(
        start=start,
        runs=tuple(runs),
        at=now,
        cause=ghost.cause.value,
        thread_status=lifecycle.thread_status(thread.status),
    )


def _past_run(run: ServerRun) -> PastRun | None:
    status = lifecycle.run_status(run.status)
    created = normalised(run.created_at) if run.created_at else None
    if status is None or created is None:
        return None
    return PastRun(
        run_id=run.run_id,
        status=status,
        created_at=created,
        ended_at=normalised(run.updated_at) if run.updated_at else None,
        request_id=run.request_id,
    )
