"""What a server tells of a task's past, as the change that puts it on record."""

from collections.abc import Sequence

from ..core import lifecycle
from ..core.changes import Adopted, PastRun, Start
from ..core.ghosts import Ghost
from ..core.model import Timestamp
from ..core.recovery import normalised
from ..ports import ServerRun


def history(
    ghost: Ghost, listed: Sequence[ServerRun], *, upstream: str, supervisor: str, now: Timestamp
) -> Adopted | None:
    """`listed` is in the order in which servers list runs, the newest first. None where none of
    them can be read."""
    runs = [one for one in map(_past_run, reversed(listed)) if one is not None]
    if not runs:
        return None
    thread = ghost.thread
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
