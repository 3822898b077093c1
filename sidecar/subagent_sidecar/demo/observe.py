"""What the sidecar knows, read from its admin plane, and put into words when it changes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp

from .processes import DemoFailed

ENDED = frozenset({"success", "error", "timeout", "cancelled"})


@dataclass(frozen=True, slots=True)
class Seen:
    """One task as the sidecar has it on record. `tokens` are its sum once its newest run was read:
    before that it is the sum of the earlier ones, which nobody would take for the whole."""

    task_id: str
    agent: str
    status: str
    runs: int
    session: str
    tokens: tuple[int, int] | None

    @property
    def name(self) -> str:
        return f"{self.agent} {self.task_id}"


def read_tasks(body: Mapping[str, Any]) -> list[Seen]:
    """The tasks of a page of `/v1/tasks`, oldest first."""
    return [_read_task(record) for record in reversed(body["tasks"])]


def _read_task(record: Mapping[str, Any]) -> Seen:
    runs = record.get("runs") or ()
    newest = runs[-1].get("usage") if runs else None
    usage = (newest and record.get("usage")) or {}
    read, written = usage.get("input_tokens"), usage.get("output_tokens")
    return Seen(
        task_id=record["task_id"],
        agent=record["agent_name"],
        status=record["status"],
        runs=len(runs),
        session=record["session_id"],
        tokens=None if read is None or written is None else (read, written),
    )


def changes(before: Mapping[str, Seen], now: Sequence[Seen]) -> Iterator[str]:
    """What the sidecar has learnt since it was last asked, a phrase for each thing."""
    for task in now:
        known = before.get(task.task_id)
        if known is None:
            yield f"{task.name} is on record: {task.status}, session {task.session}"
            continue
        if task.runs > known.runs > 0:
            yield f"{task.name} has a new run, number {task.runs}: run {known.runs} is superseded"
        if task.status != known.status:
            used = f", {_tokens(task)}" if _tokens(task) else ""
            yield f"{task.name} {known.status} → {task.status}{used}"
        elif _tokens(task) and not _tokens(known):
            yield f"{task.name} used {_tokens(task)}"


def _tokens(task: Seen) -> str:
    if task.tokens is None or task.status not in ENDED:
        return ""
    return f"{task.tokens[0]} tokens in, {task.tokens[1]} out"


class Observer:
    """Asks the sidecar again and again what it knows."""

    def __init__(self, session: aiohttp.ClientSession, admin_url: str) -> None:
        self._session = session
        self._url = f"{admin_url}/v1/tasks"
        self.known: dict[str, Seen] = {}

    async def look(self) -> list[str]:
        """Ask now; says what is new, in order."""
        try:
            async with self._session.get(self._url, params={"all": "true"}) as answer:
                answer.raise_for_status()
                now = read_tasks(await answer.json())
        except (aiohttp.ClientError, TimeoutError) as error:
            why = str(error) or type(error).__name__
            raise DemoFailed(f"The sidecar does not say what it knows: {why}.") from error
        news = list(changes(self.known, now))
        self.known = {task.task_id: task for task in now}
        return news

    def has_ended(self, agent: str) -> bool:
        """Whether the agent's task has ended for the sidecar; for "all", every task on record."""
        statuses = [t.status for t in self.known.values() if agent in (t.agent, "all")]
        return bool(statuses) and ENDED.issuperset(statuses)
