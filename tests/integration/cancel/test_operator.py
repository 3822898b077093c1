"""An operator's cancel, on a server that obeys and on servers that do not: what the operator is
told, what the record says and what the server did are the same thing."""

import asyncio
from io import BytesIO
from typing import Any

import pytest
from tests.contract.agent_client import random_id
from tests.integration.cancel.rig import Desk, desk

from subagent_sidecar.testing import FakeClock, FaultKind

TRUE_END = ("outcome", "over", "status")
JSON = "application/json"


def end(told: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(told[key] for key in TRUE_END)


async def test_a_running_task_is_cancelled_and_the_server_confirms_it() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        told = await at.cancel(task_id, reason="wrong branch")
        assert end(told) == ("cancelled", True, "cancelled")
        assert (told["task_id"], told["run_id"]) == (task_id, run_id)
        assert run_id not in at.server.executing
        task = await at.task(task_id)
        assert (task["status"], task["ended_by"]) == ("cancelled", "operator")
        assert task["reason"] == (
            "Cancelled by the operator: wrong branch. Do not start it again unless the user asks."
        )
        assert await at.story(task_id) == ["cancel_asked", "ended", "cancel_confirmed"]
        assert at.cancels(run_id) == ["interrupt"]


async def test_a_pending_task_is_cancelled_before_it_begins() -> None:
    async with desk(pickup_seconds=30) as at:
        task_id, run_id = await at.started("quick")
        assert end(await at.cancel(task_id)) == ("cancelled", True, "cancelled")
        assert (await at.task(task_id))["started_at"] is None
        assert at.cancels(run_id) == ["interrupt"]


async def test_of_queued_runs_the_newest_goes_first_and_none_begins() -> None:
    async with desk() as at:
        task_id, first = await at.started("hang", "running")
        queued = [
            await at.client.start(task_id, "hang", multitask_strategy="enqueue") for _ in range(3)
        ]
        assert end(await at.cancel(task_id)) == ("cancelled", True, "cancelled")
        asked = [
            received.raw_path.split("/")[-2] for received in at.server.received("POST", "/cancel")
        ]
        assert asked == [*reversed(queued), first]
        task = await at.task(task_id)
        assert {run["status"] for run in task["runs"]} == {"interrupted"}
        assert [run["started_at"] is None for run in task["runs"]] == [False, True, True, True]
        assert not at.server.executing


@pytest.mark.parametrize(("graph", "status"), [("quick", "success"), ("failing", "error")])
async def test_a_task_that_has_ended_keeps_its_result(graph: str, status: str) -> None:
    """The record does not know yet: nobody asked since it was started."""
    async with desk() as at:
        task_id, run_id = await at.started(graph, status)
        assert end(await at.cancel(task_id)) == (f"already {status}", True, status)
        assert at.cancels(run_id) == []  # a server may turn a result into a cancel
        assert end(await at.cancel(task_id)) == (f"already {status}", True, status)
        task = await at.task(task_id)
        assert (task["status"], task["ended_by"]) == (status, "upstream")


async def test_a_task_that_waits_for_a_human_is_ended_without_a_request() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("asker", "success")
        await at.client.run_when(task_id, run_id, "success")
        await at.client.thread_when(task_id, "interrupted")
        assert (await at.task(task_id))["status"] == "waiting"
        assert end(await at.cancel(task_id)) == ("cancelled", True, "cancelled")
        assert at.cancels(run_id) == []
        task = await at.task(task_id)
        assert (task["status"], task["ended_by"]) == ("cancelled", "operator")
        await at.client.thread_when(task_id, "interrupted")  # and it stays so when it is seen again
        assert (await at.task(task_id))["status"] == "cancelled"


async def test_a_task_found_to_be_waiting_only_now_is_ended_too() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("asker", "success")
        assert end(await at.cancel(task_id)) == ("cancelled", True, "cancelled")
        assert at.cancels(run_id) == []


async def test_a_human_who_answers_after_all_makes_it_live_again() -> None:
    async with desk() as at:
        task_id, _ = await at.started("asker", "success")
        await at.cancel(task_id)
        run_id = await at.client.start(task_id, "asker", command={"resume": "EU"}, input=None)
        await at.client.run_when(task_id, run_id, "success")
        await at.client.thread_when(task_id, "idle")
        assert (await at.task(task_id))["status"] == "success"


async def test_a_cancel_that_is_ignored_twice_ends_in_a_rollback() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=2)
        assert end(await at.cancel(task_id)) == ("cancelled", True, "cancelled")
        assert at.cancels(run_id) == ["interrupt", "interrupt", "rollback"]
        assert not at.server.executing
        task = await at.task(task_id)
        assert (task["status"], task["ended_by"]) == ("cancelled", "operator")


