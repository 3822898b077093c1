"""Many starts of one session at once, and what became of them at the server."""

import asyncio
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from tests.contract.agent_client import AgentClient, run_of

from subagent_sidecar.testing import FakeAgentServer, FaultKind, LedgerEntry

REFUSED = 403
FAILED = 429
CUT = 0
"""The status of a start that nobody answered, because the sidecar was killed."""


def fail_a_third(server: FakeAgentServer) -> None:
    """Of the starts of a storm, every third of those that get as far as the server."""
    server.faults.add(
        FaultKind.STATUS, "/threads/*f/runs", method="POST", times=None, status=FAILED
    )


@dataclass
class Storm:
    """`taken` is what the server took of them, `counted` the answers by their status."""

    server: FakeAgentServer
    client: AgentClient
    session: str
    threads: set[str] = field(default_factory=set)
    counted: Counter[int] = field(default_factory=Counter)

    async def fire(self, count: int, *, graph: str = "hang") -> Counter[int]:
        """All at once; the statuses of the answers."""
        starts = (self.start(graph, fails=number % 3 == 2) for number in range(count))
        return Counter(await asyncio.gather(*starts))

    async def start(self, graph: str, *, fails: bool = False, form: str = "") -> int:
        """One start of a new task. `fails`: it is one of the third that may."""
        thread_id = f"{str(uuid.uuid4())[:-1]}{'f' if fails else '0'}"
        self.threads.add(thread_id)
        body = run_of(graph, thread_id, if_not_exists="create")
        headers = {"x-subagent-session": self.session}
        try:
            answer = await self.client.call(
                "POST", f"/threads/{thread_id}/runs{form}", body, headers=headers
            )
        except (aiohttp.ClientError, OSError):
            self.counted[CUT] += 1
            return CUT
        self.counted[answer.status] += 1
        return answer.status

    @property
    def taken(self) -> list[LedgerEntry]:
        return [entry for entry in self.server.ledger if entry.thread_id in self.threads]


@asynccontextmanager
async def unlimited(url: str) -> AsyncIterator[AgentClient]:
    """A client with as many connections as it has requests: what is fired at once goes at once."""
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=120)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield AgentClient(session, url)
