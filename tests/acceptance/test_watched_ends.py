"""Tasks on a real server whose supervisor never asks again: how they end is on record."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service

_PATIENCE_S = 120.0


@dataclass(frozen=True, slots=True)
class Case:
    """What a supervisor starts, and how it ends: on record, and by the server's word of its run."""

    graph: str
    text: str
    status: str
    server_word: str


CASES = {
    "finishes": Case("researcher", "cats sleep=2", "success", "success"),
    "fails": Case("failing", "dogs sleep=2", "error", "error"),
    "asks a human": Case("asker", "which one sleep=2", "waiting", "success"),
}


@dataclass(frozen=True, slots=True)
class Parts:
    """A real server and the sidecar before it, which is only used to start tasks."""

    server: str
    sidecar: Sidecar

    def start(self, graph: str, text: str) -> tuple[str, str]:
        """The thread and the run of a new task."""
        thread = _post(f"{self.sidecar.url}/threads", {})["thread_id"]
        body = {"assistant_id": graph, "input": {"messages": [{"role": "user", "content": text}]}}
        run = _post(f"{self.sidecar.url}/threads/{thread}/runs", body)
        return str(thread), str(run["run_id"])

    def record(self, task_id: str) -> Any:
        return _get(f"{self.sidecar.admin}/v1/tasks/{task_id}")["task"]

    def record_when(self, task_id: str, fits: Callable[[Any], bool]) -> Any:
        give_up = time.monotonic() + _PATIENCE_S
        while not fits(record := self.record(task_id)):
            assert time.monotonic() < give_up, record
            time.sleep(0.1)
        return record

    def task_when(self, task_id: str, status: str) -> Any:
        """The task once it is in `status`, which nobody's question brought about."""
        record = self.record_when(task_id, lambda record: record["status"] == status)
        assert (record["polls"], record["last_checked_at"]) == (0, None)
        return record

    def word(self, thread_id: str, run_id: str) -> str:
        """The server's own, past the sidecar."""
        return str(_get(f"{self.server}/threads/{thread_id}/runs/{run_id}")["status"])


def _get(url: str) -> Any:
    return httpx.get(url, timeout=_PATIENCE_S, trust_env=False).raise_for_status().json()


def _post(url: str, body: Mapping[str, Any]) -> Any:
    answer = httpx.post(url, json=body, timeout=_PATIENCE_S, trust_env=False).raise_for_status()
    return answer.json() if answer.content else None


@pytest.fixture(scope="module")
def parts(langgraph: Service, sidecar_to_langgraph: Sidecar) -> Parts:
    return Parts(langgraph.url, sidecar_to_langgraph)


@pytest.fixture(scope="module")
def started(parts: Parts) -> dict[str, tuple[str, str]]:
    """Every case at once, under way when the first is looked for."""
    return {name: parts.start(case.graph, case.text) for name, case in CASES.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_task_nobody_asks_about_ends_on_record(
    name: str, parts: Parts, started: dict[str, tuple[str, str]]
) -> None:
    case, (task_id, run_id) = CASES[name], started[name]
    record = parts.task_when(task_id, case.status)
    assert [run["status"] for run in record["runs"]] == [case.server_word]
    assert parts.word(task_id, run_id) == case.server_word
    assert (record["ended_at"] is None) == (case.status == "waiting")


def test_a_cancel_past_the_sidecar_is_on_record(parts: Parts) -> None:
    task_id, run_id = parts.start("hang", "for ever")
    parts.task_when(task_id, "running")
    _post(f"{parts.server}/threads/{task_id}/runs/{run_id}/cancel?wait=0", {})
    parts.task_when(task_id, "cancelled")
    assert parts.word(task_id, run_id) == "interrupted"


def test_a_run_rolled_back_past_the_sidecar_is_on_record(parts: Parts) -> None:
    """The server has no word of it any more. It is believed that only when it says so twice."""
    task_id, run_id = parts.start("hang", "for ever")
    parts.task_when(task_id, "running")
    _post(f"{parts.server}/threads/{task_id}/runs/{run_id}/cancel?wait=1&action=rollback", {})
    record = parts.task_when(task_id, "cancelled")
    assert record["ended_by"] == "server_lost"


def test_what_a_human_answered_past_the_sidecar_is_followed_to_its_end(parts: Parts) -> None:
    task_id, run_id = parts.start("asker", "which one")
    parts.task_when(task_id, "waiting")
    body = {"assistant_id": "asker", "command": {"resume": "EU"}}
    resumed = _post(f"{parts.server}/threads/{task_id}/runs", body)
    record = parts.task_when(task_id, "success")
    assert [run["run_id"] for run in record["runs"]] == [run_id, resumed["run_id"]]