async def test_no_rollback_where_the_settings_forbid_it() -> None:
    async with desk(cancel_rollback="never") as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=2)
        assert end(await at.cancel(task_id)) == ("unconfirmed", False, "running")
        assert at.cancels(run_id) == ["interrupt", "interrupt"]


async def test_a_cancel_that_is_never_obeyed_is_called_unconfirmed() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=None)
        told = await at.cancel(task_id)
        assert end(told) == ("unconfirmed", False, "running")
        assert "still running after interrupt (twice), rollback" in told["detail"]
        [run] = (await at.task(task_id))["runs"]
        assert run["cancel_unconfirmed_at"] is not None and run["cancel_confirmed_at"] is None
        assert await at.story(task_id) == ["cancel_asked", "cancel_unconfirmed"]

        at.server.faults.clear()  # asked once more, it is asked anew and not only later
        assert end(await at.cancel(task_id)) == ("cancelled", True, "cancelled")
        [run] = (await at.task(task_id))["runs"]
        assert run["cancel_unconfirmed_at"] is None and run["cancel_confirmed_at"] is not None
        assert run_id not in at.server.executing


async def test_a_server_that_says_interrupted_and_runs_on_is_not_believed() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_LIES, "*/cancel")
        told = await at.cancel(task_id)
        assert end(told) == ("unconfirmed", False, "cancelled")
        assert "its thread is at work" in told["detail"]
        assert run_id in at.server.executing
        assert "cancel_confirmed" not in await at.story(task_id)
        [run] = (await at.task(task_id))["runs"]
        assert run["cancel_unconfirmed_at"] is not None


async def test_the_lie_is_found_out_again_by_whoever_asks_later() -> None:
    async with desk() as at:
        task_id, _ = await at.started("hang", "running")
        at.server.faults.add(FaultKind.CANCEL_LIES, "*/cancel")
        await at.cancel(task_id)
        assert (await at.cancel(task_id))["outcome"] == "unconfirmed"


async def test_a_lie_comes_true_when_the_graph_has_run_to_its_end() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("steps", "running")
        at.server.faults.add(FaultKind.CANCEL_LIES, "*/cancel")
        first = await at.cancel(task_id)
        while run_id in at.server.executing:  # noqa: ASYNC110 - a set has no event to await
            await asyncio.sleep(0.02)
        second = await at.cancel(task_id)
        assert second["outcome"] in ("cancelled", "already cancelled"), (first, second)


@pytest.mark.parametrize(
    "kind",
    [FaultKind.RESET, FaultKind.RESET_AFTER, FaultKind.STATUS, FaultKind.GARBAGE],
)
async def test_a_cancel_that_meets_a_broken_answer_is_tried_again(kind: FaultKind) -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(kind, "*/cancel", times=2)
        assert end(await at.cancel(task_id)) == ("cancelled", True, "cancelled")
        assert run_id not in at.server.executing


async def test_a_server_that_is_not_there_is_called_unreachable_and_asked_when_it_is_back() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        at.server.faults.add(FaultKind.RESET, times=None)
        told = await at.cancel(task_id)
        assert (told["outcome"], told["over"]) == ("unreachable", False)
        at.server.faults.clear()
        await at.story_has(task_id, "cancel_confirmed")
        assert run_id not in at.server.executing
        assert (await at.task(task_id))["ended_by"] == "operator"


