"""When a task has a place among the unfinished ones although its status says otherwise."""

from datetime import datetime

from tests.support.books import accepted, at, start
from tests.support.door import Door
from tests.support.refusals import policy
from tests.support.refusing import refused_on_record

from subagent_sidecar.core.changes import CancelAsked, CancelUnconfirmed, RunSeen
from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.model import EndedBy, RunStatus, ThreadStatus
from subagent_sidecar.core.verdict import Deny
from subagent_sidecar.ports import Store

TWO = policy("limits: [{name: two, concurrent: 2, per: supervisor}]")
BY = EndedBy.OPERATOR


async def test_a_cancelled_run_holds_its_place_until_it_is_verified_that_it_is_over(
    store: Store,
) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.tell(CancelAsked(thread_id="a", run_id="a's", by=BY, at=at(9)))
    await door.seen("a", "interrupted")
    late = await door.ask("c")
    await door.tell(CancelUnconfirmed(thread_id="a", run_id="a's", at=at(9)))
    assert late == "limit_concurrent"


async def test_what_is_cancelled_and_goes_on_is_not_named_as_one_to_wait_for(store: Store) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.tell(CancelAsked(thread_id="a", run_id="a's", by=BY, at=at(9)))
    await door.tell(CancelUnconfirmed(thread_id="a", run_id="a's", at=at(9)))
    at_work = await refused_on_record(store, start(10, "c", header_session="s"), TWO)
    assert set(at_work.deny.tasks) == {"a", "b"}  # its supervisor sees it at work, too
    await door.seen("a", "interrupted")
    told = await refused_on_record(store, start(11, "c", header_session="s"), TWO)
    assert (told.deny.tasks, told.deny.at_large) == (("b",), ("a",))
    call = Call(agent="graph", upstream="up", supervisor="ann", session="s")
    explained = await store.explain(call, TWO, datetime.fromisoformat(at(12)))
    assert isinstance(explained, Deny) and explained.at_large == ("a",)


async def test_a_task_that_turns_out_to_wait_has_given_its_place_away_and_takes_it_all_the_same(
    store: Store,
) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.seen("a", "success")
    await door.let_in("c")  # a success is an end, as far as anybody knows
    await door.seen("a", "success", ThreadStatus.INTERRUPTED)
    assert await door.ask("d") == "limit_concurrent"  # three are unfinished now


async def test_an_earlier_run_that_goes_on_beside_the_newest_holds_the_place(store: Store) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.seen("a", "running")
    await door.tell(accepted(await door.let_in("a"), "second", 9, thread_id="a"))
    ended = RunSeen(thread_id="a", run_id="second", status=RunStatus.SUCCESS, at=at(9))
    await door.tell(ended)
    assert await door.ask("c") == "limit_concurrent"


async def test_a_follow_up_needs_no_place_where_its_task_holds_one(store: Store) -> None:
    door = Door(store, TWO)
    await door.started("a", "b")
    await door.tell(
        CancelAsked(thread_id="a", run_id="a's", by=BY, at=at(9)),
        CancelUnconfirmed(thread_id="a", run_id="a's", at=at(9)),
    )
    await door.seen("a", "interrupted")
    await door.let_in("a")
