"""What was to be cancelled when the sidecar ended is cancelled when it is back."""

from pathlib import Path

from tests.integration.cancel.rig import GRAPHS, desk_before

from subagent_sidecar.testing import FakeAgentServer, FaultKind


async def test_a_wish_that_no_server_heard_outlives_the_sidecar(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'books.db'}"
    async with FakeAgentServer(GRAPHS) as server:
        async with desk_before(server, store=store) as at:
            task_id, run_id = await at.started("hang", "running")
            server.faults.add(FaultKind.RESET, times=None)
            told = await at.cancel(task_id, reason="enough", wait_s=0)
            assert (told["outcome"], told["over"]) == ("asked", False)
        assert run_id in server.executing
        server.faults.clear()
        async with desk_before(server, store=store) as at:
            await at.story_has(task_id, "cancel_confirmed")
            task = await at.task(task_id)
        assert (task["status"], task["ended_by"]) == ("cancelled", "operator")
        assert task["reason"].startswith("Cancelled by the operator: enough.")
        assert run_id not in server.executing


async def test_what_was_not_obeyed_is_asked_anew(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'books.db'}"
    async with FakeAgentServer(GRAPHS) as server:
        async with desk_before(server, store=store) as at:
            task_id, run_id = await at.started("hang", "running")
            server.faults.add(FaultKind.CANCEL_IGNORED, "*/cancel", times=None)
            assert (await at.cancel(task_id))["outcome"] == "unconfirmed"
        server.faults.clear()
        async with desk_before(server, store=store) as at:
            await at.story_has(task_id, "cancel_confirmed")
            assert await at.story(task_id) == [
                *("cancel_asked", "cancel_unconfirmed", "ended", "cancel_confirmed"),
            ]
        assert run_id not in server.executing
