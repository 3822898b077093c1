"""A supervisor's own cancel: the answer is the server's, the sidecar sees that it comes true."""

import pytest
from tests.contract.agent_client import Answer
from tests.integration.cancel.rig import WITHIN, Desk, desk
from tests.support.waiting import eventually, eventually_got

from subagent_sidecar.testing import FaultKind


async def cancelled(at: Desk, task_id: str, run_id: str, query: str = "", **more: str) -> Answer:
    """As deepagents does it."""
    path = f"/threads/{task_id}/runs/{run_id}/cancel?wait=0{query}"
    return await at.client.call("POST", path, raw=b"", headers=more)


async def test_the_answer_is_the_servers_and_the_end_is_verified() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        answer = await cancelled(at, task_id, run_id)
        assert (answer.status, answer.body) == (202, b"")
        await at.story_has(task_id, "cancel_confirmed")
        assert await at.story(task_id) == ["cancel_asked", "ended", "cancel_confirmed"]
        task = await at.task(task_id)
        assert (task["status"], task["ended_by"], task["reason"]) == (
            *("cancelled", "supervisor"),
            None,
        )
        assert at.cancels(run_id) == ["interrupt"]


async def test_a_cancel_that_is_ignored_is_asked_once_more() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel")
        await cancelled(at, task_id, run_id, **{"x-api-key": "the supervisor's"})
        await at.story_has(task_id, "cancel_confirmed")
        assert at.cancels(run_id) == ["interrupt", "interrupt"]
        keys = [
            dict(one.raw_headers).get(b"x-api-key") for one in at.server.received("POST", "/cancel")
        ]
        assert keys == [b"the supervisor's"] * 2


async def test_what_a_supervisor_only_interrupts_is_never_rolled_back() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=None)
        await cancelled(at, task_id, run_id)
        await at.story_has(task_id, "cancel_unconfirmed")
        assert at.cancels(run_id) == ["interrupt", "interrupt"]
        assert (await at.task(task_id))["status"] == "running"


async def test_unless_the_settings_say_so() -> None:
    async with desk(cancel_rollback="always") as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=2)
        await cancelled(at, task_id, run_id)
        await at.story_has(task_id, "cancel_confirmed")
        assert at.cancels(run_id) == ["interrupt", "interrupt", "rollback"]


async def test_a_run_that_is_rolled_back_is_gone_and_that_confirms_it() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        assert (await cancelled(at, task_id, run_id, "&action=rollback")).status == 202
        await at.story_has(task_id, "cancel_confirmed")
        task = await at.task(task_id)
        assert (task["status"], task["ended_by"], task["reason"]) == (
            *("cancelled", "supervisor"),
            "the run was rolled back",
        )
        assert at.cancels(run_id) == ["rollback"]


async def test_a_finished_run_answers_404_and_keeps_its_result() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("quick", "success")
        assert (await cancelled(at, task_id, run_id)).status == 404
        task = await eventually_got(
            lambda: at.task(task_id), lambda task: task["status"] == "success", within=WITHIN
        )
        assert task["ended_by"] == "upstream"
        assert await at.story(task_id) == ["ended"]


@pytest.mark.parametrize("named", [True, False])
async def test_a_bulk_cancel_is_seen_to_for_each_run_it_means(named: bool) -> None:
    """By status, langgraph-api calls the runs interrupted and lets them run on."""
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        await at.client.run_when(task_id, run_id, "running")
        body = {"thread_id": task_id, "run_ids": [run_id]} if named else {"status": "running"}
        await at.task(task_id)  # the record knows that it is running
        assert (await at.client.call("POST", "/runs/cancel", body)).status == 204
        await at.story_has(task_id, "cancel_confirmed" if named else "cancel_unconfirmed")
        assert (run_id in at.server.executing) is not named


async def test_a_server_that_says_interrupted_and_runs_on_is_found_out() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("steps", "running")
        at.server.faults.add(FaultKind.CANCEL_LIES, "*/cancel")
        await cancelled(at, task_id, run_id)
        await at.story_has(task_id, "cancel_unconfirmed")
        assert await at.story(task_id) == ["cancel_asked", "ended", "cancel_unconfirmed"]


async def test_an_operator_takes_over_what_a_supervisor_could_not_cancel() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=3)
        await cancelled(at, task_id, run_id)
        told = await at.cancel(task_id, reason="now")
        assert (told["outcome"], told["over"]) == ("cancelled", True)
        await eventually(lambda: not at.server.executing)
        assert at.cancels(run_id)[-1] == "rollback"
        assert (await at.task(task_id))["ended_by"] == "operator"


async def test_a_cancel_the_server_refuses_is_not_taken_for_one() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.STATUS, "*/cancel", status=403)
        assert (await cancelled(at, task_id, run_id)).status == 403
        assert (await at.task(task_id))["runs"][0]["cancel_asked_at"] is None
        assert len(at.cancels(run_id)) == 1
