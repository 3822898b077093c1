"""What the service makes of what it is told. Trouble of the store: test_recorder.py."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

import pytest
from tests.support.agent_server import server_run
from tests.support.troubled_store import TroubledStore

from subagent_sidecar.core.changes import NewRun, Polled, RunSeen, Start, ThreadSeen
from subagent_sidecar.core.matching import Scope
from subagent_sidecar.core.model import (
    EndedBy,
    Intent,
    IntentKind,
    Item,
    RunStatus,
    TaskRecord,
    timestamp,
)
from subagent_sidecar.core.past import DecisionQuery
from subagent_sidecar.core.policy import Limit, LimitKind, Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.errors import StoreError, StoreUnavailable
from subagent_sidecar.service import Service
from subagent_sidecar.testing import FakeClock

LOCKED = StoreUnavailable("database is locked")


@dataclass
class Sidecar:
    """A service on books in memory."""

    store: TroubledStore = field(default_factory=TroubledStore)
    clock: FakeClock = field(default_factory=FakeClock)

    def __post_init__(self) -> None:
        self.service = Service(store=self.store, clock=self.clock)

    async def admitted(self, thread_id: str | None = "t", **facts: Any) -> Intent:
        self.clock.tick(1)
        usual = {"upstream": "up", "supervisor": "ann", "assistant_id": "graph"}
        return await self.service.admit(thread_id=thread_id, **{**usual, **facts})

    async def started(self, run_id: str = "r1", thread_id: str = "t") -> Intent:
        intent = await self.admitted(thread_id)
        self.service.accepted(intent, [server_run(run_id, thread_id)])
        return intent

    async def record(self, task_id: str = "t") -> TaskRecord:
        await self.service.flush()
        found = await self.store.task(task_id)
        assert found is not None
        return found

    def told(self, kind: type) -> int:
        """How many changes of a kind reached the store."""
        return sum(isinstance(change, kind) for change in self.store.changes)


@pytest.fixture
def sidecar() -> Sidecar:
    return Sidecar()


async def test_a_start_is_durable_before_it_is_sent(sidecar: Sidecar) -> None:
    intent = await sidecar.admitted(purpose="find out", request_id="theirs")
    assert sidecar.store.handed_in == []
    assert list(await sidecar.store.open_intents(before="9")) == [intent]
    assert (intent.request_id, intent.purpose) == ("theirs", "find out")
    assert intent.created_at == sidecar.service.now()


class Asked:
    """A store that keeps what it is asked."""

    def __init__(self) -> None:
        self.starts: list[Start] = []

    async def admit(self, start: Start, policy: Policy) -> None:
        self.starts.append(start)


async def test_every_word_of_a_start_is_where_it_belongs() -> None:
    """They are handed on in their order, which no type checker watches over."""
    said = {
        field.name: field.name
        for field in fields(Start)
        if field.name not in ("intent_id", "at", "items")
    }
    store, clock = Asked(), FakeClock()
    service = Service(store=store, clock=clock)  # type: ignore[arg-type]
    await service.admit(**said, items=[Item(purpose="p")])  # type: ignore[arg-type]
    [start] = store.starts
    expected = {**said, "at": service.now(), "items": (Item(purpose="p"),)}
    assert {name: getattr(start, name) for name in expected} == expected
    assert len(start.intent_id) == 32


async def test_times_are_told_to_the_microsecond(sidecar: Sidecar) -> None:
    told = []
    for seconds in (0.0, 0.000_042, 0.999_958, 86_400 * 400.5):
        sidecar.clock.tick(seconds)
        told.append((sidecar.service.now(), timestamp(sidecar.clock.now())))
    assert [now for now, _ in told] == [expected for _, expected in told]
    assert told[1][0].endswith(":00.000042Z")


async def test_every_start_has_an_id_of_its_own_to_be_found_again_by(sidecar: Sidecar) -> None:
    intents = [await sidecar.admitted(f"t{n}") for n in range(100)]
    assert len({intent.intent_id for intent in intents}) == 100
    assert [intent.request_id for intent in intents] == [intent.intent_id for intent in intents]


async def test_a_start_the_store_cannot_take_must_not_be_sent(sidecar: Sidecar) -> None:
    sidecar.store.down = LOCKED
    with pytest.raises(StoreError, match="locked"):
        await sidecar.admitted()


async def test_the_purpose_is_content_and_can_be_left_out() -> None:
    service = Service(store=TroubledStore(), clock=FakeClock(), keep_purpose=False)
    intent = await service.admit(upstream="up", supervisor="ann", purpose="a secret")
    assert intent.purpose is None


async def test_an_update_at_once_finds_the_task_it_updates(sidecar: Sidecar) -> None:
    await sidecar.started()
    assert (await sidecar.admitted()).kind is IntentKind.UPDATE


async def test_a_child_at_once_finds_its_parent(sidecar: Sidecar) -> None:
    await sidecar.started("r1", "mother")
    assert (await sidecar.admitted(header_session="mother")).depth == 1
    await sidecar.started("r2", "grandmother")
    assert (await sidecar.admitted("t2", body_session="grandmother")).depth == 1


async def test_a_start_at_once_finds_its_thread(sidecar: Sidecar) -> None:
    sidecar.service.seen.thread_made(
        "t", upstream="up", supervisor="bob", session_id="s", agent_name="coder"
    )
    intent = await sidecar.admitted()
    assert (intent.session_id, intent.agent_name, intent.supervisor) == ("s", "coder", "bob")


async def test_the_settled_start_is_the_task(sidecar: Sidecar) -> None:
    intent = await sidecar.admitted()
    sidecar.service.accepted(intent, [server_run("r1", status="running")])
    record = await sidecar.record()
    assert (record.task.status, record.task.run_id) == ("running", "r1")
    assert list(await sidecar.store.open_intents(before="9")) == []


async def test_a_status_nobody_knows_is_pending_until_more_is_seen(sidecar: Sidecar) -> None:
    intent = await sidecar.admitted()
    sidecar.service.accepted(intent, [server_run("r1", status="")])
    assert (await sidecar.record()).task.status == "pending"


async def test_released_and_doubted_starts_are_entered_as_such(sidecar: Sidecar) -> None:
    released, doubted = await sidecar.admitted("t1"), await sidecar.admitted("t2")
    sidecar.service.released(released, "no")
    sidecar.service.doubted(doubted, "broke off")
    assert (await sidecar.record("t2")).task.run_id is None
    assert await sidecar.store.task("t1") is None
    (left,) = await sidecar.store.open_intents(before="9")
    assert left.in_doubt == "broke off"


async def test_a_cron_is_settled_without_a_task(sidecar: Sidecar) -> None:
    intent = await sidecar.admitted(cron=True)
    sidecar.service.cron_created(intent, "c1")
    await sidecar.service.flush()
    assert list(await sidecar.store.open_intents(before="9")) == []
    assert [event.kind for event in await sidecar.store.events("t", limit=9)] == ["cron_created"]


async def test_the_same_status_again_costs_the_store_nothing(sidecar: Sidecar) -> None:
    await sidecar.started()
    for word in ("pending", "running", "running", "running", "success", "success"):
        assert sidecar.service.seen.run("up", "t", "r1", word) == word
        sidecar.service.seen.thread("up", "t", "busy")
    sidecar.service.seen.run("up", "t", "r1", "success")
    await sidecar.service.flush()
    assert sidecar.told(RunSeen) == 2
    assert sidecar.told(ThreadSeen) == 3  # anew after each move of the run


@pytest.mark.parametrize("word", ["exploded", None, 7, ["running"], ""])
async def test_words_nobody_knows_change_nothing(sidecar: Sidecar, word: object) -> None:
    await sidecar.started()
    assert sidecar.service.seen.run("up", "t", "r1", word) is None
    assert sidecar.service.seen.thread("up", "t", word) is None
    await sidecar.service.flush()
    assert sidecar.told(RunSeen) == sidecar.told(ThreadSeen) == 0


async def test_a_task_that_waits_again_after_an_update_is_seen_to_wait(sidecar: Sidecar) -> None:
    for run_id in ("r1", "r2"):
        await sidecar.started(run_id)
        sidecar.service.seen.run("up", "t", run_id, "success")
        sidecar.service.seen.thread("up", "t", "interrupted")
        assert (await sidecar.record()).task.status == "waiting"


async def test_a_servers_time_is_entered_as_ours(sidecar: Sidecar) -> None:
    await sidecar.started()
    sidecar.service.seen.run("up", "t", "r2", "running", created_at="2126-01-01T02:00:00+02:00")
    record = await sidecar.record()
    assert record.runs[-1].created_at == "2126-01-01T00:00:00.000000Z"


async def test_polls_are_counted_and_written_down_together(sidecar: Sidecar) -> None:
    await sidecar.started()
    for _ in range(5):
        sidecar.service.polls.polled("t")
        sidecar.service.polls.polled("other")
    record = await sidecar.record()
    assert (record.task.polls, record.task.last_checked_at) == (5, sidecar.service.now())
    sidecar.service.polls.polled("t")
    assert (await sidecar.record()).task.polls == 6
    assert sidecar.told(Polled) == 3


async def test_ends_are_entered_with_whose_act_they_were(sidecar: Sidecar) -> None:
    await sidecar.started("r1", "t1")
    sidecar.service.cancels.asked("up", "t1", "r1", by=EndedBy.OPERATOR)
    sidecar.service.seen.run("up", "t1", "r1", "cancelled")
    await sidecar.started("r2", "t2")
    sidecar.service.seen.run_gone(
        "up", "t2", "r2", by=EndedBy.SUPERVISOR, reason="the run was deleted"
    )
    await sidecar.started("r3", "t3")
    sidecar.service.seen.thread_gone(
        "up", "t3", by=EndedBy.SUPERVISOR, reason="the thread was deleted"
    )
    records = [(await sidecar.record(task_id)).task for task_id in ("t1", "t2", "t3")]
    assert [(task.status, task.ended_by, task.reason) for task in records] == [
        ("cancelled", "operator", None),
        ("cancelled", "supervisor", "the run was deleted"),
        ("cancelled", "supervisor", "the thread was deleted"),
    ]


async def test_a_thread_is_at_home_where_it_was_made_or_started(sidecar: Sidecar) -> None:
    service = sidecar.service
    service.seen.thread_made(
        "made", upstream="a", supervisor="ann", session_id=None, agent_name=None
    )
    service.accepted(await sidecar.admitted("started", upstream="b"), [server_run("r", "started")])
    known = [await service.home("made"), await service.home("started"), await service.home("x")]
    assert known == ["a", "b", None]
    await service.flush()
    restarted = Service(store=sidecar.store, clock=sidecar.clock)
    assert [await restarted.home("made"), await restarted.home("started")] == ["a", "b"]


async def test_a_store_in_trouble_fails_no_request_that_only_asks(sidecar: Sidecar) -> None:
    sidecar.store.down = LOCKED
    assert await sidecar.service.home("t") is None
    assert await sidecar.service.depth_under("t") == 0
    sidecar.service.polls.polled("t")
    assert sidecar.service.seen.run("up", "t", "r1", "running") is RunStatus.RUNNING
    await sidecar.service.flush()


async def test_the_depth_under_a_session_is_one_below_its_task(sidecar: Sidecar) -> None:
    await sidecar.started()
    await sidecar.service.flush()
    depths = [await sidecar.service.depth_under(session) for session in (None, "s", "t")]
    assert depths == [0, 0, 1]


# Who is told of starts.


class Listener:
    """ports.Observer: writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, ...]] = []

    def runs_began(self, upstream: str, runs: Sequence[NewRun]) -> None:
        self.told.append(("began", upstream, *(run.run_id for run in runs)))

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: str) -> None:
        self.told.append(("moved", upstream, thread_id, run_id, status))

    def thread_moved(self, upstream: str, thread_id: str, status: str) -> None:
        self.told.append(("thread", upstream, thread_id, status))

    def thread_gone(self, upstream: str, thread_id: str) -> None:
        self.told.append(("gone", upstream, thread_id))


