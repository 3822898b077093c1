"""Orphans on a real `langgraph dev`: of a supervisor that is killed, of a task that is cancelled.

What the server says is asked of it past the sidecar.
"""

import json
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.rig.leasing import started, supervisor
from tests.acceptance.rig.servers import Sidecar, sidecar
from tests.acceptance.rig.services import Service

_PATIENCE_S = 120.0
_LEASE_S, _GRACE_S = 6.0, 4.0
_POLICY = {
    "version": 1,
    "lifecycle": [
        {
            "name": "orphans",
            "on_session_end": "request_cancel",
            "on_parent_close": "request_cancel",
            "heartbeat": "1s",
            "lease": f"{_LEASE_S:g}s",
            "grace": f"{_GRACE_S:g}s",
        },
        {"name": "still", "match": {"agent": "watched-*"}, "stall": "10s"},
        {"name": "doomed", "match": {"agent": "doomed"}, "on_session_end": "terminate"},
    ],
}


@pytest.fixture(scope="module")
def reaping(tmp_path_factory: pytest.TempPathFactory, langgraph: Service) -> Iterator[Sidecar]:
    folder = tmp_path_factory.mktemp("reaping")
    policy, config = folder / "policy.yaml", folder / "config.yaml"
    policy.write_text(json.dumps(_POLICY), "utf-8")
    config.write_text(json.dumps({"reap_interval": "500ms", "usage_interval": "1s"}), "utf-8")
    upstreams = {"main": langgraph.url}
    with sidecar(
        folder, name="reaping", upstreams=upstreams, policy=str(policy), config=config
    ) as found:
        yield found
    log = found.service.log.read_text("utf-8", errors="replace")
    assert "Traceback" not in log, found.service.log_tail(200)


def get(url: str, **query: str) -> Any:
    answer = httpx.get(url, params=query, timeout=_PATIENCE_S, trust_env=False)
    return answer.raise_for_status().json()


def post(url: str, body: Any, **headers: str) -> Any:
    answer = httpx.post(url, json=body, timeout=_PATIENCE_S, trust_env=False, headers=headers)
    answer.raise_for_status()
    return answer.json() if answer.content else None


def record(parts: Sidecar, task_id: str) -> Any:
    return get(f"{parts.admin}/v1/tasks/{task_id}")["task"]


def record_when(parts: Sidecar, task_id: str, fits: Callable[[Any], bool]) -> Any:
    give_up = time.monotonic() + _PATIENCE_S
    while not fits(found := record(parts, task_id)):
        assert time.monotonic() < give_up, found
        time.sleep(0.1)
    return found


def ended(parts: Sidecar, task_id: str) -> Any:
    """The task, once its end by the reaper is verified."""

    def is_over(task: Any) -> bool:
        return task["status"] == "cancelled" and bool(task["runs"][-1]["cancel_confirmed_at"])

    found = record_when(parts, task_id, is_over)
    assert found["ended_by"] == "reaper", found
    return found


def words(server: Service, task: Any) -> tuple[str, str]:
    """What the server itself says of the run and its thread."""
    thread = f"{server.url}/threads/{task['task_id']}"
    return get(f"{thread}/runs/{task['run_id']}")["status"], get(thread)["status"]


# A supervisor that dies


def test_the_tasks_of_a_supervisor_that_was_killed_end_after_lease_and_grace(
    reaping: Sidecar, langgraph: Service, tmp_path: Path
) -> None:
    mine, others = str(uuid.uuid4()), str(uuid.uuid4())
    logs = tmp_path / "killed.log", tmp_path / "lives.log"
    with (
        supervisor(reaping.url, mine, logs[0], tasks=3) as killed,
        supervisor(reaping.url, others, logs[1], tasks=1) as lives,
    ):
        orphans, kept = started(killed, logs[0]), started(lives, logs[1])
        assert len(orphans) == 3 and len(kept) == 1
        for task_id in (*orphans, *kept):
            record_when(reaping, task_id, lambda task: task["status"] == "running")
        killed.kill()
        assert killed.wait(_PATIENCE_S) == -signal.SIGKILL
        tasks = [ended(reaping, task_id) for task_id in orphans]
        [session] = get(f"{reaping.admin}/v1/sessions", session=mine)["sessions"]
        assert record(reaping, kept[0])["status"] == "running"
        assert [words(langgraph, task) for task in tasks] == [("interrupted", "interrupted")] * 3
    silence = [_seconds(session["last_beat_at"], asked_to_end(task)) for task in tasks]
    print(f"asked to end {', '.join(f'{each:.1f}' for each in silence)} s after the last heartbeat")
    assert min(silence) >= _LEASE_S + _GRACE_S
    for task in tasks:
        assert task["reason"].startswith("Cancelled: its session has not renewed its lease for ")


