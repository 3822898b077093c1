"""Following a run to its end."""

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.support.agent_server import ScriptedServer, server_run
from tests.support.troubled_store import TroubledStore
from tests.support.waiting import eventually

from subagent_sidecar.core.model import EndedBy, Task
from subagent_sidecar.errors import UpstreamError
from subagent_sidecar.ports import AgentServer, Headers
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock
from subagent_sidecar.watcher import Watcher

LOOKS = 6


@dataclass
class Desk:
    """A watcher that takes six looks without a pause, at one server called `up`."""

    store: TroubledStore = field(default_factory=TroubledStore)
    server: ScriptedServer = field(default_factory=ScriptedServer)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=FakeClock())
        servers: dict[str, AgentServer] = {"up": self.server}
        self.watcher = Watcher(service=self.service, servers=servers, delays_s=(0.0,) * LOOKS)

    async def start(self, run_id: str = "r1", thread_id: str = "t") -> None:
        intent = await self.service.admit(upstream="up", supervisor="ann", thread_id=thread_id)
        self.service.accepted(intent, [server_run(run_id, thread_id)])

    def follow(
        self,
        run_id: str = "r1",
        *,
        auth: Headers = (),
        cancelled: bool = False,
        patiently: bool = False,
    ) -> None:
        self.watcher.follow("up", "t", run_id, auth=auth, cancelled=cancelled, patiently=patiently)

    async def followed(self) -> Task:
        """Wait until nothing is followed any more; what the books say then."""
        await eventually(lambda: not self.watcher.following)
        await self.service.flush()
        record = await self.store.task("t")
        assert record is not None
        return record.task


@pytest.fixture
async def desk() -> Desk:
    found = Desk()
    await found.start()
    return found


@pytest.mark.parametrize(
    ("word", "expected"),
    [("interrupted", "cancelled"), ("cancelled", "cancelled"), ("error", "error")],
)
async def test_a_run_is_read_until_it_has_ended(desk: Desk, word: str, expected: str) -> None:
    desk.server.statuses = ["pending", "running", word]
    desk.follow()
    assert (await desk.followed()).status == expected
    assert desk.server.asked == ["run r1"] * 3


@pytest.mark.parametrize(
    ("thread", "expected"), [("idle", "success"), ("interrupted", "waiting"), (None, "success")]
)
async def test_after_a_success_the_thread_is_read_too(
    desk: Desk, thread: str | None, expected: str
) -> None:
    desk.server.statuses, desk.server.thread = ["success"], thread
    desk.follow()
    assert (await desk.followed()).status == expected
    assert desk.server.asked == ["run r1", "thread t"]


async def test_a_thread_that_is_still_busy_is_read_again(desk: Desk) -> None:
    desk.server.statuses, desk.server.thread = ["success"], "busy"
    desk.follow()
    assert (await desk.followed()).status == "running"
    assert desk.server.asked == ["run r1", "thread t"] * LOOKS


async def test_a_run_that_does_not_end_is_left_after_a_while(desk: Desk) -> None:
    desk.follow()
    assert (await desk.followed()).status == "running"
    assert desk.server.asked == ["run r1"] * LOOKS


async def test_a_patient_look_has_no_end_but_the_runs(desk: Desk) -> None:
    desk.server.statuses = [*["running"] * (3 * LOOKS), "success"]
    desk.follow(patiently=True)
    assert (await desk.followed()).status == "success"


async def test_words_nobody_knows_are_waited_out(desk: Desk) -> None:
    desk.server.statuses = ["exploding", "error"]
    desk.follow()
    assert (await desk.followed()).status == "error"


async def test_a_server_in_trouble_is_asked_again(desk: Desk) -> None:
    desk.server.failures = LOOKS - 1
    desk.server.statuses = ["error"]
    desk.follow()
    assert (await desk.followed()).status == "error"


async def test_after_a_cancel_a_run_that_is_gone_was_rolled_back(desk: Desk) -> None:
    desk.server.statuses = ["running", None]
    desk.service.cancel_asked("up", "t", "r1", by=EndedBy.SUPERVISOR)
    desk.follow(cancelled=True)
    task = await desk.followed()
    assert (task.status, task.ended_by, task.reason) == (
        "cancelled",
        "supervisor",
        "the run was rolled back",
    )


async def test_without_a_cancel_a_run_that_is_gone_is_unknown(desk: Desk) -> None:
    desk.server.statuses = [None]
    desk.follow()
    assert (await desk.followed()).status == "pending"


async def test_a_later_reason_to_follow_forgets_no_earlier_one(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    desk.server.statuses = ["running"] * (2 * LOOKS) + [None]
    desk.follow(cancelled=True)
    await eventually(lambda: desk.server.asked)
    desk.follow(patiently=True)
    desk.follow()  # the client's stream of the run is over
    desk.server.gate.set()
    assert (await desk.followed()).status == "cancelled"


async def test_a_run_is_followed_once_with_the_newest_credentials(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    for key in (b"old", b"new"):
        desk.follow(auth=[(b"x-api-key", key)])
        await eventually(lambda: desk.server.asked)
    desk.server.gate.set()
    desk.server.presented.clear()
    await desk.followed()
    assert {tuple(headers) for headers in desk.server.presented} == {((b"x-api-key", b"new"),)}
    assert len(desk.server.presented) == LOOKS


@pytest.mark.parametrize("outcome", ["success", "error"])
async def test_a_stateless_run_is_waited_for(outcome: str) -> None:
    desk = Desk()
    await desk.start("r1", "t")
    desk.server.result = outcome
    desk.watcher.follow_stateless("up", "t", "r1", auth=())
    assert (await desk.followed()).status == outcome
    assert desk.server.asked == ["outcome of r1"]


@pytest.mark.parametrize("trouble", [UpstreamError("no such route"), None])
async def test_a_stateless_run_of_unknown_outcome_keeps_its_last_status(
    desk: Desk, trouble: UpstreamError | None
) -> None:
    desk.server.down, desk.server.result = trouble, None
    desk.watcher.follow_stateless("up", "t", "r1", auth=())
    assert (await desk.followed()).status == "pending"


async def test_only_so_many_runs_are_followed_at_once(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    for number in range(2_100):
        desk.follow(f"r{number}")
    await eventually(lambda: len(desk.server.asked) == 2_000)
    assert desk.watcher.following == 2_000
    desk.server.gate.set()
    await desk.followed()


async def test_runs_whose_end_is_far_leave_room_for_the_others(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    for number in range(1_100):
        desk.watcher.follow_stateless("up", f"t{number}", f"r{number}", auth=())
    assert desk.watcher.following == 1_000
    desk.follow("one more")
    assert desk.watcher.following == 1_001
    await desk.watcher.aclose()


async def test_closing_stops_everything(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    desk.follow()
    desk.watcher.follow_stateless("up", "t2", "r2", auth=())
    await eventually(lambda: len(desk.server.asked) == 2)
    await desk.watcher.aclose()
    assert desk.watcher.following == 0
    assert len(desk.server.asked) == 2