async def test_a_start_is_told_as_one_as_moves_or_not_at_all(sidecar: Sidecar) -> None:
    as_one, as_moves, of_ends = Listener(), Listener(), Listener()
    sidecar.service.observe(as_one, began=as_one.runs_began)
    sidecar.service.observe(as_moves)
    sidecar.service.observe(of_ends, ends_only=True)
    runs = [server_run("r1", "t1", status="pending"), server_run("r2", "t2", status="running")]
    sidecar.service.accepted(await sidecar.admitted(None, batch=True), runs)
    assert as_one.told == [("began", "up", "r1", "r2")]
    assert as_moves.told == [
        ("moved", "up", "t1", "r1", "pending"),
        ("moved", "up", "t2", "r2", "running"),
    ]
    assert of_ends.told == []


async def test_a_start_that_is_over_when_it_is_accepted_is_told_to_all_as_an_end(
    sidecar: Sidecar,
) -> None:
    listeners = Listener(), Listener()
    sidecar.service.observe(listeners[0], began=listeners[0].runs_began)
    sidecar.service.observe(listeners[1], ends_only=True)
    sidecar.service.accepted(await sidecar.admitted(), [server_run("r1", status="success")])
    assert [each.told for each in listeners] == [[("moved", "up", "t", "r1", "success")]] * 2


