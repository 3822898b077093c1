"""What tools tell a model. Wherever deepagents has a sentence for a case, it is this sentence: the
same model, prompt and evaluation must do with either. Tests hold them side by side."""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from .agents import UpdateStrategy
from .cancel import Outcome, TaskEnd
from .model import LIVE, Task, TaskStatus

NO_TASKS = "No async subagent tasks tracked."
_NO_ERROR = "The async subagent encountered an error."
_PENDING = (
    "The latest run hasn't started yet. If it is a queued follow-up, an earlier run may still be "
    "working."
)
_WAITING = (
    "The subagent is waiting for a human. The user answers it directly; you can't answer or "
    "approve it. Keep working; check again later for its result."
)

ACTIVE = frozenset({TaskStatus.PENDING.value, TaskStatus.RUNNING.value})
UNFINISHED = frozenset(status.value for status in LIVE)


def launched(task_id: str) -> str:
    return f"Launched async subagent. task_id: {task_id}"


def not_launched(agent: str, why: str) -> str:
    return f"Failed to launch async subagent '{agent}': {why}"


def unknown_agent(agent: str, available: Iterable[str]) -> str:
    listed = ", ".join(f"`{name}`" for name in available)
    return f"Unknown async subagent type `{agent}`. Available types: {listed or '(none)'}"


def unknown_task(task_id: str) -> str:
    return f"No tracked task found for task_id: {task_id!r}"


def not_checked(why: str) -> str:
    return f"Failed to get run status: {why}"


def not_updated(why: str) -> str:
    return f"Failed to update async subagent: {why}"


def updated(task_id: str, strategy: UpdateStrategy, before: str) -> str:
    """`before` is the status the task was in."""
    if strategy is UpdateStrategy.ENQUEUE and before in ACTIVE:
        return (
            "Queued follow-up to async subagent without interrupting its current run. "
            f"task_id: {task_id}"
        )
    text = f"Updated async subagent. task_id: {task_id}"
    if before == TaskStatus.WAITING:
        text += ". It was waiting for a human; that request was dropped."
    return text


def cancelled(end: TaskEnd) -> str:
    """What became of a cancel; an error unless `end.outcome` is CANCELLED."""
    match end.outcome:
        case Outcome.CANCELLED:
            return f"Cancelled async subagent task: {end.task_id}"
        case Outcome.ALREADY:
            return (
                f"Not cancelled: async subagent task {end.task_id} was over already, with status "
                f"{end.status.value}. `check_async_task` has its result."
            )
        case _:
            return (
                f"Failed to cancel run: the end of async subagent task {end.task_id} is not "
                f"certain: {end.detail}."
            )


def checked(
    status: str,
    task_id: str,
    *,
    result: str | None = None,
    error: object = None,
    interrupts: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """What a check finds, as it stands in the JSON; `result` where it is text alone."""
    found: dict[str, Any] = {"status": status, "thread_id": task_id}
    match status:
        case "pending":
            found["note"] = _PENDING
        case "success" if result is not None:
            found["result"] = result
        case "error":
            found["error"] = str(error) if error else _NO_ERROR
        case "waiting":
            found["interrupts"] = [
                {"id": one.get("id"), "value": one.get("value")} for one in interrupts
            ]
            found["note"] = _WAITING
        case _:
            pass
    return found


def as_json(found: Mapping[str, Any]) -> str:
    return json.dumps(found)


def still_at_it(found: Mapping[str, Any], waited_s: float) -> dict[str, Any]:
    """A check after a wait that was too short."""
    return {
        **found,
        "waited_s": round(waited_s, 1),
        "note": "It is not over yet, and goes on. Do something else, or wait once more.",
    }


def listed(lines: Sequence[str], *, more: bool) -> str:
    text = f"{len(lines)} tracked task(s):\n" + "\n".join(lines)
    return text + "\n(There are older ones; `check_async_task` knows them.)" if more else text


def line(task: Task, status: str | None) -> str:
    """One task of a list; `status` is None where its server does not tell."""
    told = status or f"{task.status.value} (when it was last seen; its server does not answer now)"
    text = f"- task_id: {task.task_id}  agent: {task.agent_name}  status: {told}"
    purpose = " ".join((task.purpose or "").split())
    return f"{text}  purpose: {purpose}" if purpose else text


def cut(text: str, limit: int) -> str:
    """`text`, and where there is too much of it a note in the place of the rest."""
    if len(text) <= limit:
        return text
    return f"{text[:limit]}\n... [cut off after {limit:,} of {len(text):,} characters]"


def reason(status: int, phrase: str, body: object) -> str:
    """Why a request failed, as langgraph's SDK would read it from the answer."""
    if isinstance(body, dict):
        inner = body.get("error")
        places = [body.get("message"), body.get("detail"), inner]
        if isinstance(inner, dict):
            places += [inner.get("message"), inner.get("detail")]
        for said in places:
            if isinstance(said, str) and said:
                return said
    return f"{status} {phrase}".strip()
