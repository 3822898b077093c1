"""The reaper in bad company: servers that do not obey, follow-ups in the worst moment."""

from pathlib import Path

from tests.integration.reaping.rig import desk

from subagent_sidecar.testing import FaultKind


async def test_what_is_asked_of_a_task_while_its_tree_falls_goes_on(tmp_path: Path) -> None:
    rules = {"on_session_end": "request_cancel", "on_parent_close": "request_cancel"}
    async with desk(tmp_path, rules) as at:
        parent, run_id = await at.start()
        child, _ = await at.start(session=parent)
        await at.running(parent, child)
        at.server.faults.add(FaultKind.CANCEL_IGNORED, f"/threads/{child}/*", times=None)
        await at.say("s1", "end")
        await at.events_when("reaped", 2)
        answer = await at.client.call(
            "POST",
            f"/threads/{parent}/runs",
            {"assistant_id": "hang", "input": {}, "multitask_strategy": "enqueue"},
            headers={"x-subagent-session": "s1"},
        )
        assert answer.status == 200, answer
        await at.client.run_when(parent, run_id, "interrupted")
        await at.running(parent)
        statuses = [run["status"] for run in (await at.task(parent))["runs"]]
    assert statuses == ["interrupted", "running"]
