"""Real deep agents with the one line: their sessions hold a lease while they live, no longer."""

import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from tests.acceptance.rig.leasing import started, supervisor
from tests.acceptance.rig.servers import Sidecar

_PATIENCE_S = 120.0


def session_of(sidecar: Sidecar, session: str) -> Any:
    answer = httpx.get(
        f"{sidecar.admin}/v1/sessions", params={"session": session}, trust_env=False, timeout=30
    )
    [found] = answer.raise_for_status().json()["sessions"]
    return found


def session_when(sidecar: Sidecar, session: str, fits: Callable[[Any], bool]) -> Any:
    give_up = time.monotonic() + _PATIENCE_S
    while not fits(found := session_of(sidecar, session)):
        assert time.monotonic() < give_up, found
        time.sleep(0.1)
    return found


def cleaned_up(sidecar: Sidecar, session: str) -> None:
    body = {"session": session, "wait_s": 30}
    httpx.post(f"{sidecar.admin}/v1/cancel", json=body, trust_env=False, timeout=60)


def test_a_supervisor_that_is_terminated_ends_its_session_and_one_that_is_killed_lets_it_expire(
    sidecar_to_langgraph: Sidecar, tmp_path: Path
) -> None:
    sidecar = sidecar_to_langgraph
    polite, killed = str(uuid.uuid4()), str(uuid.uuid4())
    logs = tmp_path / "polite.log", tmp_path / "killed.log"
    with (
        supervisor(sidecar.url, polite, logs[0]) as first,
        supervisor(sidecar.url, killed, logs[1], way="sync") as second,
    ):
        tasks = [*started(first, logs[0]), *started(second, logs[1])]
        for session in (polite, killed):
            found = session_when(sidecar, session, lambda it: it["lease"] == "held")
            assert (found["live_tasks"], found["lease_s"]) == (1, 10.0)

        second.kill()
        assert second.wait(_PATIENCE_S) == -signal.SIGKILL
        left_behind = session_of(sidecar, killed)

        first.terminate()
        assert first.wait(_PATIENCE_S) == -signal.SIGTERM
        ended = session_of(sidecar, polite)
        assert (ended["lease"], ended["ended_by"]) == ("ended", "supervisor")
        assert ended["reason"] == "its supervisor's process was terminated"

        silent = session_when(sidecar, killed, lambda it: it["lease"] != "held")
        assert (silent["lease"], silent["ended_at"]) == ("expired", None)
        assert silent["beats"] == left_behind["beats"]
    for session, task in zip((polite, killed), tasks, strict=True):
        record = httpx.get(f"{sidecar.admin}/v1/tasks/{task}", trust_env=False).json()["task"]
        assert record["session_id"] == session
        cleaned_up(sidecar, session)