def asked_to_end(task: Any) -> str:
    return str(task["runs"][-1]["cancel_asked_at"])


def _seconds(since: str, until: str) -> float:
    return (datetime.fromisoformat(until) - datetime.fromisoformat(since)).total_seconds()


# A tree


def start(parts: Sidecar, session: str, *, agent: str = "worker", graph: str = "hang") -> Any:
    """A task that does not end, as deepagents starts one in a conversation."""
    metadata = {"subagent_name": agent, "parent_thread_id": session}
    thread_id = post(f"{parts.url}/threads", {"metadata": metadata})["thread_id"]
    body = {
        "assistant_id": graph,
        "input": {"messages": [{"role": "user", "content": "go"}]},
        "config": {"configurable": {"deepagents_parent": {"thread_id": session}}},
    }
    post(f"{parts.url}/threads/{thread_id}/runs", body)
    return record_when(parts, thread_id, lambda task: task["status"] == "running")


def test_below_a_cancelled_task_all_end_the_newest_first(
    reaping: Sidecar, langgraph: Service
) -> None:
    session = str(uuid.uuid4())
    a = start(reaping, session)
    b = start(reaping, a["task_id"])
    c = start(reaping, b["task_id"])
    other = start(reaping, session)
    assert [task["depth"] for task in (a, b, c, other)] == [0, 1, 2, 0]
    post(f"{reaping.url}/threads/{a['task_id']}/runs/{a['run_id']}/cancel", None)
    newest, middle = ended(reaping, c["task_id"]), ended(reaping, b["task_id"])
    assert newest["ended_at"] <= middle["ended_at"]
    top = record(reaping, a["task_id"])
    assert (top["status"], top["ended_by"]) == ("cancelled", "supervisor")
    assert middle["reason"].startswith(f"Cancelled: its parent task {a['task_id']} has ended")
    assert [words(langgraph, task)[0] for task in (a, b, c)] == ["interrupted"] * 3
    assert record(reaping, other["task_id"])["status"] == "running"
    post(f"{reaping.admin}/v1/tasks/{other['task_id']}/cancel", {})


# What is terminated


def test_what_is_terminated_is_deleted_when_its_worker_has_let_go_of_it(
    reaping: Sidecar, langgraph: Service
) -> None:
    """`langgraph dev` works on at a run whose thread is deleted under it. Here its own log says
    that the worker was interrupted."""
    session = str(uuid.uuid4())
    doomed = start(reaping, session, agent="doomed")
    post(f"{reaping.url}/sidecar/sessions/{session}/end", {})
    task = ended(reaping, doomed["task_id"])
    thread = f"{langgraph.url}/threads/{task['task_id']}"
    give_up = time.monotonic() + _PATIENCE_S
    while httpx.get(thread, timeout=_PATIENCE_S, trust_env=False).status_code != 404:
        assert time.monotonic() < give_up
        time.sleep(0.1)
    events = get(f"{reaping.admin}/v1/tasks/{task['task_id']}")["events"]
    told = [event["kind"] for event in events if event["kind"] in _IN_ORDER]
    run = get(f"{reaping.url}/threads/{task['task_id']}/runs/{task['run_id']}")
    assert told == _IN_ORDER
    assert run["status"] == "error" and run["error"].startswith("Cancelled: its session was ended")
    assert [line for line in interrupted(langgraph) if task["run_id"] in line]


_IN_ORDER = ["reaped", "cancel_asked", "cancel_confirmed", "thread_deleted"]


def interrupted(server: Service) -> list[str]:
    """What its workers say of runs they have let go of."""
    log = server.log.read_text("utf-8", errors="replace")
    return [line for line in log.splitlines() if "Background run interrupted" in line]


# What stands still


def test_a_run_that_stands_still_ends_and_one_that_takes_its_steps_does_not(
    reaping: Sidecar, langgraph: Service
) -> None:
    session = str(uuid.uuid4())
    moves = start(reaping, session, agent="watched-spender", graph="spree")
    hangs = start(reaping, session, agent="watched-hanger")
    task = ended(reaping, hangs["task_id"])
    run = get(f"{reaping.url}/threads/{task['task_id']}/runs/{task['run_id']}")
    assert record(reaping, moves["task_id"])["status"] == "running"
    post(f"{reaping.admin}/v1/tasks/{moves['task_id']}/cancel", {})
    assert task["reason"].startswith("clock: Ended before it was done: its run showed no change")
    assert run["status"] == "timeout" and "still of policy policy" in run["error"]
    assert words(langgraph, task)[0] == "interrupted"
