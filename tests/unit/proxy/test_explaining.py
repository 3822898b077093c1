"""Which polls are looked at more closely, and for how long. What they are answered:
tests/integration/http/test_explained_endings.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest
from tests.support.agent_server import server_run
from tests.support.troubled_store import TroubledStore

from subagent_sidecar.core.model import EndedBy
from subagent_sidecar.core.wire import Act, Meaning
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.ports import Exchange, Outgoing
from subagent_sidecar.proxy.calls import Call
from subagent_sidecar.proxy.coalescing import Answer, Coalescer
from subagent_sidecar.proxy.explaining import Explainer, Whole
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock

ENDED = ("success", "error", "timeout")


def poll(run_id: str = "r1") -> Meaning:
    return Meaning(Act.RUN_GET, "t", run_id)


@dataclass
class Desk:
    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)
        self.coalescer = Coalescer(60, now=self.clock.monotonic)
        self.explainer = self.new_explainer()
        self.service.observe(self.coalescer, began=self.coalescer.runs_began)
        self.service.observe(self.explainer, ends_only=True)
        self.service.cancels.observe(self.explainer)

    def new_explainer(self) -> Explainer:
        return Explainer(service=self.service, store=self.store, coalescer=self.coalescer)

    async def start(self, run_id: str = "r1", thread_id: str = "t") -> None:
        intent = await self.service.admit(upstream="up", supervisor="ann", thread_id=thread_id)
        self.service.accepted(intent, [server_run(run_id, thread_id)])

    def cancel(self, by: EndedBy = EndedBy.OPERATOR, reason: str | None = "too dear") -> None:
        self.service.cancels.asked("up", "t", "r1", by=by, reason=reason)

    async def concerned_after_a_restart(self, *run_ids: str) -> Sequence[bool]:
        await self.service.flush()
        explainer = self.new_explainer()
        await explainer.load()
        return [explainer.concerns("up", poll(run_id)) for run_id in run_ids]

    def concerns(self, run_id: str = "r1", *, upstream: str = "up") -> bool:
        return self.explainer.concerns(upstream, poll(run_id))


@pytest.fixture
async def desk() -> Desk:
    found = Desk()
    await found.start()
    return found


async def test_a_run_nobody_asked_to_end_is_of_no_concern(desk: Desk) -> None:
    assert not desk.concerns()


@pytest.mark.parametrize("by", [EndedBy.OPERATOR, EndedBy.REAPER, EndedBy.BUDGET])
async def test_a_run_that_one_of_us_wants_to_end_is_of_concern_from_then_on(
    desk: Desk, by: EndedBy
) -> None:
    desk.cancel(by)
    assert desk.concerns()
    assert not desk.explainer.concerns("up", Meaning(Act.RUN_CANCEL, "t", "r1"))
    assert not desk.concerns("r2")
    assert not desk.concerns(upstream="other")
    desk.service.seen.run("up", "t", "r1", "interrupted")
    assert desk.concerns()


async def test_the_supervisors_own_cancel_and_one_without_a_reason_are_of_none(desk: Desk) -> None:
    desk.cancel(EndedBy.SUPERVISOR, None)
    desk.cancel(EndedBy.SUPERVISOR, "why ever")
    desk.cancel(EndedBy.OPERATOR, None)
    assert not desk.concerns()


@pytest.mark.parametrize("word", ENDED)
async def test_a_run_that_ended_before_the_cancel_is_of_none(desk: Desk, word: str) -> None:
    desk.cancel()
    desk.service.seen.run("up", "t", "r1", word)
    assert not desk.concerns()


@pytest.mark.parametrize("word", ["pending", "running", "interrupted"])
async def test_a_restart_knows_what_was_asked_and_what_came_of_it(desk: Desk, word: str) -> None:
    desk.cancel()
    desk.service.seen.run("up", "t", "r1", word)
    assert await desk.concerned_after_a_restart("r1", "r2") == [True, False]


@pytest.mark.parametrize("word", ENDED)
async def test_a_restart_does_not_concern_itself_with_what_came_too_late(
    desk: Desk, word: str
) -> None:
    desk.cancel()
    desk.service.seen.run("up", "t", "r1", word)
    assert await desk.concerned_after_a_restart("r1") == [False]


async def test_the_oldest_are_forgotten_when_they_are_too_many(desk: Desk) -> None:
    desk.cancel()
    for number in range(10_000):
        by, reason = EndedBy.REAPER, "nobody waits for it"
        desk.explainer.cancel_asked("up", "t", f"x{number}", by=by, reason=reason)
    assert not desk.concerns()
    assert desk.concerns("x0")
    assert desk.concerns("x9999")


@pytest.mark.parametrize("news", ["cancel", "end", "rollback"])
async def test_what_was_answered_before_the_news_is_shared_no_more(desk: Desk, news: str) -> None:
    if news != "cancel":
        desk.cancel()

    async def ask() -> Answer:
        return Answer(200, b"OK", [], b"{}")

    await desk.coalescer.share("poll", "t", ask)
    assert desk.coalescer.remembered
    match news:
        case "cancel":
            desk.cancel()
        case "end":
            desk.service.seen.run("up", "t", "r1", "interrupted")
        case _:
            by = EndedBy.OPERATOR
            desk.service.seen.run_gone("up", "t", "r1", by=by, reason="the run was rolled back")
    assert not desk.coalescer.remembered


INTERRUPTED = b'{"run_id":"r1","status":"interrupted"}'
EXPLAINED = b'{"error":"too dear","run_id":"r1","status":"error"}'


async def answered(explainer: Explainer, body: bytes = INTERRUPTED) -> Exchange:
    """What becomes of the server's answer to a poll."""
    call = cast(Call, SimpleNamespace(target=SimpleNamespace(name="up"), meaning=poll()))
    outgoing = Outgoing(method=b"GET", target=b"/threads/t/runs/r1", headers=[])
    answer = Whole(status=200, reason=b"OK", headers=[(b"etag", b"1")], body=body)
    return await explainer.explained(call, outgoing, answer, lambda *_: None)


async def test_a_store_in_trouble_keeps_no_answer_back(desk: Desk) -> None:
    """failures.md 7: polls pass whatever becomes of the books."""
    desk.cancel()
    desk.service.seen.run("up", "t", "r1", "interrupted")
    await desk.service.flush()
    desk.store.down = StoreUnavailable("database is locked")
    assert (await answered(desk.explainer)).body == INTERRUPTED
    desk.store.down = None
    assert (await answered(desk.explainer)).body == EXPLAINED


async def test_a_store_that_hangs_keeps_no_answer_back_for_long(desk: Desk) -> None:
    desk.cancel()
    desk.store.hold = True
    desk.service.seen.run("up", "t", "r1", "interrupted")
    hasty = Explainer(
        service=desk.service, store=desk.store, coalescer=desk.coalescer, patience_s=0.01
    )
    assert (await answered(hasty)).body == INTERRUPTED
    desk.store.hold = False
    desk.store.answer()
    await desk.service.flush()
    assert (await answered(desk.explainer)).body == EXPLAINED


async def test_an_answer_nothing_can_be_put_into_keeps_its_header_too(desk: Desk) -> None:
    """An integer of 5,000 digits is JSON, and more than Python reads."""
    desk.cancel()
    desk.service.seen.run("up", "t", "r1", "interrupted")
    long = INTERRUPTED[:-1] + b',"n":' + b"9" * 5_000 + b"}"
    got = await answered(desk.explainer, long)
    assert (got.body, list(got.headers)) == (long, [(b"etag", b"1")])