async def test_whoever_does_not_wait_is_told_that_it_is_asked() -> None:
    async with desk() as at:
        task_id, _ = await at.started("hang", "running")
        told = await at.cancel(task_id, wait_s=0)
        assert (told["outcome"], told["over"]) == ("asked", False)
        await at.story_has(task_id, "cancel_confirmed")


async def test_a_run_of_another_client_is_cancelled_with_the_task() -> None:
    async with desk(clock=FakeClock()) as at:  # it stands still: the watcher has seen no end yet
        task_id, _ = await at.started("quick", "success")
        other = await at.direct.start(task_id, "hang")
        await at.direct.run_when(task_id, other, "running")
        assert end(await at.cancel(task_id)) == ("cancelled", True, "cancelled")
        assert other not in at.server.executing


async def select(at: Desk, **body: Any) -> dict[str, str]:
    answer = await at.admin.call("POST", "/v1/cancel", body)
    assert answer.status == 200, answer
    assert answer.json["more"] is False
    return {told["task_id"]: told["outcome"] for told in answer.json["tasks"]}


async def test_many_are_cancelled_by_what_they_have_in_common() -> None:
    async with desk() as at:
        hanging = [(await at.started("hang", "running"))[0] for _ in range(5)]
        other, _ = await at.started("steps", "running")
        assert await select(at, agent="hang") == dict.fromkeys(hanging, "cancelled")
        assert (await at.task(other))["status"] in ("pending", "running", "success")
        assert await select(at, task_ids=hanging[:2]) == dict.fromkeys(
            hanging[:2], "already cancelled"
        )
        assert await select(at, session="nobody") == {}
        last, _ = await at.started("hang", "running")
        assert (await select(at, all=True))[last] == "cancelled"


async def test_a_task_nobody_knows_is_not_found_and_nothing_is_done() -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        answer = await at.admin.call("POST", f"/v1/tasks/{random_id()}/cancel", {})
        assert (answer.status, answer.json["code"]) == (404, "task_not_found")
        answer = await at.admin.call("POST", "/v1/cancel", {"task_ids": [task_id, random_id()]})
        assert (answer.status, answer.json["code"]) == (404, "task_not_found")
        assert at.cancels(run_id) == []


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/v1/tasks/{id}/cancel", b"{", "not JSON"),
        ("/v1/tasks/{id}/cancel", b"[]", "must be a JSON object"),
        ("/v1/tasks/{id}/cancel", b"[" * 100_000, "not JSON"),
        ("/v1/tasks/{id}/cancel", b'{"why": "x"}', "'why' is not known here"),
        ("/v1/tasks/{id}/cancel", b'{"reason": 1}', "reason: must be text"),
        ("/v1/tasks/{id}/cancel", b'{"wait_s": "1"}', "wait_s: must be a number"),
        ("/v1/tasks/{id}/cancel", b'{"wait_s": NaN}', "wait_s: must be a number"),
        ("/v1/tasks/{id}/cancel", b'{"wait_s": 601}', "wait_s: must be from 0 to 600"),
        ("/v1/tasks/{id}/cancel", b'{"all": true}', "'all' is not known here"),
        ("/v1/cancel", b"{}", "say which tasks, in one way"),
        ("/v1/cancel", b'{"session": ""}', "session: must be a name, not empty"),
        ("/v1/cancel", b'{"session": "", "agent": "hang"}', "session: must be a name, not empty"),
        ("/v1/cancel", b'{"session": "", "all": true}', "session: must be a name, not empty"),
        ("/v1/cancel", b'{"agent": "\\ud800"}', "agent: must be a name"),
        ("/v1/cancel", b'{"task_ids": ["\\ud800abc"]}', "task_ids: one of them is not text"),
        ("/v1/cancel", b'{"all": 1}', "all: must be true or false"),
        ("/v1/cancel", b'{"agent": "nobody", "wait_s": NaN}', "wait_s: must be a number"),
        ("/v1/cancel", b'{"all": true, "agent": "a"}', "say which tasks, in one way"),
        ("/v1/cancel", b'{"all": "yes"}', "all: must be true or false"),
        ("/v1/cancel", b'{"task_ids": "abc"}', "task_ids: must be a list"),
        ("/v1/cancel", b'{"agent": ["a"]}', "agent: must be text"),
    ],
)
async def test_a_request_that_makes_no_sense_cancels_nothing(
    path: str, body: bytes, said: str
) -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        answer = await at.admin.call("POST", path.format(id=task_id), raw=body)
        assert (answer.status, answer.json["code"]) == (400, "bad_body")
        assert said in answer.json["message"]
        assert at.cancels(run_id) == []


