"""The threads a fake server holds: made, found, changed, deleted."""

import uuid
from typing import Any

from subagent_sidecar.testing.records import (
    ApiError,
    Json,
    Run,
    Thread,
    WallClock,
    assistant_id_of,
    require_uuid,
    uuid7,
)

_BAD_THREAD_ID = "Invalid thread ID: must be a UUID"


class ThreadBook:
    """Threads by id, with the runs of each in the order they came."""

    def __init__(self, clock: WallClock) -> None:
        self._clock = clock
        self._threads: dict[str, Thread] = {}
        self._runs: dict[str, list[Run]] = {}

    def create(self, body: Json) -> Thread:
        thread_id = body.get("thread_id")
        if thread_id is not None:
            thread_id = require_uuid(thread_id, _BAD_THREAD_ID)
            if thread_id in self._threads:
                return self._existing(thread_id, body)
        return self.add(thread_id or uuid7(self._clock.now()), dict(body.get("metadata") or {}))

    def _existing(self, thread_id: str, body: Json) -> Thread:
        if body.get("if_exists") == "do_nothing":
            return self._threads[thread_id]
        raise ApiError(409, f"Thread with ID {thread_id} already exists")

    def add(self, thread_id: str, metadata: Json) -> Thread:
        now = self._clock.now().isoformat()
        thread = Thread(
            thread_id=thread_id,
            created_at=now,
            updated_at=now,
            state_updated_at=now,
            metadata=metadata,
        )
        self._threads[thread_id] = thread
        self._runs[thread_id] = []
        return thread

    def find(self, thread_id: str) -> Thread | None:
        return self._threads.get(thread_id)

    def get(self, thread_id: str) -> Thread:
        thread_id = require_uuid(thread_id, _BAD_THREAD_ID)
        if (thread := self.find(thread_id)) is None:
            raise ApiError(404, f"Thread with ID {thread_id} not found")
        return thread

    def patch(self, thread_id: str, body: Json) -> Thread:
        thread = self.find(require_uuid(thread_id, _BAD_THREAD_ID))
        if thread is None:
            raise ApiError(404, "Not Found")
        thread.metadata = thread.metadata | dict(body.get("metadata") or {})
        thread.updated_at = self._clock.now().isoformat()
        return thread

    def delete(self, thread_id: str) -> None:
        thread = self.get(thread_id)
        for run in self._runs.pop(thread.thread_id):
            run.deleted = True
            run.events.close()
        del self._threads[thread.thread_id]

    def search(self, body: Json) -> list[Thread]:
        """The newest first; `limit` and `offset` are applied by the caller."""
        ids = {_search_id(i) for i in body.get("ids") or []}
        wanted, status = body.get("metadata") or {}, body.get("status")
        found = [
            thread
            for thread in self._threads.values()
            if (not ids or thread.thread_id in ids)
            and (not status or thread.status == status)
            and contains(thread.metadata, wanted)
        ]
        return sorted(found, key=lambda thread: thread.updated_at, reverse=True)

    def runs_of(self, thread_id: str) -> list[Run]:
        return self._runs.get(thread_id, [])

    def all_runs(self) -> list[Run]:
        return [run for runs in self._runs.values() for run in runs]

    def find_run(self, thread_id: str, run_id: str) -> Run | None:
        return next((r for r in self.runs_of(thread_id) if r.run_id == run_id), None)

    def add_run(self, run: Run) -> None:
        self._runs[run.thread_id].append(run)

    def delete_run(self, run: Run) -> None:
        run.deleted = True
        self._runs[run.thread_id].remove(run)
        run.events.close()

    def occupy(self, thread: Thread, graph_id: str) -> None:
        """A run came: the thread is busy, and belongs to its graph unless it was busy before."""
        if thread.status == "busy":
            return
        thread.status = "busy"
        thread.metadata = thread.metadata | {
            "graph_id": graph_id,
            "assistant_id": assistant_id_of(graph_id),
        }
        thread.config = {"configurable": {}} | thread.config
        thread.updated_at = self._clock.now().isoformat()


def _search_id(value: Any) -> str:
    try:
        return str(uuid.UUID(str(value)))
    except ValueError:
        raise ApiError(400, f"Invalid thread ID {value}") from None


def contains(value: Any, wanted: Any) -> bool:
    """Containment as in PostgreSQL's `@>`: objects by key, lists by element."""
    if isinstance(wanted, dict):
        return isinstance(value, dict) and all(
            key in value and contains(value[key], part) for key, part in wanted.items()
        )
    if isinstance(wanted, list):
        return isinstance(value, list) and all(
            any(contains(item, part) for item in value) for part in wanted
        )
    return bool(value == wanted)
