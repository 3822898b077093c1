"""Threads that failed starts leave behind: which go, when, and what only looks like one."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tests.support.agent_server import ScriptedServer, server_run
from tests.support.refusals import policy

from subagent_sidecar.core.model import Intent
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.ports import AgentServer
from subagent_sidecar.service import Service
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.testing import FakeClock
from subagent_sidecar.tidier import Leftovers

KEY = [(b"x-api-key", b"secret")]
NOTHING = policy('limits: [{name: a, match: {agent: "*"}, deny: true}]')
REMOVED = ["runs of t", "blank t", "delete t"]
LATER_S = 61.0


@dataclass
class Desk:
    """What a restart finds: books in memory, and a server called `up` with a blank thread."""

    store: MemoryStore = field(default_factory=MemoryStore)
    clock: FakeClock = field(default_factory=FakeClock)
    server: ScriptedServer = field(default_factory=ScriptedServer)
    credentials: Credentials = field(default_factory=Credentials)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.server.blank = self.clock.now().isoformat()
        self.leftovers = self.begun()

    def begun(self) -> Leftovers:
        servers: dict[str, AgentServer] = {"up": self.server}
        return Leftovers(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=servers,
            credentials=self.credentials,
        )

    def made(self, thread_id: str = "t", **facts: Any) -> None:
        usual = {"upstream": "up", "supervisor": "ann", "session_id": None, "agent_name": "coder"}
        self.service.seen.thread_made(thread_id, **{**usual, **facts})

    async def let_in(self, thread_id: str = "t", **facts: Any) -> Intent:
        return await self.service.admit(
            upstream="up", supervisor="ann", thread_id=thread_id, assistant_id="graph", **facts
        )

    async def failed(self, thread_id: str = "t") -> None:
        self.service.released(await self.let_in(thread_id), "the server answered 404")

    async def refused(self) -> None:
        self.service.policy = NOTHING
        with pytest.raises(Refused):
            await self.let_in()
        self.service.policy = Policy()

    async def later(self) -> int:
        self.clock.tick(LATER_S)
        return await self.leftovers.sweep()


@pytest.fixture
def desk() -> Desk:
    return Desk()


async def it_failed(desk: Desk) -> None:
    desk.made()
    await desk.failed()


async def it_was_refused_and_then_we_stopped(desk: Desk) -> None:
    desk.made()
    await desk.refused()


async def its_connection_broke_before_a_run(desk: Desk) -> None:
    """It was in doubt, so its task is on record; then the server was asked."""
    desk.made()
    intent = await desk.let_in()
    desk.service.doubted(intent, "the connection broke")
    desk.service.released(intent, "the server has no run for it")


@pytest.mark.parametrize(
    "beginning",
    [it_failed, it_was_refused_and_then_we_stopped, its_connection_broke_before_a_run],
    ids=lambda beginning: beginning.__name__,
)
@pytest.mark.parametrize("restarted", [False, True])
async def test_its_thread_goes_a_minute_later_when(
    beginning: Callable[[Desk], Awaitable[None]], restarted: bool, desk: Desk
) -> None:
    desk.credentials.keep("t", KEY)
    await beginning(desk)
    assert (await desk.leftovers.sweep(), desk.server.asked) == (0, [])
    if restarted:
        desk.leftovers = desk.begun()
    assert (await desk.later(), desk.server.asked) == (1, REMOVED)
    assert [list(auth) for auth in desk.server.presented] == [KEY] * 3
    assert (await desk.later(), desk.server.asked) == (0, REMOVED)


async def it_was_made_for_nobody_by_name(desk: Desk) -> None:
    """A person's conversation, say, in which the same start may be sent once more any time."""
    desk.made(agent_name=None)
    await desk.failed()


async def nobody_made_it_here(desk: Desk) -> None:
    await desk.failed()


async def it_lives_elsewhere(desk: Desk) -> None:
    desk.made(upstream="other")
    await desk.failed()


async def a_start_came_after(desk: Desk) -> None:
    await it_failed(desk)
    desk.service.accepted(await desk.let_in(), [server_run("r")])


async def a_start_is_on_its_way(desk: Desk) -> None:
    await it_failed(desk)
    await desk.let_in()


async def a_start_is_in_doubt(desk: Desk) -> None:
    await it_failed(desk)
    desk.service.doubted(await desk.let_in(), "the connection broke")


async def it_had_a_task_before(desk: Desk) -> None:
    desk.made()
    desk.service.accepted(await desk.let_in(), [server_run("r")])
    desk.service.seen.run("up", "t", "r", "success")
    await desk.failed()


async def a_cron_is_on_it(desk: Desk) -> None:
    await it_failed(desk)
    desk.service.cron_created(await desk.let_in(cron=True), "cron-1")


async def the_server_lists_a_run(desk: Desk) -> None:
    await it_failed(desk)
    desk.server.listed = [server_run("r")]


async def the_server_lists_no_runs_at_all(desk: Desk) -> None:
    await it_failed(desk)
    desk.server.listed = None


async def something_is_in_it(desk: Desk) -> None:
    await it_failed(desk)
    desk.server.blank = None


async def the_server_has_had_it_for_long(desk: Desk) -> None:
    await it_failed(desk)
    desk.server.blank = (desk.clock.now() - timedelta(hours=1)).isoformat()


@pytest.mark.parametrize(
    "beginning",
    [
        it_was_made_for_nobody_by_name,
        nobody_made_it_here,
        it_lives_elsewhere,
        a_start_came_after,
        a_start_is_on_its_way,
        a_start_is_in_doubt,
        it_had_a_task_before,
        a_cron_is_on_it,
        the_server_lists_a_run,
        the_server_lists_no_runs_at_all,
        something_is_in_it,
        the_server_has_had_it_for_long,
    ],
    ids=lambda beginning: beginning.__name__,
)
async def test_a_thread_stays_when(
    beginning: Callable[[Desk], Awaitable[None]], desk: Desk
) -> None:
    await beginning(desk)
    assert await desk.later() == 0
    assert "delete t" not in desk.server.asked


async def test_whoever_tries_again_puts_it_off(desk: Desk) -> None:
    await it_failed(desk)
    desk.clock.tick(40.0)
    await desk.failed()
    desk.clock.tick(40.0)
    assert await desk.leftovers.sweep() == 0
    assert await desk.later() == 1


async def test_what_fails_is_tried_three_times(desk: Desk) -> None:
    await it_failed(desk)
    desk.server.failures = 2
    assert [await desk.later() for _ in range(3)] == [0, 0, 1]
    await desk.failed()
    desk.server.failures, desk.server.asked = 9, []
    for _ in range(5):
        await desk.later()
    assert desk.server.asked == ["runs of t"] * 3


async def test_what_failed_long_before_a_restart_is_left_to_itself(desk: Desk) -> None:
    await it_failed(desk)
    desk.clock.tick(2 * 3_600.0)
    assert await desk.begun().sweep() == 0
    assert desk.server.asked == []


async def test_many_are_found_however_many_there_are(desk: Desk) -> None:
    for number in range(600):
        desk.made(f"t{number}")
        await desk.failed(f"t{number}")
    assert await desk.later() == 600
