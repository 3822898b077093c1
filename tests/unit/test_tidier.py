"""What refused starts leave behind, and what only looks like it."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from tests.support.agent_server import ScriptedServer, server_run
from tests.support.refusals import policy
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually

from subagent_sidecar.core.model import Intent
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.credentials import Credentials
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.ports import AgentServer, Headers
from subagent_sidecar.service import Service
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock
from subagent_sidecar.tidier import Tidier

KEY = [(b"x-api-key", b"secret")]
NOTHING = policy('limits: [{name: a, match: {agent: "*"}, deny: true}]')
REMOVED = ["runs of t", "blank t", "delete t"]


@dataclass
class Desk:
    """A tidier on books in memory, with one server called `up`."""

    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)
    server: ScriptedServer = field(default_factory=ScriptedServer)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        servers: dict[str, AgentServer] = {"up": self.server}
        self.tidier = Tidier(
            service=self.service,
            store=self.store,
            clock=self.clock,
            servers=servers,
            credentials=Credentials(),
            pause_s=0.01,
        )

    def thread_created(self, thread_id: str = "t", **facts: Any) -> None:
        usual = {"upstream": "up", "supervisor": "ann", "session_id": None, "agent_name": None}
        self.service.seen.thread_made(thread_id, **{**usual, **facts})

    async def admitted(self, thread_id: str = "t", **facts: Any) -> Intent:
        return await self.service.admit(
            upstream="up", supervisor="ann", thread_id=thread_id, assistant_id="graph", **facts
        )

    async def not_admitted(self, thread_id: str = "t") -> None:
        self.service.policy = NOTHING
        with pytest.raises(Refused):
            await self.admitted(thread_id)
        self.service.policy = Policy()

    async def refused(self, thread_id: str = "t") -> None:
        """A start is refused, and answered."""
        await self.not_admitted(thread_id)
        self.tidier.left_behind("up", thread_id, supervisor="ann", auth=KEY)

    async def settled(self) -> None:
        """Whatever was under way is over."""
        await eventually(lambda: not self.tidier._working)


@asynccontextmanager
async def made() -> AsyncIterator[Desk]:
    desk = Desk()
    try:
        yield desk
    finally:
        await desk.tidier.aclose()


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    async with made() as found:
        yield found


async def test_the_thread_a_refused_start_was_made_for_is_removed(desk: Desk) -> None:
    desk.thread_created()
    await desk.refused()
    await desk.settled()
    assert desk.server.asked == REMOVED
    assert desk.server.presented == [KEY] * 3


async def test_the_record_of_the_thread_stays(desk: Desk) -> None:
    desk.thread_created()
    await desk.refused()
    await desk.settled()
    assert await desk.store.thread("t") is not None


async def test_a_thread_that_was_refused_before_is_removed_all_the_same(desk: Desk) -> None:
    desk.thread_created()
    await desk.refused()
    await desk.refused()
    await desk.settled()
    assert desk.server.asked == REMOVED


async def nobody_made_it(desk: Desk) -> None:
    """A thread that is not of our making, or of which we forgot."""


async def it_lives_elsewhere(desk: Desk) -> None:
    desk.thread_created(upstream="other")


async def it_is_somebody_elses(desk: Desk) -> None:
    desk.thread_created(supervisor="bob")


async def it_is_older(desk: Desk) -> None:
    desk.thread_created()
    desk.clock.tick(61)


async def it_has_a_task(desk: Desk) -> None:
    desk.thread_created()
    desk.service.accepted(await desk.admitted(), [server_run("r")])


async def its_task_has_ended(desk: Desk) -> None:
    desk.thread_created()
    desk.service.accepted(await desk.admitted(), [server_run("r")])
    desk.service.seen.run("up", "t", "r", "success")


async def its_task_was_refused_a_lot_since(desk: Desk) -> None:
    await it_has_a_task(desk)
    for _ in range(120):
        await desk.not_admitted()


async def its_task_waits_for_a_human(desk: Desk) -> None:
    await its_task_has_ended(desk)
    desk.service.seen.thread("up", "t", "interrupted")


async def a_start_is_under_way(desk: Desk) -> None:
    desk.thread_created()
    await desk.admitted()


async def a_start_is_in_doubt(desk: Desk) -> None:
    desk.thread_created()
    desk.service.doubted(await desk.admitted(), "the connection broke")


async def a_start_came_to_nothing(desk: Desk) -> None:
    """Who knows what the server made of it before it said no."""
    desk.thread_created()
    desk.service.released(await desk.admitted(), "the server answered 422")


async def a_cron_is_on_it(desk: Desk) -> None:
    desk.thread_created()
    desk.service.cron_created(await desk.admitted(cron=True), "cron-1")


async def the_server_lists_a_run(desk: Desk) -> None:
    desk.thread_created()
    desk.server.listed = [server_run("r")]


async def the_server_lists_no_runs_at_all(desk: Desk) -> None:
    desk.thread_created()
    desk.server.listed = None


async def something_is_in_it_or_the_server_does_not_tell(desk: Desk) -> None:
    desk.thread_created()
    desk.server.blank = None


async def the_server_has_had_it_for_long(desk: Desk) -> None:
    """Who asks for a thread of an id with `if_exists: do_nothing` may be given an old one."""
    desk.thread_created()
    desk.server.blank = (desk.clock.now() - timedelta(seconds=61)).isoformat()


async def the_server_says_nonsense_of_its_age(desk: Desk) -> None:
    desk.thread_created()
    desk.server.blank = "recently"


@pytest.mark.parametrize(
    "beginning",
    [
        nobody_made_it,
        it_lives_elsewhere,
        it_is_somebody_elses,
        it_is_older,
        it_has_a_task,
        its_task_has_ended,
        its_task_was_refused_a_lot_since,
        its_task_waits_for_a_human,
        a_start_is_under_way,
        a_start_is_in_doubt,
        a_start_came_to_nothing,
        a_cron_is_on_it,
        the_server_lists_a_run,
        the_server_lists_no_runs_at_all,
        something_is_in_it_or_the_server_does_not_tell,
        the_server_has_had_it_for_long,
        the_server_says_nonsense_of_its_age,
    ],
    ids=lambda beginning: beginning.__name__,
)
async def test_a_thread_is_left_alone_when(
    beginning: Callable[[Desk], Awaitable[None]], desk: Desk
) -> None:
    await beginning(desk)
    await desk.refused()
    await desk.settled()
    assert "delete t" not in desk.server.asked


async def test_what_fails_is_tried_once_more(desk: Desk) -> None:
    desk.thread_created()
    desk.server.failures = 1
    await desk.refused()
    await desk.settled()
    assert desk.server.asked == ["runs of t", *REMOVED]


async def test_what_fails_twice_is_given_up(desk: Desk) -> None:
    desk.thread_created()
    desk.server.failures = 9
    await desk.refused()
    await desk.settled()
    assert desk.server.asked == ["runs of t"] * 2


async def test_while_the_books_cannot_be_read_nothing_is_removed(desk: Desk) -> None:
    desk.thread_created()
    await desk.service.flush()
    await desk.not_admitted()
    desk.store.down = StoreUnavailable("the disk is gone")
    desk.tidier.left_behind("up", "t", supervisor="ann", auth=KEY)
    await desk.settled()
    assert desk.server.asked == []


async def test_only_a_few_are_removed_at_once_and_none_is_forgotten(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    threads = [f"t{number}" for number in range(30)]
    for thread_id in threads:
        desk.thread_created(thread_id)
        await desk.refused(thread_id)
    await eventually(lambda: len(desk.server.asked) >= 4)
    assert len(desk.server.asked) == 4
    desk.server.gate.set()
    await desk.settled()
    assert {f"delete {thread_id}" for thread_id in threads} <= set(desk.server.asked)


async def test_a_start_that_comes_after_all_calls_the_removal_off(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    desk.thread_created()
    await desk.refused()
    await eventually(lambda: desk.server.asked == ["runs of t"])
    await desk.tidier.spare("t")
    desk.server.gate.set()
    await desk.settled()
    assert "delete t" not in desk.server.asked


async def test_a_start_that_is_refused_again_is_cleaned_up_after_again(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    desk.thread_created()
    await desk.refused()
    await eventually(lambda: desk.server.asked == ["runs of t"])
    await desk.tidier.spare("t")
    await desk.refused()
    desk.server.gate.set()
    await desk.settled()
    assert desk.server.asked.count("delete t") == 1


class SlowToRemove(ScriptedServer):
    """Takes a DELETE, and answers when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = asyncio.Event()

    async def delete_thread(self, thread_id: str, *, auth: Headers = ()) -> bool:
        await super().delete_thread(thread_id, auth=auth)
        return await self.go.wait()


