"""Why a run ended that the supervisor did not end: what its model is told.

A supervisor that finds its run `interrupted` reads "cancelled" and knows no more. If one of us
ended it, for a reason, its model gets that reason: deepagents shows a run's `error` word for word
when the run's status is `error`. (For `timeout` it has a sentence of its own, and no room for
ours: that word is for what really ran too long.)
"""

from dataclasses import dataclass

from .model import EndedBy, Run, RunStatus, TaskRecord

OURS = frozenset({EndedBy.OPERATOR, EndedBy.REAPER, EndedBy.BUDGET})
"""Who ends tasks without their supervisor having asked for it."""

CLOCK = "clock: "
"""A reaper's reason begins with this when the task ran out of the time it had for running."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """`status` and `error` as they stand in the answer to a poll."""

    status: str
    error: str


def wants_explaining(by: EndedBy | None, reason: str | None) -> bool:
    """Whether an end that was asked for like this is one to be explained."""
    return by in OURS and bool(reason)


def explanation(record: TaskRecord, run_id: str) -> Explanation | None:
    """Why the run `run_id` ended; None where we did not end it, or do not know that it ended.

    A run that another one has replaced is not explained either: deepagents goes on to the newest
    run from one that is `interrupted`, and from no other.
    """
    run = next((run for run in record.runs if run.run_id == run_id), None)
    if run is None or run.superseded_by is not None or not _is_over(run):
        return None
    reason = run.cancel_reason
    if reason is None or not wants_explaining(run.cancel_asked_by, reason):
        return None
    if run.cancel_asked_by is EndedBy.REAPER and reason.startswith(CLOCK):
        return Explanation("timeout", reason.removeprefix(CLOCK))
    return Explanation("error", reason)


def _is_over(run: Run) -> bool:
    """Whether it was cancelled as far as anybody knows. Where the server says so and the graph is
    known to work on all the same, nothing has ended that could be explained."""
    goes_on = run.cancel_unconfirmed_at is not None and run.cancel_confirmed_at is None
    return run.status is RunStatus.INTERRUPTED and not goes_on