async def test_an_id_that_fits_several_tasks_cancels_none_and_names_each_once() -> None:
    async with desk() as at:
        ids = [f"beefbeef-0000-4000-8000-{number:012d}" for number in range(2)]
        for task_id in ids:
            await at.client.call("POST", "/threads", {"thread_id": task_id})
            await at.client.start(task_id, "hang")
        answer = await at.admin.call("POST", "/v1/tasks/beefbeef/cancel", {})
        assert (answer.status, answer.json["code"]) == (409, "ambiguous_task")
        assert sorted(answer.json["candidates"]) == ids
        assert ids[0] not in answer.json["message"]
        assert at.server.received("POST", "/cancel") == []


async def test_a_body_without_end_is_too_large() -> None:
    async with desk() as at:
        body, kind = BytesIO(b'{"reason": "%s"}' % (b"x" * 2**20)), {"Content-Type": JSON}
        async with at.admin.session.post(
            f"{at.admin.url}/v1/cancel", data=body, headers=kind
        ) as answer:
            assert (answer.status, (await answer.json())["code"]) == (413, "body_too_large")


@pytest.mark.parametrize("given", ["\ud800 half", "\x1b]0;mine\x07", "x" * 10_000, "two\nlines"])
async def test_whatever_the_reason_holds_it_is_on_record_and_told(given: str) -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        assert (await at.cancel(task_id, reason=given))["outcome"] == "cancelled"
        task = await at.task(task_id)
        assert task["ended_by"] == "operator" and task["reason"].startswith("Cancelled by the op")
        run = (await at.client.call("GET", f"/threads/{task_id}/runs/{run_id}")).json
        assert (run["status"], run["error"]) == ("error", task["reason"])
        assert not any(char < " " or "\ud800" <= char <= "\udfff" for char in run["error"])


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:8461"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "[::1"},
        {"Origin": "http://evil.example:8461"},
        {"Origin": "null"},
    ],
)
async def test_a_page_that_calls_this_machine_its_own_is_refused(headers: dict[str, str]) -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        answer = await at.admin.call("POST", f"/v1/tasks/{task_id}/cancel", {}, headers=headers)
        assert (answer.status, answer.json["code"]) == (421, "foreign_origin")
        answer = await at.admin.call("GET", f"/v1/tasks/{task_id}", headers=headers)
        assert (answer.status, answer.json["code"]) == (421, "foreign_origin")
        assert at.cancels(run_id) == []


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:8461"},
        {"Host": "LOCALHOST."},
        {"Host": "sidecar.localhost"},
        {"Host": "sidecar:8461"},
        {"Host": "[::1]:8461"},
        {"Host": "10.1.2.3"},
        {"Origin": "http://localhost:8461"},
    ],
)
async def test_names_no_stranger_can_have_are_answered(headers: dict[str, str]) -> None:
    async with desk() as at:
        assert (await at.admin.call("GET", "/v1/tasks", headers=headers)).status == 200


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_what_a_page_of_another_origin_could_send_is_refused(kind: str) -> None:
    async with desk() as at:
        task_id, run_id = await at.started("hang", "running")
        answer = await at.admin.call(
            "POST", f"/v1/tasks/{task_id}/cancel", raw=b"{}", headers={"Content-Type": kind}
        )
        assert (answer.status, answer.json["code"]) == (415, "not_json")
        assert at.cancels(run_id) == []
