"""What a fake server does with run requests and cancels; HTTP is elsewhere."""

import asyncio
from collections.abc import Mapping
from typing import Any

from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing.execution import Executor
from subagent_sidecar.testing.faults import FaultKind
from subagent_sidecar.testing.ledger import Ledger
from subagent_sidecar.testing.records import (
    ApiError,
    Json,
    Run,
    Stop,
    Thread,
    WallClock,
    require_uuid,
    uuid7,
)
from subagent_sidecar.testing.run_request import (
    Submission,
    check_context,
    check_webhook,
    graph_of,
    make_run,
)
from subagent_sidecar.testing.scripts import Script
from subagent_sidecar.testing.threads import ThreadBook

_NOTHING_TO_CANCEL = "No runs found to cancel."
_NOTHING_CANCELLABLE = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct,"
    " and the runs haven't been deleted or completed."
)
_BUSY = (
    "Thread is already running a task. Wait for it to finish or choose a different"
    " multitask strategy."
)


class Engine:
    """Accepts runs, performs them, stops them."""

    def __init__(
        self,
        graphs: Mapping[str, Script],
        ledger: Ledger,
        clock: WallClock,
        pickup_seconds: float,
    ) -> None:
        self.clock = clock
        self.graphs = graphs
        self.ledger = ledger
        self.threads = ThreadBook(clock)
        self.executor = Executor(self.threads, graphs, clock, pickup_seconds)
        self._workers: set[asyncio.Task[None]] = set()

    def submit(
        self,
        submission: Submission,
        thread_id: str | None,
        *,
        raw_body: bytes,
        quirk: FaultKind | None = None,
    ) -> Run:
        """Accept one run, or raise ApiError; the run is in the ledger before this returns."""
        graph_id = graph_of(submission.body, list(self.graphs))
        if thread_id is not None:
            thread_id = require_uuid(thread_id, "Invalid thread ID")
        check_webhook(submission.body)
        check_context(submission.body)
        run, thread = self._place(submission, graph_id, thread_id)
        if quirk is FaultKind.REQUEST_ID_LOST:
            del run.kwargs["config"]["configurable"]["langgraph_request_id"]
        older = [r for r in self.threads.runs_of(thread.thread_id) if r.active]
        self.threads.add_run(run)
        self.ledger.accept(
            run_id=run.run_id,
            thread_id=run.thread_id,
            request_id=submission.request_id,
            body=raw_body,
            at=submission.now,
        )
        self._make_way(run, older, ignored=quirk is FaultKind.MULTITASK_IGNORED)
        self._start_worker(thread, run)
        return run

    def _place(
        self, submission: Submission, graph_id: str, thread_id: str | None
    ) -> tuple[Run, Thread]:
        """The run, and the thread it goes on: a known one, or a new one where that is allowed."""
        thread = self.threads.find(thread_id) if thread_id else None
        if thread is not None:
            self._refuse_if_busy(thread, submission.body)
            self.threads.occupy(thread, graph_id)
            return make_run(submission, graph_id, thread, thread.thread_id), thread
        if thread_id and submission.body.get("if_not_exists") != "create":
            raise ApiError(404, "Thread or assistant not found.")
        new_id = thread_id or uuid7(submission.now)
        run = make_run(submission, graph_id, None, new_id)
        thread = self.threads.add(new_id, dict(submission.body.get("metadata") or {}))
        self.threads.occupy(thread, graph_id)
        return run, thread

    def _refuse_if_busy(self, thread: Thread, body: Json) -> None:
        if body.get("multitask_strategy") != "reject":
            return
        if any(run.active for run in self.threads.runs_of(thread.thread_id)):
            raise ApiError(409, _BUSY)

    def _make_way(self, run: Run, older: list[Run], *, ignored: bool) -> None:
        strategy = run.multitask_strategy
        if strategy not in ("interrupt", "rollback") or not older:
            return
        if ignored:
            run.alone = False
            return
        reason = f"superseded by run {run.run_id} (multitask_strategy={strategy})"
        for other in older:
            self._stop(other, Stop(strategy, reason), joined=False)

    def _start_worker(self, thread: Thread, run: Run) -> None:
        worker = spawn(self.executor.perform(thread, run), name=f"fake-run-{run.run_id}")
        self._workers.add(worker)
        worker.add_done_callback(self._workers.discard)

    def get_run(self, thread_id: str, run_id: str, *, missing: str = "Not Found") -> Run:
        thread_id = require_uuid(thread_id, "Invalid thread ID: must be a UUID")
        run_id = require_uuid(run_id, "Invalid run ID: must be a UUID")
        self.threads.get(thread_id)
        if (run := self.threads.find_run(thread_id, run_id)) is None:
            raise ApiError(404, missing)
        return run

    def cancel(
        self,
        thread_id: str,
        run_ids: list[str],
        stop: Stop,
        *,
        joined: bool = False,
        quirk: FaultKind | None = None,
    ) -> None:
        """Stop these runs of the thread. `joined`: somebody waits for the end of it."""
        thread_id = require_uuid(thread_id, "Invalid thread ID: must be a UUID")
        wanted = {require_uuid(run_id, "Invalid run ID: must be a UUID") for run_id in run_ids}
        self._cancel_some(
            [run for run in self.threads.runs_of(thread_id) if run.run_id in wanted],
            stop,
            joined=joined,
            quirk=quirk,
        )

    def _cancel_some(
        self, found: list[Run], stop: Stop, *, joined: bool, quirk: FaultKind | None
    ) -> None:
        if not found:
            raise ApiError(404, _NOTHING_TO_CANCEL)
        active = [run for run in found if run.active]
        if not active:
            raise ApiError(404, _NOTHING_CANCELLABLE)
        for run in active:
            match quirk:
                case FaultKind.CANCEL_IGNORED:
                    pass
                case FaultKind.CANCEL_LIES:
                    self._disown(run)
                case _:
                    self._stop(run, stop, joined=joined)

    def cancel_by_status(self, status: str, stop: Stop) -> None:
        """As langgraph-api does it: the records say interrupted, running graphs run on."""
        statuses = ("pending", "running") if status == "all" else (status,)
        found = [run for run in self.threads.all_runs() if run.active and run.status in statuses]
        if not found:
            raise ApiError(404, _NOTHING_TO_CANCEL)
        for run in found:
            if run.status == "running":
                self._disown(run)
            else:
                self._stop(run, stop, joined=False)

    def _disown(self, run: Run) -> None:
        run.status = "interrupted"
        run.disowned = True

    def _stop(self, run: Run, stop: Stop, *, joined: bool) -> None:
        was_pending = run.status == "pending"
        run.stop = stop
        run.stopped.set()
        if stop.action == "rollback" and not joined:
            self.threads.delete_run(run)
            return
        run.status = "interrupted"
        run.updated_at = self.clock.now().isoformat()
        if was_pending:
            run.events.close()
            self._release(run)

    def _release(self, run: Run) -> None:
        """A run that never began leaves its thread idle, unless others wait there."""
        thread = self.threads.find(run.thread_id)
        if thread and not any(r.active for r in self.threads.runs_of(run.thread_id)):
            thread.status = "idle"
            thread.updated_at = self.clock.now().isoformat()

    async def aclose(self) -> None:
        """End all work without settling it, as a killed server does."""
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)


def result_json(thread: Thread) -> Any:
    """What /join answers after the end: the error, the open questions, or the values."""
    if thread.status == "error":
        return {"__error__": thread.outcome.get("error")}
    if thread.status == "interrupted" and thread.interrupts:
        return {"__interrupt__": thread.interrupts}
    return thread.values or {}