# Refusals.


async def refused(sidecar: Sidecar, times: int = 1, session: str = "s") -> None:
    for _ in range(times):
        sidecar.clock.tick(0.001)
        with pytest.raises(Refused):
            await sidecar.admitted(None, header_session=session)


def closed() -> Policy:
    return Policy(limits=(Limit(name="closed", policy="p", kind=LimitKind.DENY),))


@pytest.fixture
def one_at_a_time(sidecar: Sidecar) -> None:
    alone = Limit(name="one", policy="p", kind=LimitKind.CONCURRENT, most=1, per=Scope.SESSION)
    sidecar.service.policy = Policy(limits=(alone,))


@pytest.mark.usefixtures("one_at_a_time")
async def test_who_has_seen_a_task_end_may_start_the_next_at_once(sidecar: Sidecar) -> None:
    await sidecar.started("r1", "t1")
    sidecar.service.seen.run("up", "t1", "r1", "error")
    assert (await sidecar.admitted("t2")).thread_id == "t2"


@pytest.mark.usefixtures("one_at_a_time")
async def test_what_came_to_nothing_is_in_nobodys_way(sidecar: Sidecar) -> None:
    sidecar.service.released(await sidecar.admitted("t1"), "the server answered 422")
    assert (await sidecar.admitted("t2")).thread_id == "t2"


