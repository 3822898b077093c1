"""What supervisors do at random, and what one of them sees of it."""

import json
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.contract.agent_client import Answer, run_of
from tests.support.supervisors import SupervisorClient

_UUID = re.compile(r"[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
_HEX = re.compile(r"\b(?:[0-9a-f]{32}|[0-9a-f]{16})\b")
_SHORT = re.compile(r'("short_id": )"[0-9a-f]+"')
_TIME = re.compile(r"\b1\d{12}\b|\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*(?:Z|\+00:00)")
_COUNTED = re.compile(r'("(?:tokens|cost_usd|live_tasks)": )[^,]+')
_UNSETTLED = re.compile(r"\b(?:pending|running|busy|interrupted|cancelled|idle)\b")
"""When a server moves on is its own affair."""
_TOLD = ("content-type", "content-location", "x-subagent-sidecar", "x-pagination-total")
_NOWHERE = "12345678-0000-7000-8000-000000000001", "12345678-0000-7000-8000-000000000002"


@dataclass
class Told:
    """What a supervisor was answered, with ids by the order in which it met them."""

    ids: dict[str, str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    own: int = 0

    def call(self, identifier: str, name: str) -> None:
        self.ids[identifier.lower()] = name

    def add(self, what: str, answer: Answer) -> None:
        fields = {name: answer.headers[name] for name in _TOLD if name in answer.headers}
        body = answer.body.decode()
        self.lines.append(self._plain(f"{what}: {answer.status} {json.dumps(fields)} {body}"))

    def _plain(self, text: str) -> str:
        text = _COUNTED.sub(r"\1...", _SHORT.sub(r"\1...", _UUID.sub(self._name, text)))
        return _UNSETTLED.sub("...", _TIME.sub("TIME", _HEX.sub("HEX", text)))

    def _name(self, found: "re.Match[str]") -> str:
        known = self.ids.get(found[0].lower())
        if known is None:
            self.own += 1
            known = self.ids[found[0].lower()] = f"id{self.own}"
        return known


@dataclass
class Actor:
    """A supervisor: what it has, what it knows of others', and what it was told."""

    client: SupervisorClient
    told: Told = field(default_factory=Told)
    threads: list[str] = field(default_factory=list)
    runs: list[tuple[str, str]] = field(default_factory=list)
    tasks: list[str] = field(default_factory=list)
    foreign: list[tuple[str, str]] = field(default_factory=list)
    """(thread id, run id)."""

    async def ask(self, what: str, method: str, path: str, body: Any = None, **more: Any) -> Answer:
        answer = await self.client.call(method, path, body, **more)
        self.told.add(what, answer)
        return answer

    async def use(self, tool: str, **arguments: object) -> Answer:
        answer = await self.client.tool(tool, **arguments)
        self.told.add(tool, answer)
        return answer


Deed = Callable[[Actor, int], Awaitable[object]]


async def make(actor: Actor, pick: int) -> None:
    metadata = {"project": "x" if pick % 2 else "y"}
    answer = await actor.ask("make", "POST", "/threads", {"metadata": metadata})
    actor.threads.append(answer.json["thread_id"])


async def run(actor: Actor, pick: int) -> None:
    if actor.threads:
        thread_id = actor.threads[pick % len(actor.threads)]
        path = f"/threads/{thread_id}/runs/wait"
        await actor.ask("run", "POST", path, run_of("researcher", multitask_strategy="interrupt"))


async def hang(actor: Actor, pick: int) -> None:
    if actor.threads:
        thread_id = actor.threads[pick % len(actor.threads)]
        body = run_of("hang", multitask_strategy="enqueue")
        answer = await actor.ask("hang", "POST", f"/threads/{thread_id}/runs", body)
        if answer.status == 200:
            actor.runs.append((thread_id, answer.json["run_id"]))


async def cancel(actor: Actor, pick: int) -> None:
    if actor.runs:
        thread_id, run_id = actor.runs.pop(pick % len(actor.runs))
        path = f"/threads/{thread_id}/runs/{run_id}/cancel?wait=1"
        await actor.ask("cancel", "POST", path)


async def look(actor: Actor, pick: int) -> None:
    if actor.threads:
        thread_id = actor.threads[pick % len(actor.threads)]
        await actor.ask("look", "GET", f"/threads/{thread_id}")
        await actor.ask("runs", "GET", f"/threads/{thread_id}/runs?limit=20")


async def search(actor: Actor, pick: int) -> None:
    body: dict[str, Any] = {"limit": 1 + pick % 3, "offset": pick % 4}
    if pick % 5 == 0:
        body["metadata"] = {"project": "x"}
    await actor.ask("search", "POST", "/threads/search", body)


async def delete(actor: Actor, pick: int) -> None:
    if len(actor.threads) > 2:
        thread_id = actor.threads.pop(pick % len(actor.threads))
        actor.runs = [run for run in actor.runs if run[0] != thread_id]
        await actor.ask("delete", "DELETE", f"/threads/{thread_id}")


async def start_task(actor: Actor, pick: int) -> None:
    answer = await actor.use("start_async_task", description="do it", subagent_type="hang")
    if answer.status == 200:
        actor.tasks.append(answer.json["task_id"])


async def check_task(actor: Actor, pick: int) -> None:
    if actor.tasks:
        await actor.use("check_async_task", task_id=actor.tasks[pick % len(actor.tasks)])


async def list_tasks(actor: Actor, pick: int) -> None:
    await actor.use("list_async_tasks")


async def session(actor: Actor, pick: int) -> None:
    """Both call theirs the same."""
    path = "/sidecar/sessions/s1"
    if pick % 3 == 0:
        await actor.ask("beat", "POST", f"{path}/heartbeat", {"lease_s": 60, "reopen": True})
    else:
        await actor.ask("session", "GET", path)


async def end_session(actor: Actor, pick: int) -> None:
    await actor.ask("end", "POST", "/sidecar/sessions/s1/end", {})


async def pry(actor: Actor, pick: int) -> None:
    """At what is another's."""
    if not actor.foreign:
        return
    thread_id, run_id = actor.foreign[pick % len(actor.foreign)]
    start = run_of("researcher")
    both = {"thread_id": thread_id, "run_ids": [run_id]}
    tries: list[tuple[str, str, Any]] = [
        ("GET", f"/threads/{thread_id}", None),
        ("GET", f"/threads/{thread_id.upper()}/state", None),
        ("GET", f"/threads/{thread_id}/runs", None),
        ("GET", f"/threads/{thread_id}/runs/{run_id}", None),
        ("POST", f"/threads/{thread_id}/runs", start),
        ("POST", f"/threads/{thread_id}/runs/{run_id}/cancel", None),
        ("POST", "/runs/cancel", both),
        ("DELETE", f"/threads/{thread_id}", None),
        ("POST", "/threads/search", {"ids": [thread_id]}),
        ("POST", "/runs/cancel", {"status": "all"}),
        ("GET", f"/sidecar/sessions/{thread_id}", None),
    ]
    method, path, body = tries[pick % len(tries)]
    await actor.ask("pry", method, path, body)
    tool = ("check_async_task", "cancel_async_task")[pick % 2]
    await actor.use(tool, task_id=str(thread_id))


DEEDS: Mapping[str, Deed] = {
    deed.__name__: deed
    for deed in (
        make, run, hang, cancel, look, search, delete, start_task, check_task, list_tasks,
        session, end_session, pry,
    )
}  # fmt: skip


@dataclass(frozen=True)
class Step:
    """`who` is "ann" or "bob"."""

    who: str
    deed: str
    pick: int


def story(seed: int, steps: int) -> list[Step]:
    random = Random(seed)
    names = list(DEEDS)
    return [
        Step(random.choice(["ann", "bob"]), random.choice(names), random.randrange(10_000))
        for _ in range(steps)
    ]


async def play(steps: list[Step], ann: SupervisorClient | None, bob: SupervisorClient) -> list[str]:
    """What bob was told. Without ann the threads that bob pries at are nowhere."""
    hers, his = Actor(ann or bob), Actor(bob)
    if ann is not None:
        for deed in (make, hang):
            await deed(hers, 0)
    _learn(his, hers.runs if ann is not None else [_NOWHERE])
    for step in steps:
        if step.who == "bob":
            await DEEDS[step.deed](his, step.pick)
        elif ann is not None:
            await DEEDS[step.deed](hers, step.pick)
            _learn(his, hers.runs)
    return his.told.lines


def _learn(actor: Actor, runs: Iterable[tuple[str, str]]) -> None:
    for thread_id, run_id in runs:
        if (thread_id, run_id) not in actor.foreign:
            actor.told.call(thread_id, "THREAD")
            actor.told.call(run_id, "RUN")
            actor.foreign.append((thread_id, run_id))
