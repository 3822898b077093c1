"""Playing the scripts: from pending to an end, in real (asyncio) time."""

import asyncio
import uuid
from collections.abc import Mapping

from subagent_sidecar.testing.messages import ai_message, as_messages
from subagent_sidecar.testing.records import Checkpoint, Json, Run, Stop, Thread, WallClock, uuid7
from subagent_sidecar.testing.scripts import Outcome, Script
from subagent_sidecar.testing.threads import ThreadBook

_VERSIONS: Json = {
    "run_attempt": 1,
    "langgraph_version": "1.2.22",
    "langgraph_api_version": "0.16.7",
    "langgraph_plan": "enterprise",
    "langgraph_host": "self-hosted",
    "langgraph_api_url": "http://127.0.0.1",
}


class Executor:
    """The workers: as many as there are runs, but one at a time on a thread."""

    def __init__(
        self,
        threads: ThreadBook,
        graphs: Mapping[str, Script],
        clock: WallClock,
        pickup_seconds: float,
    ) -> None:
        self._threads = threads
        self._graphs = graphs
        self._clock = clock
        self._pickup_seconds = pickup_seconds
        self.executing: set[str] = set()
        """Runs whose graph is at work right now, whatever their records say."""

    async def perform(self, thread: Thread, run: Run) -> None:
        """Wait for a worker and the run's turn, play its script, settle the outcome."""
        await _sleep_unless_stopped(run, run.after_seconds + self._pickup_seconds)
        if not run.alone:
            await self._execute(thread, run)
            return
        async with thread.turn:
            await self._execute(thread, run)

    async def _execute(self, thread: Thread, run: Run) -> None:
        if not run.active:
            return
        self._begin(run)
        self.executing.add(run.run_id)
        try:
            await self._play(thread, run, self._graphs[run.graph_id])
        finally:
            self.executing.discard(run.run_id)
            run.events.close()
        if run.kwargs["temporary"] and self._threads.find(thread.thread_id):
            self._threads.delete(thread.thread_id)

    def _begin(self, run: Run) -> None:
        run.status = "running"
        config = run.kwargs["config"]
        config["configurable"] = {**config["configurable"], "__pregel_node_finished": None}
        config["metadata"] = {**config["metadata"], **_VERSIONS}
        self._emit(run, "metadata", {"run_id": run.run_id, "attempt": 1})

    async def _play(self, thread: Thread, run: Run, script: Script) -> None:
        values = _values_before(thread)
        messages = [*values.get("messages", []), *as_messages(run.kwargs["input"])]
        self._record(thread, run, {**values, "messages": messages}, step=0, waiting=True)
        for number in range(1, max(script.steps, 1) + 1):
            if (stop := await _sleep_unless_stopped(run, _pause(script))) is not None:
                self._end_stopped(thread, run, stop)
                return
            if script.steps:
                last = number == script.steps
                text = script.text if last else f"Step {number} of {script.steps}"
                messages = [*messages, ai_message(text, run, script)]
                self._record(thread, run, {"messages": messages}, step=number, waiting=not last)
        self._end_played(thread, run, script)

    def _end_played(self, thread: Thread, run: Run, script: Script) -> None:
        resume = (run.kwargs["command"] or {}).get("resume")
        match script.outcome:
            case Outcome.FAIL:
                self._end_failed(thread, run, script.text)
            case Outcome.ASK if resume is None:
                self._end_asking(thread, run, script)
            case Outcome.ASK:
                messages = _values_before(thread)["messages"]
                answer = ai_message(f"Human said: {resume!r}", run, script)
                self._record(thread, run, {"messages": [*messages, answer]}, step=1, waiting=False)
                self._settle(thread, run, "success", "idle", {"error": None, "interrupts": {}})
            case Outcome.SUCCEED | Outcome.HANG:
                self._settle(thread, run, "success", "idle", {"error": None, "interrupts": {}})

    def _end_failed(self, thread: Thread, run: Run, message: str) -> None:
        error = {"error": "RuntimeError", "message": message}
        self._emit(run, "error", error)
        if thread.checkpoints:
            thread.checkpoints[-1].tasks[0]["error"] = f"RuntimeError({message!r})"
        self._settle(thread, run, "error", "error", {"error": error, "interrupts": {}})

    def _end_asking(self, thread: Thread, run: Run, script: Script) -> None:
        question = {"question": script.text, "options": list(script.options)}
        interrupt: Json = {"id": uuid.uuid4().hex, "value": question}
        checkpoint = thread.checkpoints[-1]
        checkpoint.tasks[0]["interrupts"] = [interrupt]
        shown = {"value": question, "id": interrupt["id"], "response_schema": None}
        self._emit(run, "values", {**checkpoint.values, "__interrupt__": [shown]})
        interrupts = {checkpoint.tasks[0]["id"]: [interrupt]}
        outcome = {"error": None, "interrupts": interrupts}
        self._settle(thread, run, "success", "interrupted", outcome)

    def _end_stopped(self, thread: Thread, run: Run, stop: Stop) -> None:
        if stop.action == "interrupt":
            error = {"error": "UserInterrupt", "message": stop.reason}
            outcome = {"error": error, "interrupts": {}}
            self._settle(thread, run, "interrupted", "interrupted", outcome)
            return
        thread.checkpoints = [
            c for c in thread.checkpoints if c.metadata.get("run_id") != run.run_id
        ]
        # Nobody waited: langgraph-api forgot the run first, and its thread stays busy for ever.
        if run.deleted:
            return
        error = {"error": "UserRollback", "message": stop.reason}
        self._settle(thread, run, "interrupted", "idle", {**thread.outcome, "error": error})
        self._threads.delete_run(run)

    def _settle(self, thread: Thread, run: Run, status: str, base: str, outcome: Json) -> None:
        if run.deleted:  # a worker that outlived its run changes nothing any more
            return
        now = self._clock.now().isoformat()
        if not run.disowned:
            run.status, run.updated_at = status, now
        others = any(r.active for r in self._threads.runs_of(thread.thread_id))
        thread.status = "busy" if others else base
        thread.metadata = thread.metadata | {"graph_id": run.graph_id}
        thread.outcome = outcome
        thread.updated_at = thread.state_updated_at = now
        if "interrupts" in outcome and thread.checkpoints:
            thread.values = thread.checkpoints[-1].values

    def _record(self, thread: Thread, run: Run, values: Json, *, step: int, waiting: bool) -> None:
        """A checkpoint and the stream events of one step; `waiting` for the next model call."""
        task = {
            "id": str(uuid.uuid4()),
            "name": "model",
            "path": ["__pregel_pull", "model"],
            "error": None,
            "interrupts": [],
            "checkpoint": None,
            "state": None,
            "result": None,
        }
        now = self._clock.now()
        # The first checkpoint of a thread has the input's for a parent, which nobody asks for.
        parent = thread.checkpoints[-1].checkpoint_id if thread.checkpoints else uuid7(now)
        checkpoint = Checkpoint(
            checkpoint_id=uuid7(now),
            parent_id=parent,
            created_at=now.isoformat(),
            values=values,
            next=["model"] if waiting else [],
            tasks=[task] if waiting else [],
            metadata=_state_metadata(run, step),
        )
        thread.checkpoints.append(checkpoint)
        if step:
            self._emit(run, "updates", {"model": {"messages": values["messages"][-1:]}})
        self._emit(run, "values", values)

    def _emit(self, run: Run, name: str, data: Json) -> None:
        if name in ("metadata", "error") or name in run.kwargs["stream_mode"]:
            run.events.append(name, data, self._clock.now())


def _pause(script: Script) -> float | None:
    """How long one step takes; None: for ever."""
    return None if script.outcome is Outcome.HANG else script.seconds / max(script.steps, 1)


def _values_before(thread: Thread) -> Json:
    return thread.checkpoints[-1].values if thread.checkpoints else {}


def _state_metadata(run: Run, step: int) -> Json:
    configurable = run.kwargs["config"]["configurable"]
    return {
        **run.metadata,
        "user_id": "",
        **_VERSIONS,
        "run_id": run.run_id,
        "thread_id": run.thread_id,
        "source": "loop",
        "step": step,
        "parents": {},
        "langgraph_auth_user_id": "",
        "langgraph_request_id": configurable.get("langgraph_request_id"),
    }


async def _sleep_unless_stopped(run: Run, seconds: float | None) -> Stop | None:
    """Sleep (None: for ever); why the run is to stop, if it is."""
    try:
        await asyncio.wait_for(run.stopped.wait(), seconds)
    except TimeoutError:
        return None
    return run.stop
