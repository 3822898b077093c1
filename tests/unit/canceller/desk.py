"""A canceller on books in memory, and the server it asks."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tests.support.agent_server import ScriptedServer, server_run
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually

from subagent_sidecar.canceller import RunCanceller, TaskCanceller
from subagent_sidecar.canceller.pursuit import Pursuit
from subagent_sidecar.core.cancel import Rollback, TaskEnd
from subagent_sidecar.core.model import EndedBy, Run, TaskRecord
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.ports import AgentServer
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock

KEY = ((b"x-api-key", b"k"),)
VERIFY_FOR = 15.0


class SlowStarter(TroubledStore):
    """Cannot say what is open the first `unreadable` times."""

    unreadable = 0

    async def open_cancels(self, *, limit: int) -> Sequence[tuple[str, Run]]:
        if self.unreadable:
            self.unreadable -= 1
            raise StoreUnavailable("locked")
        return await super().open_cancels(limit=limit)


@dataclass
class Desk:
    """One server called `up`. Time passes while the canceller sleeps, up to `until`."""

    store: SlowStarter = field(default_factory=SlowStarter)
    server: ScriptedServer = field(default_factory=ScriptedServer)
    clock: FakeClock = field(default_factory=FakeClock)
    credentials: Credentials = field(default_factory=Credentials)
    rollback: Rollback = Rollback.OURS
    until: float = 1_000.0
    at_once: int = 100
    asleep: int = 0
    rests: list[tuple[float, asyncio.Event]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        servers: dict[str, AgentServer] = {"up": self.server}
        self.runs = RunCanceller(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=servers,
            credentials=self.credentials,
            verify_for=timedelta(seconds=VERIFY_FOR),
            rollback=self.rollback,
            sleep=self._sleep,
            rest=self._rest,
            at_once=self.at_once,
        )
        self.tasks = TaskCanceller(
            runs=self.runs,
            service=self.service,
            store=self.store,
            servers=servers,
            credentials=self.credentials,
        )

    async def _sleep(self, seconds: float) -> None:
        if self.clock.monotonic() + seconds > self.until:
            self.asleep += 1
            await asyncio.Event().wait()
        self.clock.tick(seconds)
        await asyncio.sleep(0)

    async def _rest(self, seconds: float) -> None:
        over = asyncio.Event()
        self.rests.append((seconds, over))
        await over.wait()

    async def rested(self) -> float:
        """Let the next rest before a second look pass; how long it was."""
        await eventually(lambda: bool(self.rests))
        seconds, over = self.rests.pop(0)
        self.clock.tick(seconds)
        over.set()
        return seconds

    async def start(self, run_id: str = "r1", task_id: str = "t") -> None:
        intent = await self.service.admit(upstream="up", supervisor="ann", thread_id=task_id)
        self.service.accepted(intent, [server_run(run_id, task_id)])
        self.clock.tick(1)

    async def wish(self, run_id: str = "r1", task_id: str = "t") -> None:
        """On record as to be cancelled, by nobody who is there any more."""
        await self.start(run_id, task_id)
        self.service.cancels.asked("up", task_id, run_id, by=EndedBy.OPERATOR, reason="enough")
        await self.service.flush()

    def end(self, run_id: str = "r1", *, by: EndedBy = EndedBy.OPERATOR) -> Pursuit:
        return self.runs.end("up", "t", run_id, by=by)

    async def idle(self) -> None:
        """Wait until there is nothing left to do before `until`."""
        await eventually(lambda: self.runs.pursuing == self.asleep)

    async def record(self, task_id: str = "t") -> TaskRecord:
        await self.service.flush()
        record = await self.store.task(task_id)
        assert record is not None
        return record

    def asked(self, *words: str) -> list[str]:
        """What the server was asked that begins with one of these words."""
        return [what for what in self.server.asked if what.split()[0] in words]

    async def end_task(self, task_id: str = "t", *, wait_s: float = 20.0) -> TaskEnd:
        return await self.tasks.end_task(
            task_id, by=EndedBy.OPERATOR, reason="enough", wait_s=wait_s
        )
