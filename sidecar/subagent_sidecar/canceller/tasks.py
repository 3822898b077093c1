"""Ends whole tasks: every live run of one, newest first, and one answer that is true."""

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress

from ..core.cancel import Outcome, TaskEnd
from ..core.lifecycle import has_ended, run_status
from ..core.model import EndedBy, Run, TaskRecord, TaskStatus
from ..credentials import Credentials
from ..errors import TaskNotFound, UpstreamError
from ..ports import AgentServer, ServerRun, Store
from ..service import Service
from .pursuit import Pursuit, Verdict
from .runs import RunCanceller

_LISTED = 50
_LISTS_AT_ONCE = 16
"""Lists of runs that are asked of one server at a time, however many tasks are to end."""
_WORST_FIRST = (
    Outcome.UNREACHABLE,
    Outcome.REFUSED,
    Outcome.LOST,
    Outcome.UNCONFIRMED,
    Outcome.ASKED,
)
_STILL_AT_IT = "its cancel was sent, but its end is not verified yet; the sidecar keeps checking"
_NOT_ASKED_YET = "its server has not taken the cancel yet; the sidecar keeps trying"
_NO_RUN_YET = "what became of its start is not known yet, so there is nothing to cancel; try again"
_BEHIND = "it ended by itself; how is not on record yet"
_WENT_ON = "a new run began on it meanwhile; cancel it again"
_WAS_WAITING = "it was waiting for a human and had no run to cancel"


