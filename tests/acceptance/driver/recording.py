"""Write down how a story ended: what the model was shown, what the server holds, what is wrong in
the sidecar's record of it."""

import traceback
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import httpx
from tests.acceptance.driver.play import Play
from tests.acceptance.rig.asking import eventually, plain_http
from tests.acceptance.rig.truth import disagreements

Json = dict[str, Any]

_RECORD_WITHIN = 5.0


async def unbroken(scenario: Callable[[], Awaitable[Json]]) -> Json:
    """The scenario's recording; one that breaks is recorded with how it broke, and hides no
    other."""
    try:
        return await scenario()
    except Exception:  # noqa: BLE001  # see above
        return {"broken": traceback.format_exc()}


async def outcome(play: Play, *, admin: str | None, expected: Mapping[str, Any]) -> Json:
    """`expected` is what the sidecar's record must hold beside what the server tells.

    A scenario's last steps read the final state through the sidecar, so the record is given only
    a moment to follow.
    """
    runs = await play.runs()
    thread = await play.server.thread(play.task_id)
    found: Json = {
        "steps": play.steps,
        "tasks": play.supervisor.tasks,
        "thread": thread,
        "runs": runs,
    }
    if admin is None:
        return found
    truth = {
        "agent_name": play.subagent["name"],
        "assistant_id": play.subagent["graph_id"],
        **expected,
    }
    return found | await _compared(admin, play.task_id, truth, runs, thread)


async def _compared(
    admin: str, task_id: str, expected: Mapping[str, Any], runs: list[Json], thread: Json
) -> Json:
    """Asks until nothing is wrong, or for as long as a record may take."""

    async def compare() -> Json:
        record = await task_record(admin, task_id)
        wrong = disagreements(record, expected=expected, runs=runs, thread=thread)
        return {"record": record, "disagreements": wrong}

    def agreed(found: Json) -> bool:
        return not found["disagreements"]

    return await eventually(compare, agreed, within=_RECORD_WITHIN)


async def task_record(admin: str, task_id: str) -> Json:
    """The sidecar's record; empty while it has none."""
    async with plain_http(admin) as http:
        answer = await http.get(f"/v1/tasks/{task_id}")
    if answer.status_code == httpx.codes.NOT_FOUND:
        return {}
    record: Json = answer.raise_for_status().json()["task"]
    return record