@pytest.mark.usefixtures("one_at_a_time")
async def test_a_start_that_is_refused_whatever_has_ended_is_refused_once(sidecar: Sidecar) -> None:
    await sidecar.started("r1", "t1")
    sidecar.service.seen.run("up", "t1", "r1", "running")
    with pytest.raises(Refused):
        await sidecar.admitted("t2")
    await sidecar.service.flush()
    assert await counts(sidecar) == [1]


async def counts(sidecar: Sidecar) -> list[int]:
    page = await sidecar.store.decisions(DecisionQuery(oldest_first=True))
    return [decision.times for decision in page.decisions]


async def test_the_first_refusal_is_on_record_at_once_and_none_is_lost_at_the_end(
    sidecar: Sidecar,
) -> None:
    sidecar.service.policy = closed()
    await refused(sidecar, 50)
    await sidecar.service.entered()
    assert await counts(sidecar) == [1]
    await sidecar.service.flush()
    assert await counts(sidecar) == [1, 49]


async def test_refusals_of_a_store_that_was_away_are_counted_once(sidecar: Sidecar) -> None:
    sidecar.service.policy = closed()
    await refused(sidecar, 3)
    sidecar.store.down = LOCKED
    await sidecar.service.flush()
    sidecar.store.down = None
    await sidecar.service.flush()
    assert sorted(await counts(sidecar)) == [1, 2]
