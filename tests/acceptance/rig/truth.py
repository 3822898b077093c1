"""Does a task record of the sidecar agree with what the server says? Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Json = Mapping[str, Any]

_TASK_STATUS_OF_RUN = {"interrupted": "cancelled"}
_TASK_STATUS_OF_THREAD = {"interrupted": "waiting", "busy": "running"}


RUN_STATUSES = "statuses of the runs"


def _run_status(run: Json) -> str:
    """Self-hosted servers say "cancelled" for what langgraph-api calls "interrupted"."""
    return {"cancelled": "interrupted"}.get(str(run["status"]), str(run["status"]))


def task_status(newest_run: Json, thread: Json) -> str:
    """The word a task has for where its newest run and its thread stand."""
    status = str(newest_run["status"])
    if status == "success":
        return _TASK_STATUS_OF_THREAD.get(str(thread.get("status")), status)
    return _TASK_STATUS_OF_RUN.get(status, status)


def disagreements(
    record: Json, *, expected: Json, runs: Sequence[Json], thread: Json
) -> dict[str, tuple[Any, Any]]:
    """Field -> (recorded, true). `runs` are the server's, newest first; `expected` adds fields
    the server does not know (session, agent, ...)."""
    truth: dict[str, Any] = {
        "task_id": thread["thread_id"],
        "thread_id": thread["thread_id"],
        "run_id": runs[0]["run_id"],
        "status": task_status(runs[0], thread),
        "superseded_run_ids": sorted(run["run_id"] for run in runs[1:]),
        "runs": [run["run_id"] for run in reversed(runs)],
        RUN_STATUSES: [_run_status(run) for run in reversed(runs)],
        **expected,
    }
    recorded = {
        **record,
        "superseded_run_ids": sorted(record.get("superseded_run_ids", ())),
        "runs": [run["run_id"] for run in record.get("runs", ())],
        RUN_STATUSES: [_run_status(run) for run in record.get("runs", ())],
    }
    return {
        key: (recorded.get(key), value)
        for key, value in truth.items()
        if recorded.get(key) != value
    }
