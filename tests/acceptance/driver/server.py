"""What the agent server itself says, asked directly and never through a sidecar."""

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol

import httpx
from tests.acceptance.rig.asking import eventually

Json = dict[str, Any]

ACTIVE = frozenset({"pending", "running"})


class Server(Protocol):
    """Truth about threads and runs; `known` are the run ids the caller has heard of.

    `queues`: a second run waits for the first one when asked to. `cancel_stops_work`: a cancelled
    subagent really stops. `cancel_flips_ended`: even a run that has failed is called cancelled.
    """

    queues: bool
    cancel_stops_work: bool
    cancel_flips_ended: bool

    async def thread(self, thread_id: str) -> Json: ...

    async def runs(self, thread_id: str, known: Iterable[str]) -> list[Json]:
        """The thread's runs, newest first."""


class LangGraphServer:
    queues = True
    cancel_stops_work = True
    cancel_flips_ended = False

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def thread(self, thread_id: str) -> Json:
        return await _object(self._http, f"/threads/{thread_id}")

    async def runs(self, thread_id: str, known: Iterable[str]) -> list[Json]:
        answer = await self._http.get(f"/threads/{thread_id}/runs", params={"limit": 100})
        runs: list[Json] = answer.raise_for_status().json()
        return runs


class SelfHostedServer:
    """Lists no runs: asks for every run it is told about."""

    queues = False
    cancel_stops_work = False
    cancel_flips_ended = True

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http

    async def thread(self, thread_id: str) -> Json:
        return await _object(self._http, f"/threads/{thread_id}")

    async def runs(self, thread_id: str, known: Iterable[str]) -> list[Json]:
        paths = [f"/threads/{thread_id}/runs/{run_id}" for run_id in known]
        runs = await asyncio.gather(*(_object(self._http, path) for path in paths))
        return sorted(runs, key=lambda run: str(run["created_at"]), reverse=True)


async def _object(http: httpx.AsyncClient, path: str) -> Json:
    answer = await http.get(path)
    found: Json = answer.raise_for_status().json()
    return found


async def at_rest(server: Server, thread_id: str, known: Iterable[str]) -> None:
    """Returns when no run is active any more and the thread says so too."""
    known = tuple(known)

    async def resting() -> bool:
        runs = await server.runs(thread_id, known)
        thread = await server.thread(thread_id)
        return thread.get("status") != "busy" and not any(r["status"] in ACTIVE for r in runs)

    if not await eventually(resting, bool, within=60):
        raise TimeoutError(f"thread {thread_id} does not come to rest")