async def test_a_start_waits_for_a_removal_that_is_on_its_way() -> None:
    """Or its run would begin on a thread that is about to go, and nobody could stop it."""
    server = SlowToRemove()
    desk = Desk(server=server)
    desk.thread_created()
    await desk.refused()
    await eventually(lambda: server.asked == REMOVED)
    start = spawn(desk.tidier.spare("t"), name="start", awaited=True)
    await asyncio.sleep(0)
    assert not start.done()
    server.go.set()
    await start
    await desk.tidier.aclose()


async def test_a_server_that_hangs_does_not_hold_up_the_end() -> None:
    server = SlowToRemove()
    desk = Desk(server=server)
    desk.thread_created()
    await desk.refused()
    await eventually(lambda: server.asked == REMOVED)
    async with asyncio.timeout(30):
        await desk.tidier.aclose()
    assert not desk.tidier._removals


async def test_what_is_under_way_at_the_end_is_finished(desk: Desk) -> None:
    desk.thread_created()
    await desk.refused()
    await desk.tidier.aclose()
    assert desk.server.asked == REMOVED


async def test_nothing_is_kept_of_what_is_over(desk: Desk) -> None:
    await desk.tidier.spare("t")
    desk.thread_created()
    await desk.refused()
    await desk.settled()
    assert not desk.tidier._removals
