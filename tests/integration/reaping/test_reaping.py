"""Stale and orphaned tasks over real sockets: what ends, what is told, and what stays."""

import re
from pathlib import Path
from typing import Any

import pytest
from tests.integration.reaping.rig import LIVE, WITHIN, asked, desk
from tests.support.operator import subagentctl
from tests.support.waiting import eventually_got

from subagent_sidecar.testing import FaultKind

END = {"on_session_end": "request_cancel"}
FALL = {"on_parent_close": "request_cancel"}


async def test_a_run_that_takes_too_long_ends_and_its_supervisor_is_told_why(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, {"name": "clocks", "run": "2s", "total": "1h"}) as at:
        task_id, run_id = await at.start()
        before = await at.task_when(task_id, status="running")
        task = await at.task_when(task_id, status="cancelled", ended_by="reaper")
        run = await at.run(task_id, run_id)
        [event] = await at.events("reaped")
    assert before["run_deadline"] == before["expires_at"] > before["started_at"]
    assert before["total_deadline"] > before["run_deadline"] and before["queue_deadline"] is None
    assert (task["run_deadline"], task["total_deadline"], task["expires_at"]) == (None, None, None)
    assert (run["status"], run["run_id"]) == ("timeout", run_id)
    told = r"Ended before it was done: its run took [\d.]+ s, and 2 s is the most for one run\. .*"
    assert re.match(told, run["error"])
    assert run["error"].endswith("(rule clocks of policy policy)")
    assert (event["task_id"], event["run_id"], event["status"]) == (task_id, run_id, "running")
    detail = event["detail"]
    assert (detail["rule"], detail["key"], detail["action"]) == ("clocks", "run", "request_cancel")
    assert re.match(r"running for \d.* allows 2 s", detail["evidence"])


async def test_a_run_that_stands_still_ends_and_one_that_moves_does_not(tmp_path: Path) -> None:
    async with desk(tmp_path, {"stall": "3s"}) as at:
        moves, _ = await at.start("steps")
        stands, run_id = await at.start("hang")
        await at.task_when(stands, status="cancelled", ended_by="reaper")
        [event] = await at.events("reaped")
        run = await at.run(stands, run_id)
        moved = await at.task(moves)
    assert re.match(r"no change seen for \d", event["detail"]["evidence"])
    assert (run["status"], moved["status"]) == ("timeout", "running")


async def test_where_nobody_looks_nothing_stands_still(tmp_path: Path) -> None:
    rules = {"stall": "200ms"}, {"name": "clock", "run": "3s"}
    async with desk(tmp_path, *rules, usage_interval="0") as at:
        task_id, _ = await at.start("hang")
        await at.task_when(task_id, status="cancelled")
        [event] = await at.events("reaped")
    assert event["detail"]["key"] == "run"


async def test_a_task_that_waits_for_a_human_too_long_ends(tmp_path: Path) -> None:
    async with desk(tmp_path, {"waiting": "500ms", "run": "100ms"}) as at:
        task_id, _ = await at.start("asker")
        task = await at.task_when(task_id, status="cancelled", ended_by="reaper")
    assert task["reason"].startswith("Ended: it waited for a human for ")
    assert asked(at.server, "cancel") == []


async def test_the_end_of_a_session_ends_its_tasks_at_once(tmp_path: Path) -> None:
    async with desk(tmp_path, END, reap_interval="1h") as at:
        mine = [(await at.start())[0] for _ in range(3)]
        other, _ = await at.start(session="s2")
        await at.running(*mine, other)
        await at.say("s1", "end", reason="done")
        for task_id in mine:
            task = await at.task_when(task_id, status="cancelled", ended_by="reaper")
            assert task["reason"].startswith("Cancelled: its session was ended by the supervisor")
        assert (await at.task(other))["status"] == "running"


async def test_a_session_whose_lease_runs_out_loses_its_tasks_and_one_that_renews_it_does_not(
    tmp_path: Path,
) -> None:
    rule = {**END, "heartbeat": "200ms", "lease": "4s", "grace": "2s"}
    async with desk(tmp_path, rule) as at:
        dead, run_id = await at.start(session="dead")
        lives, _ = await at.start(session="lives")
        mute, _ = await at.start(session="mute")
        await at.running(dead, lives, mute)
        for session in ("dead", "lives"):
            await at.say(session, "heartbeat")

        async def ended() -> Any:
            await at.say("lives", "heartbeat")
            return await at.task(dead)

        task = await eventually_got(ended, lambda t: t["status"] == "cancelled", within=WITHIN)
        run = await at.run(dead, run_id)
        assert [(await at.task(each))["status"] for each in (lives, mute)] == ["running"] * 2
    assert task["ended_by"] == "reaper" and run["status"] == "error"
    assert "its session has not renewed its lease for " in run["error"]


