"""Starts that are sent again under one Idempotency-Key are one start. (row 14)"""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from tests.contract.agent_client import run_of
from tests.integration.idempotency.rig import KEY, Rig, replayed, rig
from tests.support.waiting import eventually

from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FaultKind


async def test_fifty_at_once_are_one_run_and_fifty_equal_answers(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    answers = await asyncio.gather(*(sidecar.start(thread_id) for _ in range(50)))
    assert len(sidecar.server.ledger) == 1
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert sum(not replayed(answer) for answer in answers) == 1
    place = f"/threads/{thread_id}/runs/{sidecar.server.ledger.run_ids[0]}"
    assert {answer.headers["content-location"] for answer in answers} == {place}
    assert {answer.headers["content-type"] for answer in answers} == {"application/json"}


async def test_a_retry_is_the_first_answer_byte_for_byte(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    first = await sidecar.start(thread_id)
    await sidecar.client.run_when(thread_id, first.json["run_id"], "running")
    again = await sidecar.start(thread_id)
    assert (again.status, again.body, replayed(again)) == (200, first.body, True)
    assert len(sidecar.server.ledger) == 1


async def test_another_body_under_the_same_key_is_refused(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    await sidecar.start(thread_id)
    other = await sidecar.start(thread_id, run_of("hang", "something else"))
    assert (other.status, other.json["code"]) == (422, "idempotency_key_reused")
    assert len(sidecar.server.ledger) == 1


async def test_another_body_at_the_same_time_is_refused(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    sidecar.server.faults.add(FaultKind.DELAY_HEAD, "*/runs", method="POST", seconds=0.2)
    first = spawn(sidecar.start(thread_id), name="first", awaited=True)
    await eventually(lambda: sidecar.sent(f"/threads/{thread_id}/runs") == 1)
    other = await sidecar.start(thread_id, run_of("hang", "something else"))
    assert (other.status, (await first).status) == (422, 200)
    assert len(sidecar.server.ledger) == 1


async def test_without_a_key_two_equal_starts_are_two_runs(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    for _ in range(2):
        body = run_of("hang", multitask_strategy="enqueue")
        answer = await sidecar.client.call("POST", f"/threads/{thread_id}/runs", body)
        assert (answer.status, replayed(answer)) == (200, False)
    assert len(sidecar.server.ledger) == 2


async def test_the_same_key_on_another_thread_or_of_another_caller_is_another_start(
    sidecar: Rig,
) -> None:
    one, other = [await sidecar.client.new_thread() for _ in range(2)]
    strategy = run_of("hang", multitask_strategy="enqueue")
    await sidecar.start(one, strategy)
    await sidecar.start(other, strategy)
    mine = await sidecar.start(one, strategy, **KEY, x_api_key="mine")
    assert not replayed(mine)
    assert len(sidecar.server.ledger) == 3


@pytest.mark.parametrize("key", ["", "x" * 256, "caf\u00e9", "a\tb"])
async def test_a_key_that_is_none_is_refused(key: str) -> None:
    async with rig() as sidecar:
        thread_id = await sidecar.client.new_thread()
        answer = await sidecar.start(thread_id, **{"Idempotency-Key": key})
        assert (answer.status, answer.json["code"]) == (400, "bad_header")
        assert len(sidecar.server.ledger) == 0


async def test_a_body_too_long_to_be_compared_is_refused() -> None:
    async with rig(inspect_limit="1KiB") as sidecar:
        thread_id = await sidecar.client.new_thread()
        answer = await sidecar.start(thread_id, run_of("hang", "x" * 2_000))
        assert (answer.status, answer.json["code"]) == (413, "body_too_large")
        unnamed = await sidecar.start(thread_id, run_of("hang", "x" * 2_000), x_request_id="r")
        assert unnamed.status == 200


async def test_stateless_runs_batches_and_crons_are_made_once_too(sidecar: Rig) -> None:
    starts: Mapping[str, Any] = {
        "/runs": run_of("researcher"),
        "/runs/batch": [run_of("researcher"), run_of("researcher")],
        "/runs/crons": {"assistant_id": "researcher", "schedule": "0 0 1 1 *", "input": {}},
    }
    for path, body in starts.items():
        first, again = [
            await sidecar.client.call("POST", path, body, headers=KEY) for _ in range(2)
        ]
        assert (first.status, replayed(first)) == (200, False), path
        assert (again.body, replayed(again)) == (first.body, True), path
    assert len(sidecar.server.ledger) == 3
