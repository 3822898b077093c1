"""A reaper over books in memory, with a clock that stands still and a server moved by hand."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.support.reaping import rule
from tests.support.task_server import TaskServer
from tests.support.troubled_store import TroubledStore

from subagent_sidecar.core.cancel import Outcome, TaskEnd
from subagent_sidecar.core.feed import EventQuery
from subagent_sidecar.core.model import EndedBy, Event, TaskRecord, TaskStatus
from subagent_sidecar.core.policy import LifecycleRule, Policy
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.errors import SidecarError
from subagent_sidecar.ports import AgentServer, ServerRun
from subagent_sidecar.reaper import Reaper
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock

SWEEP_S = 5.0


@dataclass
class Ender:
    """ports.TaskEnder, which has the server obey at once unless `obeyed` is False. Fails with the
    next of `errors`; `gate` holds everybody up."""

    desk: "Desk"
    asked: list[tuple[str, str, float]] = field(default_factory=list)
    errors: list[SidecarError] = field(default_factory=list)
    obeyed: bool = True
    gate: asyncio.Event | None = None

    async def end_task(
        self,
        task_id: str,
        *,
        by: EndedBy,
        reason: str,
        wait_s: float,
        up_to: str | None = None,
    ) -> TaskEnd:
        assert by is EndedBy.REAPER
        self.asked.append((task_id, reason, wait_s))
        if self.gate is not None:
            await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        if self.obeyed and (await self.desk.record(task_id)).task.live:
            await self.desk.ends(task_id, "interrupted")
        outcome = Outcome.CANCELLED if self.obeyed else Outcome.ASKED
        status = TaskStatus.CANCELLED if self.obeyed else TaskStatus.RUNNING
        return TaskEnd(task_id=task_id, outcome=outcome, status=status, run_id=None, detail="")

    @property
    def tasks(self) -> list[str]:
        return [task_id for task_id, _, _ in self.asked]


@dataclass
class Desk:
    """`far` is a second server. Its tasks are those whose id begins with `far`."""

    rules: Sequence[LifecycleRule] = ()
    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)
    server: TaskServer = field(default_factory=TaskServer)
    far: TaskServer = field(default_factory=TaskServer)
    unknown: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.ender = Ender(self)
        self.begin()

    @classmethod
    def by(cls, **said: Any) -> "Desk":
        return cls([rule("r", **said)])

    def begin(self) -> None:
        """A process over the books there are."""
        self.service = Service(store=self.store, clock=self.clock)
        self.service.policy = Policy(lifecycle=tuple(self.rules))
        self.reaper = self.another()
        self.service.observe(self.reaper, ends_only=True)
        self.service.on_session_ended(self.reaper.session_ended)

    def another(self, *, interval_s: float = SWEEP_S) -> Reaper:
        """A second process over the same books, or the next one."""
        servers: dict[str, AgentServer] = {"up": self.server, "far": self.far}
        return Reaper(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=servers,
            credentials=Credentials(),
            ender=self.ender,
            reachability=self,
            interval_s=interval_s,
        )

    def unknown_since(self, upstream: str, task_id: str) -> str | None:
        """ports.Reachability."""
        return self.unknown.get(upstream)

    async def started(
        self,
        task_id: str = "t",
        *,
        session: str = "s",
        status: str = "running",
        run_id: str | None = None,
        agent: str = "coder",
    ) -> None:
        upstream = "far" if task_id.startswith("far") else "up"
        run_id = run_id or f"{task_id}/1"
        intent = await self.service.admit(
            upstream=upstream,
            supervisor="ann",
            thread_id=task_id,
            header_session=session,
            agent_name=agent,
        )
        self.on(task_id).begin(run_id, task_id, status=status)
        self.service.accepted(intent, [ServerRun(run_id=run_id, thread_id=task_id, status=status)])
        await self.service.entered()

    def on(self, task_id: str) -> TaskServer:
        return self.far if task_id.startswith("far") else self.server

    async def ends(
        self, task_id: str, status: str, word: str = "idle", *, seen: bool = True
    ) -> None:
        """Its newest run ends on the server; `seen`: and somebody sees it."""
        upstream = "far" if task_id.startswith("far") else "up"
        run_id = list(self.on(task_id).threads_[task_id].runs)[-1]
        self.on(task_id).end(run_id, status, word, task_id)
        if seen:
            self.service.seen.run(upstream, task_id, run_id, status)
            self.service.seen.thread(upstream, task_id, word)
            await self.service.entered()

    async def session_ends(self) -> None:
        await self.service.sessions.end("ann", "s", by=EndedBy.SUPERVISOR, reason=None)

    async def waits(self, task_id: str = "t") -> None:
        await self.ends(task_id, "success", "interrupted")

    async def sweep(self, reaper: Reaper | None = None) -> None:
        """One sweep, and everything it begins."""
        await (reaper or self.reaper).sweep()
        await (reaper or self.reaper).settled()
        await self.service.entered()

    async def after(self, seconds: float) -> None:
        """Sweep as often as it would in that time."""
        while seconds > 0:
            step = min(seconds, SWEEP_S)
            self.clock.tick(step)
            seconds -= step
            await self.sweep()

    async def record(self, task_id: str = "t") -> TaskRecord:
        found = await self.store.task(task_id)
        assert found is not None
        return found

    async def told(self, *kinds: str) -> list[Event]:
        kinds = kinds or ("reaped", "abandoned", "would_reap")
        query = EventQuery(kinds=frozenset(kinds), limit=100)
        return [each.event for each in await self.store.newest_events(query)]


Moves = Callable[[Desk], Awaitable[object]]
