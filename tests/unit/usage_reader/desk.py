"""A reader of usage on books in memory, and the server it reads from."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.agent_server import ScriptedServer, server_run
from tests.support.troubled_store import TroubledStore

from subagent_sidecar.core.model import Usage, UsageEntry, total
from subagent_sidecar.core.usage import Reading
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.errors import UpstreamUnreachable
from subagent_sidecar.ports import AgentServer
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock
from subagent_sidecar.usage_reader import UsageReader

INTERVAL, RATE = 15.0, 10.0
KEY = [(b"x-api-key", b"secret")]
DOWN = UpstreamUnreachable("no connection")


def message(number: int, *, given: int = 100, written: int = 10, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"m{number}",
        "usage_metadata": {"input_tokens": given, "output_tokens": written},
        "response_metadata": {"model_name": "a-model"},
        **fields,
    }


@dataclass
class Desk:
    """A reader of `up` and of another server, on books in memory; a token is a micro-dollar."""

    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)
    server: ScriptedServer = field(default_factory=ScriptedServer)
    elsewhere: ScriptedServer = field(default_factory=ScriptedServer)
    credentials: Credentials = field(default_factory=Credentials)
    priced: bool = True
    spare: bool = True

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.reader = self.new_reader()
        self.service.observe(self.reader, began=self.reader.runs_began)

    def new_reader(self) -> UsageReader:
        """Another process, begun now."""
        servers: dict[str, AgentServer] = {"up": self.server, "elsewhere": self.elsewhere}
        return UsageReader(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=servers,
            credentials=self.credentials,
            cost=lambda reading, at: self.cost(reading),
            interval_s=INTERVAL,
            spare=lambda _: self.spare,
            rate=RATE,
            settle_s=0.0,
            jitter=lambda: 1.0,
        )

    def cost(self, reading: Reading) -> int | None:
        return reading.input_tokens + reading.output_tokens if self.priced else None

    async def start(self, run_id: str = "r1", thread_id: str = "t") -> None:
        intent = await self.service.admit(upstream="up", supervisor="ann", thread_id=thread_id)
        self.clock.tick(0.001)
        self.service.accepted(intent, [server_run(run_id, thread_id)])

    def moves(self, status: str, run_id: str = "r1", thread_id: str = "t") -> None:
        self.clock.tick(0.001)
        self.service.seen.run("up", thread_id, run_id, status)

    def answers(self, *messages: Any) -> None:
        self.server.shown = messages

    async def pass_time(self, seconds: float) -> None:
        """Let time go by in steps as the reader takes them."""
        left = seconds
        while left > 0:
            wait = await self.reader.turn("up")
            step = min(left, max(wait if wait is not None else left, 0.001))
            self.clock.tick(step)
            left -= step
        await self.reader.turn("up")

    async def entries(self, thread_id: str = "t") -> Sequence[UsageEntry]:
        await self.service.flush()
        record = await self.store.task(thread_id)
        assert record is not None
        return record.usage

    async def usage(self, thread_id: str = "t") -> Usage | None:
        return total(await self.entries(thread_id))

    async def by_run(self) -> dict[str, str]:
        return {entry.message_id: entry.run_id for entry in await self.entries()}
