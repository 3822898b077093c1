"""Trees and sessions that end, and what is to be terminated."""

import asyncio

from tests.support.reaping import rule
from tests.support.waiting import eventually
from tests.unit.reaper.desk import Desk

from subagent_sidecar.core.policy import OnEnd
from subagent_sidecar.errors import UpstreamError
from subagent_sidecar.tasks import spawn

CANCEL, ABANDON, TERMINATE = OnEnd.REQUEST_CANCEL, OnEnd.ABANDON, OnEnd.TERMINATE


# Trees


async def test_a_tree_ends_the_newest_first_each_waited_for() -> None:
    desk = Desk.by(on_parent_close=CANCEL, on_session_end=CANCEL)
    await desk.started("a")
    await desk.started("b", session="a")
    await desk.started("c", session="b")
    await desk.after(5)
    await desk.session_ends()
    await desk.after(5)
    assert desk.ender.tasks == ["c", "b", "a"]
    assert [wait_s for _, _, wait_s in desk.ender.asked] == [3.0, 3.0, 0.0]
    assert [event.task_id for event in await desk.told()] == ["a", "b", "c"]


async def test_below_a_task_that_was_cancelled_everything_ends() -> None:
    desk = Desk.by(on_parent_close=CANCEL)
    await desk.started("a")
    await desk.started("b", session="a")
    await desk.started("c", session="b")
    await desk.after(5)
    await desk.ends("a", "interrupted")
    await desk.after(5)
    assert desk.ender.tasks == ["c", "b"]


async def test_a_child_whose_parent_turns_out_to_be_done_is_not_dragged_along() -> None:
    desk = Desk([rule("r", run=60), rule("o", on_parent_close=CANCEL, grace=600)])
    await desk.started("a")
    await desk.after(30)
    await desk.started("b", session="a")
    await desk.ends("a", "success", seen=False)
    await desk.after(30)
    assert desk.ender.asked == [] and await desk.told() == []


async def test_the_end_of_a_parent_is_acted_upon_at_once() -> None:
    desk = Desk.by(on_parent_close=CANCEL)
    await desk.started("a")
    await desk.started("b", session="a")
    desk.reaper.interval_s = 3_600.0
    loop = spawn(desk.reaper.run(), name="reaper")
    try:
        await eventually(lambda: desk.reaper._planning.parents == {"a"})
        await desk.ends("a", "interrupted")
        await eventually(lambda: desk.ender.tasks == ["b"], within=30.0)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await desk.reaper.aclose()


async def test_the_end_of_a_session_is_acted_upon_at_once() -> None:
    desk = Desk.by(on_session_end=CANCEL)
    await desk.started()
    desk.reaper.interval_s = 3_600.0
    loop = spawn(desk.reaper.run(), name="reaper")
    try:
        await eventually(lambda: desk.reaper._planning.ages.sweep)
        await desk.session_ends()
        await eventually(lambda: desk.ender.tasks == ["t"], within=30.0)
    finally:
        loop.cancel()
        await asyncio.gather(loop, return_exceptions=True)
        await desk.reaper.aclose()


# Terminate


async def test_what_is_terminated_is_deleted_after_its_end_and_never_before() -> None:
    desk = Desk.by(on_session_end=TERMINATE)
    desk.ender.obeyed = False
    await desk.started()
    await desk.after(5)
    await desk.session_ends()
    await desk.after(60)
    assert desk.ender.tasks == ["t"] and desk.server.asked_for("delete") == []
    await desk.ends("t", "interrupted")
    await desk.after(60)
    assert desk.server.asked_for("delete") == []  # the server says so; nobody has verified it
    desk.service.cancels.confirmed("t", "t/1")
    await desk.after(60)
    assert desk.server.asked_for("delete") == ["delete t"]
    assert "thread_deleted" in [event.kind for event in await desk.told("thread_deleted")]
    await desk.after(60)
    assert desk.server.asked_for("delete") == ["delete t"]


async def test_nothing_is_deleted_while_the_server_lists_a_run_that_is_live() -> None:
    desk = Desk.by(on_session_end=TERMINATE)
    await desk.started()
    await desk.after(5)
    await desk.session_ends()
    await desk.after(5)
    desk.service.cancels.confirmed("t", "t/1")
    desk.server.begin("unseen", "t")
    await desk.after(60)
    assert desk.server.asked_for("delete") == []
    desk.server.end("unseen", "success", "idle")
    await desk.after(60)
    assert desk.server.asked_for("delete") == ["delete t"]


async def test_a_deletion_that_fails_is_tried_again_also_by_the_next_process() -> None:
    desk = Desk.by(on_session_end=TERMINATE)
    await desk.started()
    await desk.after(5)
    await desk.session_ends()
    await desk.after(5)
    desk.service.cancels.confirmed("t", "t/1")
    desk.server.down = UpstreamError("the server answered 500")
    await desk.after(30)
    desk.reaper = desk.another()
    desk.server.down = None
    await desk.after(5)
    assert desk.server.asked_for("delete") == ["delete t"]