async def test_below_a_cancelled_task_all_end_the_newest_first(tmp_path: Path) -> None:
    async with desk(tmp_path, FALL, reap_interval="1h") as at:
        a, _ = await at.start()
        b, _ = await at.start(session=a)
        c, _ = await at.start(session=b)
        other, _ = await at.start()
        await at.running(a, b, c, other)
        await at.admin.call("POST", "/v1/reap?dry_run=true", {})  # it knows now whose end matters
        await at.admin.call("POST", f"/v1/tasks/{a}/cancel", {})
        for task_id in (c, b):
            await at.task_when(task_id, status="cancelled", ended_by="reaper")
        told = [event["detail"]["evidence"] for event in await at.events("reaped")]
        assert (await at.task(other))["status"] == "running"
    assert [thread_id for _, thread_id in asked(at.server, "cancel")] == [a, c, b]
    assert told == [
        f"its parent task {a} has ended: cancelled",
        f"its parent task {b} is being ended for rule rule-0",
    ]


async def test_what_is_terminated_is_deleted_after_its_cancel(tmp_path: Path) -> None:
    async with desk(tmp_path, {"on_session_end": "terminate"}) as at:
        task_id, run_id = await at.start()
        await at.running(task_id)
        await at.say("s1", "end")
        await at.events_when("thread_deleted")
        task = await at.task(task_id)
        run = await at.run(task_id, run_id)
        kinds = [
            event["kind"]
            for event in await at.events("reaped", "cancel_confirmed", "thread_deleted")
        ]
    assert asked(at.server, "cancel", "delete") == [("cancel", task_id), ("delete", task_id)]
    assert kinds == ["reaped", "cancel_confirmed", "thread_deleted"]
    assert (task["status"], task["ended_by"]) == ("cancelled", "reaper")
    assert (run["status"], run["error"][:9]) == ("error", "Cancelled")


async def test_a_follow_up_has_a_clock_of_its_own(tmp_path: Path) -> None:
    async with desk(tmp_path, {"run": "3s"}) as at:
        task_id, _ = await at.start()
        await at.running(task_id)
        more = {"multitask_strategy": "interrupt"}
        first = (await at.task(task_id))["run_deadline"]
        run_id = await at.client.start(task_id, "hang", **more)
        second = await at.task_when(task_id, status="running", run_id=run_id)
        ended = await at.task_when(task_id, status="cancelled", ended_by="reaper")
        [event] = await at.events("reaped")
    assert second["run_deadline"] > first
    assert (event["run_id"], ended["run_id"]) == (run_id, run_id)


async def test_a_rule_that_observes_ends_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path, {"mode": "observe", "run": "200ms"}) as at:
        task_id, _ = await at.start()
        [event] = await at.events_when("would_reap")
        [planned] = await at.reap(dry_run=True)
        assert (await at.task(task_id))["status"] == "running"
        assert len(await at.events("would_reap")) == 1 and await at.events("reaped") == []
    assert event["detail"]["mode"] == planned["mode"] == "observe"


async def test_an_operator_sees_the_plan_and_has_it_done(tmp_path: Path) -> None:
    async with desk(tmp_path, {"name": "clocks", "run": "300ms"}, reap_interval="0") as at:
        task_id, _ = await at.start()
        await at.running(task_id)

        async def planned() -> Any:
            return await at.reap(dry_run=True)

        [plan] = await eventually_got(planned, bool, within=WITHIN)
        shown = await subagentctl(at.admin_url, "reap", "--dry-run")
        assert (await at.task(task_id))["status"] == "running"
        done = await subagentctl(at.admin_url, "reap", "-o", "json")
        task = await at.task(task_id)
        nothing = await subagentctl(at.admin_url, "reap")
        page = await subagentctl(at.admin_url, "task", task_id)
    assert (plan["task_id"], plan["held"], plan["outcome"]) == (task_id, False, None)
    assert shown.code == 0 and "rule clocks allows 0.3 s" in shown.out
    [reap] = done.json["reaps"]
    assert (done.code, reap["outcome"], reap["over"]) == (0, "cancelled", True)
    assert (task["status"], task["ended_by"]) == ("cancelled", "reaper")
    assert nothing.out.startswith("Nothing is to end")
    assert "reaped by rule clocks: running for" in page.out


@pytest.mark.parametrize("status", [503, 404])
async def test_while_its_server_is_in_trouble_nothing_ends_on_record(
    tmp_path: Path, status: int
) -> None:
    """Nobody could tell whether it did."""
    async with desk(tmp_path, {"run": "300ms"}, reap_interval="0") as at:
        task_id, _ = await at.start()
        await at.running(task_id)
        await eventually_got(lambda: at.reap(dry_run=True), bool, within=WITHIN)
        at.server.faults.add(FaultKind.STATUS, "/threads/*", times=None, status=status)
        for _ in range(3):
            [done] = await at.reap()
            assert (done["outcome"], done["over"]) == ("not ended", False)
        assert (await at.task(task_id))["status"] in LIVE and await at.events("reaped") == []
        at.server.faults.clear()
        done = await eventually_got(at.reap, lambda reaps: reaps[0]["over"], within=WITHIN)
    assert done[0]["outcome"] == "cancelled"


async def test_a_cancel_that_is_not_obeyed_is_pressed_like_any_other(tmp_path: Path) -> None:
    async with desk(tmp_path, {"run": "300ms"}, cancel_verify_for="300ms") as at:
        at.server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=2)
        task_id, _ = await at.start()
        task = await at.task_when(task_id, status="cancelled", ended_by="reaper")
    assert len(asked(at.server, "cancel")) >= 3
    assert task["runs"][0]["cancel_asked_by"] == "reaper"
