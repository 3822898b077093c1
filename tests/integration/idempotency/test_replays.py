"""What a start that was made before is answered with, and for how long. (row 14)"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from tests.contract.agent_client import run_of
from tests.integration.idempotency.rig import Rig, replayed, rig, serving
from tests.support.waiting import eventually

from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock, FaultKind


def on_disk(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("books.db*"))


@pytest.mark.parametrize("form", ["/stream", "/wait"])
async def test_a_stream_is_not_started_again(sidecar: Rig, form: str) -> None:
    thread_id = await sidecar.client.new_thread()
    first = await sidecar.start(thread_id, run_of("researcher"), form=form)
    again = await sidecar.start(thread_id, run_of("researcher"), form=form)
    [run_id] = sidecar.server.ledger.run_ids
    assert (first.status, again.status, again.json["code"]) == (200, 409, "already_started")
    assert (again.json["task_id"], again.json["run_id"]) == (thread_id, run_id)
    assert f"GET /threads/{thread_id}/runs/{run_id}/stream" in again.json["message"]


async def test_a_retry_of_a_stream_that_goes_on_does_not_wait_for_its_end(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    stream = spawn(sidecar.start(thread_id, form="/stream"), name="stream", awaited=True)
    await eventually(lambda: len(sidecar.server.ledger) == 1)
    again = await sidecar.start(thread_id, form="/stream")
    assert (again.json["code"], again.json["run_id"]) == (
        "already_started",
        sidecar.server.ledger.run_ids[0],
    )
    stream.cancel()


async def test_an_answer_too_long_to_keep_is_told_as_the_run_is_now(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    long = run_of("hang", "x" * 300_000)
    first = await sidecar.start(thread_id, long)
    await sidecar.client.run_when(thread_id, first.json["run_id"], "running")
    again = await sidecar.start(thread_id, long)
    assert (again.status, again.json["status"], replayed(again)) == (200, "running", True)
    assert [again.json["run_id"]] == sidecar.server.ledger.run_ids


async def test_where_no_words_are_kept_no_answer_is(tmp_path: Path) -> None:
    async with rig(tmp_path, purpose=False) as sidecar:
        thread_id = await sidecar.client.new_thread()
        first = await sidecar.start(thread_id, run_of("hang", "tell nobody"))
        again = await sidecar.start(thread_id, run_of("hang", "tell nobody"))
        assert (again.json["run_id"], replayed(again)) == (first.json["run_id"], True)
        assert len(sidecar.server.ledger) == 1
    assert b"tell nobody" not in on_disk(tmp_path)


async def test_a_key_is_forgotten_after_a_day() -> None:
    clock = FakeClock()
    async with rig(clock=clock) as sidecar:
        thread_id = await sidecar.client.new_thread()
        body = run_of("hang", multitask_strategy="enqueue")
        await sidecar.start(thread_id, body)
        clock.tick(24 * 3600 - 1)
        assert replayed(await sidecar.start(thread_id, body))
        clock.tick(1)
        assert not replayed(await sidecar.start(thread_id, body))
        assert replayed(await sidecar.start(thread_id, body))
        assert len(sidecar.server.ledger) == 2


async def test_two_sidecars_on_one_store_make_one_run(tmp_path: Path) -> None:
    async with rig(tmp_path) as one, AsyncExitStack() as stack:
        other = await serving(stack, one.server, one.settings, None)
        thread_id = await one.client.new_thread()
        one.server.faults.add(FaultKind.DELAY_HEAD, "*/runs", method="POST", seconds=0.3)
        answers = await asyncio.gather(
            *(sidecar.start(thread_id) for sidecar in (one, other) for _ in range(10))
        )
        assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
        assert len(one.server.ledger) == 1
        assert sum(not replayed(answer) for answer in answers) == 1
