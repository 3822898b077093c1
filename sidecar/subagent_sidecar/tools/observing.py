"""How a task stands right now, as its server tells."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from ..core import tool_results
from ..core.model import Task, TaskStatus
from ..errors import NoSuchUpstream, StartInDoubt
from .door import Answered, Caller, Door
from .told import ToolFailed, why

Json = Mapping[str, Any]

_GONE = frozenset({404, 410})


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """`run` is the newest one; `thread` is read only where it ended well. Both are None of a task
    that is over and that its server has forgotten."""

    status: str
    run: Json | None = None
    thread: Json | None = None


class Unread(Exception):
    """The server did not tell."""

    def __init__(self, answered: Answered) -> None:
        super().__init__(why(answered))
        self.answered = answered


class Observing:
    """Reads runs and threads, through the door."""

    def __init__(self, door: Door) -> None:
        self._door = door

    async def seen(self, task: Task, caller: Caller) -> Seen:
        """Follows a task to its newest run, whoever started that. Raises Unread; ToolFailed of a
        task of which nobody knows yet whether it was started."""
        if task.run_id is None:
            doubt = "what became of its start is not known yet; ask again in a moment"
            raise ToolFailed(doubt, StartInDoubt(doubt, task_id=task.task_id))
        base = thread_path(task)
        run: Any
        thread: Any
        run, thread = await self._get(f"{base}/runs/{_id(task.run_id)}", caller), None
        if run is None:
            return _on_record(task)
        cancelled = task.status is TaskStatus.CANCELLED
        if run.get("status") == "interrupted" and not cancelled:
            run = await self._newest(base, caller) or run
        if run.get("status") == "success":
            thread = await self._thread(base, caller)
            if tool_results.moved_on(run, thread):
                run = await self._newest(base, caller) or run
        status = tool_results.status(run, thread) or task.status.value  # some say nothing of it
        if cancelled and status == "waiting":
            status, thread = "cancelled", None  # its thread still shows what it waited for
        return Seen(status=status, run=run, thread=thread)

    async def _newest(self, base: str, caller: Caller) -> Json | None:
        answered = await self._ask(f"{base}/runs?limit=1&offset=0", caller)
        listed = answered.json if answered.good else None
        found = listed[0] if isinstance(listed, list) and listed else None
        return found if isinstance(found, dict) else None

    async def _thread(self, base: str, caller: Caller) -> Json | None:
        """With its values, which some servers show in another place."""
        thread = await self._get(base, caller)
        if thread is None or "values" in thread:
            return thread
        state = await self._ask(f"{base}/state", caller)
        found = state.json if state.good else None
        return {**thread, "values": found.get("values")} if isinstance(found, dict) else thread

    async def _get(self, target: str, caller: Caller) -> Json | None:
        """None where there is no such thing. Raises Unread."""
        answered = await self._ask(target, caller)
        if answered.status in _GONE and not _is_ours(answered):
            return None
        if not answered.good or not isinstance(answered.json, dict):
            raise Unread(answered)
        found: Json = answered.json
        return found

    async def _ask(self, target: str, caller: Caller) -> Answered:
        return await self._door.ask("GET", target, principal=caller.principal, fields=caller.fields)


def _is_ours(answered: Answered) -> bool:
    """Whether the sidecar said it, not the server: its upstream is not configured any more."""
    return isinstance(answered.json, dict) and answered.json.get("code") == NoSuchUpstream.code


def _on_record(task: Task) -> Seen:
    if task.live:
        reason = "the server has no such run any more"
        gone = b'{"detail": "%s"}' % reason.encode()
        raise Unread(Answered(404, "Not Found", (), gone))
    return Seen(status=task.status.value)


def thread_path(task: Task) -> str:
    return f"/to/{task.upstream}/threads/{_id(task.task_id)}"


def _id(given: str) -> str:
    return quote(given, safe="")
