"""A watcher at work over books in memory and one server, at a pace for tests."""

from dataclasses import dataclass, field

from tests.support.agent_server import server_run
from tests.support.task_server import TaskServer
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import PATIENCE_S, eventually_got

from subagent_sidecar.clock import SystemClock
from subagent_sidecar.core.model import Run, Task, TaskRecord
from subagent_sidecar.core.watch import Tempo
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.ports import AgentServer, Headers
from subagent_sidecar.service import Service
from subagent_sidecar.watcher import Watcher

QUICK = Tempo(
    quick_s=(0.0, 0.01, 0.01),
    young_s=0.01,
    floor_s=0.03,
    ceiling_s=0.05,
    longest_s=0.1,
    recheck_s=3_600.0,
    batches_per_s=100.0,
    requests_per_s=2_000.0,
    burst=50,
    peeks_per_s=200.0,
)


@dataclass
class Desk:
    """`start` begins a task by the front door; the watcher is on once `watch` was called."""

    store: TroubledStore = field(default_factory=TroubledStore)
    server: TaskServer = field(default_factory=TaskServer)
    credentials: Credentials = field(default_factory=Credentials)
    tempo: Tempo = QUICK

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=SystemClock())
        self.watcher = self._watcher()

    def _watcher(self) -> Watcher:
        servers: dict[str, AgentServer] = {"up": self.server}
        return Watcher(
            service=self.service,
            store=self.store,
            clock=SystemClock(),
            servers=servers,
            credentials=self.credentials,
            tempo=self.tempo,
            confirm_s=0.05,
        )

    def watch(self) -> None:
        self.watcher.start()

    async def restart(self) -> None:
        """A new process over the same books: nothing but those is known."""
        await self.watcher.aclose()
        await self.service.flush()
        self.service = Service(store=self.store, clock=SystemClock())
        self.credentials = Credentials()
        self.watcher = self._watcher()
        self.watch()

    async def start(
        self,
        run_id: str = "r1",
        thread_id: str = "t",
        *,
        strategy: str | None = None,
        auth: Headers = (),
        status: str = "running",
    ) -> None:
        """A start that the server accepts, as the proxy would tell of it."""
        intent = await self.service.admit(
            upstream="up", supervisor="ann", thread_id=thread_id, strategy=strategy
        )
        self.server.begin(run_id, thread_id, status=status)
        self.service.accepted(intent, [server_run(run_id, thread_id)])
        self.watcher.keep(thread_id, auth=auth)

    async def record(self, thread_id: str = "t") -> TaskRecord:
        await self.service.entered()
        record = await self.store.task(thread_id)
        assert record is not None
        return record

    async def task(self, thread_id: str = "t") -> Task:
        return (await self.record(thread_id)).task

    async def task_when(self, status: str, thread_id: str = "t") -> Task:
        return await eventually_got(
            lambda: self.task(thread_id), lambda task: task.status == status, within=PATIENCE_S
        )

    async def run_when(self, run_id: str, status: str, thread_id: str = "t") -> Run:
        async def ask() -> Run | None:
            runs = (await self.record(thread_id)).runs
            return next((run for run in runs if run.run_id == run_id), None)

        found = await eventually_got(
            ask, lambda run: run is not None and run.status == status, within=PATIENCE_S
        )
        assert found is not None
        return found
