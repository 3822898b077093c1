"""Starts that came to nothing may be made again under their key, those in doubt not. (row 14)"""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.contract.agent_client import run_of
from tests.integration.http.rig import settings_for
from tests.integration.idempotency.rig import KEY, Rig, replayed, rig, serving
from tests.support.waiting import eventually, eventually_got

from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock, FaultKind

STATELESS = "/runs"


@pytest.mark.parametrize("status", [400, 409, 422, 429])
@pytest.mark.parametrize("stateless", [False, True])
async def test_a_start_the_server_refused_may_be_tried_again(
    sidecar: Rig, status: int, stateless: bool
) -> None:
    path = STATELESS if stateless else f"/threads/{await sidecar.client.new_thread()}/runs"
    sidecar.server.faults.add(FaultKind.STATUS, path, method="POST", status=status)
    refused, again = [
        await sidecar.client.call("POST", path, run_of("hang"), headers=KEY) for _ in range(2)
    ]
    assert (refused.status, replayed(refused)) == (status, False)
    assert (again.status, replayed(again)) == (200, False)


async def test_those_who_waited_share_what_the_server_refused(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    path = f"/threads/{thread_id}/runs"
    sidecar.server.faults.add(
        FaultKind.STATUS, "*/runs", method="POST", status=422, body=b'{"detail":"no such graph"}'
    )
    answers = await asyncio.gather(*(sidecar.start(thread_id) for _ in range(5)))
    bodies = {answer.body for answer in answers if answer.status == 422}
    assert bodies == {b'{"detail":"no such graph"}'}
    # Who came after the answer may have started anew, once.
    assert sidecar.sent(path) == 1 + len(sidecar.server.ledger) <= 2


async def test_a_start_that_could_not_be_sent_may_be_tried_again() -> None:
    async with rig(connect_timeout="500ms") as sidecar:
        other = settings_for("http://127.0.0.1:9", store="memory:")
        async with AsyncExitStack() as stack:
            alone = await serving(stack, sidecar.server, other, None)
            answers = [
                await alone.client.call("POST", STATELESS, run_of("hang"), headers=KEY)
                for _ in range(2)
            ]
        assert [answer.json["code"] for answer in answers] == ["upstream_unreachable"] * 2


async def test_a_start_in_doubt_is_not_sent_again(tmp_path: Path) -> None:
    async with rig(tmp_path) as sidecar:
        thread_id = await sidecar.client.new_thread()
        sidecar.server.faults.add(FaultKind.RESET_AFTER, "*/runs", method="POST")
        sidecar.server.faults.add(FaultKind.STATUS, "*/runs", method="GET", times=None)
        broken = await sidecar.start(thread_id)
        assert (broken.status, broken.json["task_id"]) == (502, thread_id)
        again = await sidecar.start(thread_id)
        assert (again.status, again.json["code"]) == (409, "start_in_doubt")
        assert (again.json["task_id"], again.headers["retry-after"]) == (thread_id, "2")
        assert thread_id in again.json["message"]

        sidecar.server.faults.clear()
        known = await eventually_got(
            lambda: sidecar.start(thread_id), lambda answer: answer.status == 200, within=30
        )
        assert replayed(known)
        assert [known.json["run_id"]] == sidecar.server.ledger.run_ids
        place = f"/threads/{thread_id}/runs/{known.json['run_id']}"
        assert known.headers["content-location"] == place
        assert (await sidecar.start(thread_id)).body == known.body


async def test_a_start_that_never_arrived_is_made_by_its_retry(tmp_path: Path) -> None:
    """The sidecar gives it up once the server, asked for its runs, shows none of it."""
    async with rig(tmp_path, start_timeout="2s") as sidecar:
        thread_id = await sidecar.client.new_thread()
        sidecar.server.faults.add(FaultKind.RESET, "*/runs", method="POST")
        assert (await sidecar.start(thread_id)).status == 502
        made = await eventually_got(
            lambda: sidecar.start(thread_id), lambda answer: answer.status == 200, within=60
        )
        assert not replayed(made)
        assert [made.json["run_id"]] == sidecar.server.ledger.run_ids


async def test_who_waits_for_a_start_in_doubt_is_told_the_same() -> None:
    async with rig() as sidecar:
        thread_id = await sidecar.client.new_thread()
        sidecar.server.faults.add(FaultKind.RESET_AFTER, "*/runs", method="POST", times=None)
        sidecar.server.faults.add(FaultKind.STATUS, "*/runs", method="GET", times=None)
        answers = await asyncio.gather(*(sidecar.start(thread_id) for _ in range(10)))
        assert {answer.json["task_id"] for answer in answers} == {thread_id}
        assert {answer.status for answer in answers} <= {502, 409}
        assert len(sidecar.server.ledger) == 1


async def test_a_retry_does_not_wait_longer_than_a_start_may_take() -> None:
    async with rig(start_timeout="1s") as sidecar:
        thread_id = await sidecar.client.new_thread()
        sidecar.server.faults.add(FaultKind.HANG, "*/runs", method="POST")
        sidecar.server.faults.add(FaultKind.STATUS, "*/runs", method="GET", times=None)
        first = spawn(sidecar.start(thread_id), name="first", awaited=True)
        await eventually(lambda: sidecar.sent(f"/threads/{thread_id}/runs") == 1)
        again = await sidecar.start(thread_id)
        assert again.json["code"] in ("start_under_way", "start_in_doubt", "upstream_timeout")
        assert again.json["task_id"] == thread_id
        assert (await first).status == 504
        assert sidecar.sent(f"/threads/{thread_id}/runs") == 1


async def test_a_client_that_leaves_finds_its_start_when_it_is_back(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    sidecar.server.faults.add(FaultKind.DELAY_HEAD, "*/runs", method="POST", seconds=0.3)
    first = spawn(sidecar.start(thread_id), name="first", awaited=True)
    await eventually(lambda: sidecar.sent(f"/threads/{thread_id}/runs") == 1)
    first.cancel()
    again = await sidecar.start(thread_id)
    assert (again.status, replayed(again)) == (200, True)
    assert [again.json["run_id"]] == sidecar.server.ledger.run_ids


POLICY = """
version: 1
limits:
  - {name: one-at-a-time, concurrent: 1, per: session}
"""


async def test_a_refusal_by_policy_is_not_kept(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY, "utf-8")
    async with rig(tmp_path, policy=[str(policy)]) as sidecar:
        first, second = [await sidecar.client.new_thread() for _ in range(2)]
        running = await sidecar.start(first)
        refused = await sidecar.start(second)
        assert refused.status == 403
        path = f"/threads/{first}/runs/{running.json['run_id']}/cancel?wait=1"
        await sidecar.client.call("POST", path)
        again = await eventually_got(
            lambda: sidecar.start(second), lambda answer: answer.status != 403
        )
        assert not replayed(again)


async def given_up(sidecar: Rig, clock: FakeClock, path: str) -> None:
    """A start that the server took; its answer was lost, and the sidecar has given it up."""
    sidecar.server.faults.add(FaultKind.RESET_AFTER, path, method="POST")
    sidecar.server.faults.add(FaultKind.STATUS, "*/runs", method="GET", status=404, times=None)
    broken = await sidecar.client.call("POST", path, run_of("hang"), headers=KEY)
    assert broken.status == 502
    clock.tick(60)

    async def failures() -> list[Any]:
        page = (await sidecar.admin.call("GET", "/v1/events?kind=start_failed&follow=false")).json
        return list(page["events"])

    await eventually_got(failures, bool, within=30)


@pytest.mark.parametrize("stateless", [False, True])
async def test_what_cannot_be_found_out_is_not_sent_again(stateless: bool) -> None:
    clock = FakeClock()
    async with rig(clock=clock) as sidecar:
        path = STATELESS if stateless else f"/threads/{await sidecar.client.new_thread()}/runs"
        await given_up(sidecar, clock, path)
        again = await sidecar.client.call("POST", path, run_of("hang"), headers=KEY)
        assert (again.status, again.json["code"]) == (409, "start_in_doubt")
        assert "cannot be found out" in again.json["message"]
        assert len(sidecar.server.ledger) == 1


async def test_a_run_that_shows_itself_late_is_the_answer() -> None:
    clock = FakeClock()
    async with rig(clock=clock) as sidecar:
        thread_id = await sidecar.client.new_thread()
        await given_up(sidecar, clock, f"/threads/{thread_id}/runs")
        sidecar.server.faults.clear()
        again = await sidecar.start(thread_id)
        assert (again.status, replayed(again)) == (200, True)
        assert [again.json["run_id"]] == sidecar.server.ledger.run_ids


async def test_a_server_that_cannot_be_asked_leaves_the_doubt() -> None:
    clock = FakeClock()
    async with rig(clock=clock) as sidecar:
        thread_id = await sidecar.client.new_thread()
        await given_up(sidecar, clock, f"/threads/{thread_id}/runs")
        sidecar.server.faults.clear()
        sidecar.server.faults.add(FaultKind.STATUS, "*/runs", method="GET", status=503)
        again = await sidecar.start(thread_id)
        assert (again.status, again.json["code"]) == (409, "start_in_doubt")
        assert len(sidecar.server.ledger) == 1


async def test_a_run_that_is_gone_by_now_is_named_and_not_made_again(sidecar: Rig) -> None:
    thread_id = await sidecar.client.new_thread()
    long = run_of("hang", "x" * 300_000)
    first = await sidecar.start(thread_id, long)
    path = f"/threads/{thread_id}/runs/{first.json['run_id']}"
    await sidecar.client.call("DELETE", path)
    again = await sidecar.start(thread_id, long)
    assert (again.status, again.json["code"]) == (409, "already_started")
    assert again.json["run_id"] == first.json["run_id"]
    assert len(sidecar.server.ledger) == 1
