"""What is read of a task's messages, and entered."""

import pytest
from tests.unit.usage_reader.desk import KEY, Desk, message

from subagent_sidecar.core.model import EndedBy, RunStatus, Usage


@pytest.mark.parametrize("word", ["success", "error", "timeout", "interrupted"])
async def test_a_run_that_has_ended_is_read_once(desk: Desk, word: str) -> None:
    desk.answers(message(1), message(2, given=200, written=20))
    desk.moves(word)
    await desk.pass_time(600)
    assert desk.server.asked == ["messages of t"]
    assert await desk.usage() == Usage(
        input_tokens=300,
        output_tokens=30,
        cache_read_tokens=0,
        cache_write_tokens=0,
        cost_micro_usd=330,
        models=("a-model",),
    )


async def test_what_is_not_priced_has_no_cost(desk: Desk) -> None:
    desk.priced = False
    desk.answers(message(1))
    desk.moves("success")
    await desk.pass_time(1)
    usage = await desk.usage()
    assert usage is not None and usage.input_tokens == 100 and usage.cost_micro_usd is None


async def test_a_state_that_says_nothing_leaves_the_usage_unknown(desk: Desk) -> None:
    desk.answers({"type": "ai", "content": "hi"}, None, 7)
    desk.moves("success")
    await desk.pass_time(1)
    assert await desk.usage() is None


async def test_a_long_run_is_read_every_so_often(desk: Desk) -> None:
    desk.moves("running")
    desk.answers(message(1))
    await desk.pass_time(16)
    assert len(desk.server.asked) == 1
    assert [entry.message_id for entry in await desk.entries()] == ["m1"]
    desk.answers(message(1), message(2))
    await desk.pass_time(15)
    assert len(desk.server.asked) == 2
    assert [entry.message_id for entry in await desk.entries()] == ["m1", "m2"]
    desk.moves("success")
    await desk.pass_time(600)
    assert len(desk.server.asked) == 3, "its end, and then no more"


async def test_a_message_that_grew_counts_once_as_it_is_now(desk: Desk) -> None:
    desk.moves("running")
    desk.answers(message(1, written=1))
    await desk.pass_time(16)
    desk.answers(message(1, written=10))
    desk.moves("success")
    await desk.pass_time(1)
    usage = await desk.usage()
    assert usage is not None and (usage.output_tokens, usage.cost_micro_usd) == (10, 110)


async def test_what_is_on_record_is_not_entered_again(desk: Desk) -> None:
    desk.moves("running")
    desk.answers(message(1))
    await desk.pass_time(16)
    (first,) = await desk.entries()
    desk.priced = False  # it would lose its price if it were looked at again
    desk.moves("success")
    await desk.pass_time(1)
    assert list(await desk.entries()) == [first] and first.cost_micro_usd == 110


async def test_what_had_no_price_gets_it_once_there_is_one(desk: Desk) -> None:
    desk.priced = False
    desk.moves("running")
    desk.answers(message(1))
    await desk.pass_time(16)
    desk.priced = True
    await desk.pass_time(15)
    (entry,) = await desk.entries()
    assert entry.cost_micro_usd == 110


async def test_the_messages_of_a_follow_up_are_its_own(desk: Desk) -> None:
    desk.answers(message(1))
    desk.moves("success")
    await desk.pass_time(1)
    await desk.start("r2")
    desk.moves("running", "r2")
    desk.answers(message(1), message(2))
    desk.moves("success", "r2")
    await desk.pass_time(1)
    assert await desk.by_run() == {"m1": "r1", "m2": "r2"}


async def test_a_follow_up_that_waits_does_not_get_the_messages_before_it(desk: Desk) -> None:
    desk.moves("running")
    await desk.start("r2")
    desk.answers(message(1))
    desk.moves("success")
    await desk.pass_time(1)
    assert await desk.by_run() == {"m1": "r1"}


async def test_a_run_that_is_gone_leaves_its_finished_steps(desk: Desk) -> None:
    desk.answers(message(1))
    desk.service.seen.run_gone("up", "t", "r1", by=EndedBy.SUPERVISOR, reason="rolled back")
    await desk.pass_time(1)
    assert await desk.by_run() == {"m1": "r1"}


async def test_a_thread_that_is_gone_is_not_read(desk: Desk) -> None:
    desk.moves("running")
    desk.service.seen.thread_gone("up", "t", by=EndedBy.SUPERVISOR, reason="deleted")
    await desk.pass_time(100)
    assert desk.server.asked == []


async def test_a_server_that_does_not_show_its_state_is_not_asked_on_and_on(desk: Desk) -> None:
    desk.server.shown = None
    desk.moves("running")
    await desk.pass_time(100)
    assert len(desk.server.asked) == 1
    desk.moves("success")
    await desk.pass_time(100)
    assert len(desk.server.asked) == 2
    assert await desk.usage() is None


async def test_a_thread_that_is_no_task_of_ours_is_not_read(desk: Desk) -> None:
    desk.moves("success", "r9", "foreign")
    await desk.pass_time(1)
    assert desk.server.asked == []


async def test_only_the_server_a_task_lives_on_is_asked(desk: Desk) -> None:
    desk.reader.run_moved("elsewhere", "t", "r1", RunStatus.SUCCESS)
    desk.reader.run_moved("not configured any more", "t", "r1", RunStatus.SUCCESS)
    await desk.reader.turn("elsewhere")
    assert desk.elsewhere.asked == []


async def test_the_newest_credentials_of_the_thread_are_presented(desk: Desk) -> None:
    desk.credentials.keep("t", KEY)
    desk.moves("success")
    await desk.pass_time(1)
    assert [list(auth) for auth in desk.server.presented] == [KEY]