class TaskCanceller:
    """ports.TaskEnder."""

    def __init__(
        self,
        *,
        runs: RunCanceller,
        service: Service,
        store: Store,
        servers: Mapping[str, AgentServer],
        credentials: Credentials,
    ) -> None:
        self._runs = runs
        self._service = service
        self._store = store
        self._servers = servers
        self._credentials = credentials
        self._lists = {name: asyncio.Semaphore(_LISTS_AT_ONCE) for name in servers}

    async def end_task(
        self,
        task_id: str,
        *,
        by: EndedBy,
        reason: str,
        wait_s: float,
        up_to: str | None = None,
    ) -> TaskEnd:
        """See ports.TaskEnder."""
        record = await self._record(task_id)
        if record.task.run_id is None and record.task.live:
            return _end(record, Outcome.IN_DOUBT, _NO_RUN_YET)
        if not record.task.live and not any(_may_go_on(run) for run in record.runs):
            return _end(record, Outcome.ALREADY, "it was over before")
        if record.task.status is TaskStatus.WAITING and not any(map(_may_go_on, record.runs)):
            return await self._end_waiting(record, by, reason, up_to)
        server = self._servers.get(record.task.upstream)
        if server is None:
            detail = f"upstream '{record.task.upstream}' is not configured any more"
            return _end(record, Outcome.UNREACHABLE, detail)
        run_ids = _up_to(up_to, await self._to_end(server, record), record)
        pursuits = await self._pursue(record, run_ids, by, reason)
        await _settled(pursuits, wait_s)
        return await self._told(task_id, pursuits, by, reason, up_to)

    async def _record(self, task_id: str) -> TaskRecord:
        await self._service.entered()
        record = await self._store.task(task_id)
        if record is None:
            raise TaskNotFound(f"there is no task {task_id}")
        return record

    async def _end_waiting(
        self, record: TaskRecord, by: EndedBy, reason: str, up_to: str | None
    ) -> TaskEnd:
        """No request: there is no active run. deepagents does the same with its own cancels."""
        if up_to not in (None, record.task.run_id):
            return _end(record, Outcome.WENT_ON, _WENT_ON)
        task_id = record.task.task_id
        self._service.cancels.waiting_cancelled(task_id, by=by, reason=reason)
        return _end(await self._record(task_id), Outcome.CANCELLED, _WAS_WAITING)

    async def _to_end(self, server: AgentServer, record: TaskRecord) -> list[str]:
        """The runs of the task that may be at work, newest first: those on record, and those the
        server lists, which another client may have started."""
        on_record = [run.run_id for run in reversed(record.runs) if _may_go_on(run)]
        task = record.task
        try:
            auth = self._credentials.of(task.task_id)
            async with self._lists[task.upstream]:
                listed = await server.runs(task.task_id, limit=_LISTED, auth=auth)
        except UpstreamError:
            return on_record  # whoever pursues them will find out whether it is there
        live = [run for run in listed or () if _is_live(run)]
        for run in reversed(live):
            self._service.seen.run(
                task.upstream, task.task_id, run.run_id, run.status, created_at=run.created_at
            )
        found = [run.run_id for run in live]
        return [*found, *(run_id for run_id in on_record if run_id not in found)]

    async def _pursue(
        self, record: TaskRecord, run_ids: Sequence[str], by: EndedBy, reason: str
    ) -> list[Pursuit]:
        """Have each asked in turn, so that no queued run begins when the one before it ends."""
        upstream, task_id = record.task.upstream, record.task.task_id
        for run_id in run_ids:
            self._service.cancels.asked(upstream, task_id, run_id, by=by, reason=reason)
        await self._service.entered()
        pursuits: list[Pursuit] = []
        for run_id in run_ids:
            pursuit = self._runs.end(
                upstream,
                task_id,
                run_id,
                by=by,
                after=pursuits[-1] if pursuits else None,
            )
            pursuits.append(pursuit)
        return pursuits

    async def _told(
        self,
        task_id: str,
        pursuits: Sequence[Pursuit],
        by: EndedBy,
        reason: str,
        up_to: str | None,
    ) -> TaskEnd:
        record = await self._record(task_id)
        verdicts = [pursuit.verdict or _not_yet(pursuit) for pursuit in pursuits]
        for outcome in _WORST_FIRST:
            for verdict in verdicts:
                if verdict.outcome is outcome:
                    return _end(record, outcome, verdict.detail)
        if record.task.status is TaskStatus.WAITING:
            return await self._end_waiting(record, by, reason, up_to)
        behind = record.task.live  # the server says that all is over, and the store is in trouble
        if behind and all(pursuit.run_id != record.task.run_id for pursuit in pursuits):
            return _end(record, Outcome.WENT_ON, _WENT_ON)
        cancelled = [v for v in verdicts if v.outcome is Outcome.CANCELLED]
        if cancelled and (behind or record.task.status is TaskStatus.CANCELLED):
            return _end(record, Outcome.CANCELLED, cancelled[0].detail)
        if behind:
            return _end(record, Outcome.ASKED, _BEHIND)
        return _end(record, Outcome.ALREADY, "it ended before the cancel could end it")


def _may_go_on(run: Run) -> bool:
    """Whether the run may be at work: it has not ended, or only the server says that it has."""
    return not run.ended or run.at_large


def _up_to(last: str | None, run_ids: Sequence[str], record: TaskRecord) -> Sequence[str]:
    """Without what began after the run `last`: what stands on record after it, and, as servers
    list the newest first, what is not on record and comes before it."""
    on_record = [run.run_id for run in record.runs]
    later = set(on_record[on_record.index(last) + 1 :] if last in on_record else ())
    if last in run_ids:
        later.update(set(run_ids[: run_ids.index(last)]) - set(on_record))
    return [run_id for run_id in run_ids if run_id not in later]


def _is_live(run: ServerRun) -> bool:
    status = run_status(run.status)
    return status is not None and not has_ended(status)


def _not_yet(pursuit: Pursuit) -> Verdict:
    return Verdict(Outcome.ASKED, _STILL_AT_IT if pursuit.tried else _NOT_ASKED_YET)


async def _settled(pursuits: Sequence[Pursuit], wait_s: float) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(wait_s):
            for pursuit in pursuits:
                await pursuit.settled.wait()


def _end(record: TaskRecord, outcome: Outcome, detail: str) -> TaskEnd:
    return TaskEnd(
        task_id=record.task.task_id,
        outcome=outcome,
        status=record.task.status,
        run_id=record.task.run_id,
        detail=detail,
    )
