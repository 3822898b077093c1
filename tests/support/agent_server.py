"""ports.AgentServer by hand: says what it is told to say, and notes what it was asked."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from subagent_sidecar.core.ghosts import SeenThread
from subagent_sidecar.errors import UpstreamError
from subagent_sidecar.ports import Headers, ServerRun, ThreadState


@dataclass
class ScriptedServer:
    """`statuses` are told one after the other, the last one for ever; None is "no such run".
    `down` fails every call, `failures` the next so many; `gate` holds them all until it is set."""

    listed: Sequence[ServerRun] | None = ()
    statuses: list[str | None] = field(default_factory=lambda: ["running"])
    thread: str | None = "idle"
    result: str | None = "success"
    shown: Sequence[Any] | None = ()
    blank: str | None = "9999-01-01T00:00:00+00:00"
    graph: str | None = "researcher"
    given: Any = None
    threads_listed: Sequence[SeenThread] | None = ()
    cancels: bool = True
    down: UpstreamError | None = None
    failures: int = 0
    gate: asyncio.Event | None = None
    asked: list[str] = field(default_factory=list)
    presented: list[Headers] = field(default_factory=list)

    async def _call(self, what: str, auth: Headers) -> None:
        self.asked.append(what)
        self.presented.append(auth)
        if self.gate is not None:
            await self.gate.wait()
        if self.down is not None:
            raise self.down
        if self.failures:
            self.failures -= 1
            raise UpstreamError("the server answered 500")

    async def run(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> ServerRun | None:
        await self._call(f"run {run_id}", auth)
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return None if status is None else server_run(run_id, thread_id, status)

    async def runs(
        self, thread_id: str, *, limit: int, auth: Headers = ()
    ) -> Sequence[ServerRun] | None:
        await self._call(f"runs of {thread_id}", auth)
        return self.listed

    async def thread_status(self, thread_id: str, *, auth: Headers = ()) -> str | None:
        await self._call(f"thread {thread_id}", auth)
        return self.thread

    async def threads(
        self, thread_ids: Sequence[str], *, auth: Headers = ()
    ) -> Mapping[str, str] | None:
        await self._call(f"threads {' '.join(thread_ids)}", auth)
        return None if self.thread is None else dict.fromkeys(thread_ids, self.thread)

    async def run_input(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> Any:
        await self._call(f"input of {run_id}", auth)
        return self.given

    async def listed_threads(
        self, *, limit: int, offset: int, auth: Headers = ()
    ) -> Sequence[SeenThread] | None:
        await self._call(f"threads from {offset}", auth)
        if self.threads_listed is None:
            return None
        return self.threads_listed[offset : offset + limit]

    async def state(self, thread_id: str, *, auth: Headers = ()) -> ThreadState | None:
        await self._call(f"messages of {thread_id}", auth)
        return None if self.shown is None else ThreadState(messages=self.shown)

    async def cancel(
        self, thread_id: str, run_id: str, *, rollback: bool = False, auth: Headers = ()
    ) -> bool:
        await self._call(f"{'rollback' if rollback else 'cancel'} {run_id}", auth)
        return self.cancels

    async def blank_since(self, thread_id: str, *, auth: Headers = ()) -> str | None:
        await self._call(f"blank {thread_id}", auth)
        return self.blank

    async def delete_thread(self, thread_id: str, *, auth: Headers = ()) -> bool:
        await self._call(f"delete {thread_id}", auth)
        return self.thread is not None

    async def graph_of(self, assistant_id: str, *, auth: Headers = ()) -> str | None:
        await self._call(f"graph of {assistant_id}", auth)
        return self.graph

    async def graph_of_tool(self, tool: str, *, auth: Headers = ()) -> str | None:
        await self._call(f"graph of tool {tool}", auth)
        return self.graph

    async def outcome(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> str | None:
        await self._call(f"outcome of {run_id}", auth)
        return self.result


def server_run(
    run_id: str,
    thread_id: str = "t",
    status: str = "pending",
    *,
    created_at: str | None = None,
    request_id: str | None = None,
    updated_at: str | None = None,
) -> ServerRun:
    return ServerRun(
        run_id=run_id,
        thread_id=thread_id,
        status=status,
        created_at=created_at,
        request_id=request_id,
        updated_at=updated_at,
    )
