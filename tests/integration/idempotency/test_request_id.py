"""`x-request-id` was made for other things: it tells of a retry where nothing else is meant."""

import asyncio

import pytest
from tests.contract.agent_client import run_of
from tests.integration.idempotency.rig import Rig, replayed
from tests.support.waiting import eventually

from subagent_sidecar.tasks import spawn

ID = "turn-1"
ENQUEUED = run_of("hang", multitask_strategy="enqueue")


async def test_the_same_words_to_a_thread_at_work_are_one_start(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    answers = await asyncio.gather(
        *(sidecar.start(thread_id, ENQUEUED, x_request_id=ID) for _ in range(10))
    )
    answers.append(await sidecar.start(thread_id, ENQUEUED, x_request_id=ID))
    assert {(answer.status, answer.body) for answer in answers} == {(200, answers[0].body)}
    assert sum(replayed(answer) for answer in answers) == 10
    assert len(sidecar.server.ledger) == 1


async def test_one_id_for_all_requests_of_a_turn_is_no_key(sidecar: Rig) -> None:
    one, other = [await sidecar.client.new_thread() for _ in range(2)]
    for thread_id, words in ((one, "first"), (one, "second"), (other, "first")):
        body = run_of("hang", words, multitask_strategy="enqueue")
        answer = await sidecar.start(thread_id, body, x_request_id=ID)
        assert (answer.status, replayed(answer)) == (200, False)
    assert len(sidecar.server.ledger) == 3


async def test_the_same_words_to_a_thread_at_rest_are_new_ones(sidecar: Rig) -> None:
    """A second `resume`, say, within one turn of a supervisor that passes its own id on."""
    thread_id = await sidecar.client.new_thread()
    for number in (1, 2):
        answer = await sidecar.start(thread_id, run_of("researcher"), x_request_id=ID)
        assert (answer.status, replayed(answer)) == (200, False)
        await sidecar.client.run_when(thread_id, answer.json["run_id"], "success")
        assert len(sidecar.server.ledger) == number


@pytest.mark.parametrize("form", ["/stream", "/wait"])
async def test_who_has_read_a_stream_to_its_end_may_ask_the_same_again(
    sidecar: Rig, form: str
) -> None:
    thread_id = await sidecar.client.new_thread()
    for _ in range(2):
        answer = await sidecar.start(thread_id, run_of("researcher"), form=form, x_request_id=ID)
        assert answer.status == 200
    assert len(sidecar.server.ledger) == 2


async def test_a_stream_that_goes_on_is_not_started_again(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    stream = spawn(
        sidecar.start(thread_id, form="/stream", x_request_id=ID), name="stream", awaited=True
    )
    await eventually(lambda: len(sidecar.server.ledger) == 1)
    again = await sidecar.start(thread_id, form="/stream", x_request_id=ID)
    assert (again.status, again.json["code"]) == (409, "already_started")
    stream.cancel()


async def test_starts_without_a_thread_are_never_the_same_by_their_id(sidecar: Rig) -> None:
    """Three equal ones at once are a vote, not a retry."""
    for _ in range(3):
        answer = await sidecar.client.call(
            "POST", "/runs", run_of("researcher"), headers={"x-request-id": ID}
        )
        assert not replayed(answer)
    assert len(sidecar.server.ledger) == 3


async def test_an_idempotency_key_is_believed_rather_than_a_request_id(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    for number in (1, 2):
        body = ENQUEUED
        key = {"Idempotency-Key": f"order-{number}", "x-request-id": ID}
        assert not replayed(await sidecar.start(thread_id, body, **key))
    other_id = {"Idempotency-Key": "order-1", "x-request-id": "turn-2"}
    assert replayed(await sidecar.start(thread_id, ENQUEUED, **other_id))
    assert len(sidecar.server.ledger) == 2
