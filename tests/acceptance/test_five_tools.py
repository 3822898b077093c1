"""The five tools against `langgraph dev` and a self-hosted server: directly, and through the
sidecar. The model sees the same, the server holds the same, the record is true."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.rig.drivers import NO_KEEP_ALIVE, played
from tests.acceptance.rig.masks import difference
from tests.acceptance.rig.matrix import scenario_names
from tests.acceptance.rig.readings import statuses_told
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service
from tests.acceptance.rig.truth import RUN_STATUSES

Json = dict[str, Any]

SCENARIOS = [
    *(f"langgraph/{name}" for name in scenario_names("langgraph")),
    *(f"self-hosted/{name}" for name in scenario_names("self-hosted")),
]
ON_SELF_HOSTED = [name for name in SCENARIOS if name.startswith("self-hosted")]
ON_LANGGRAPH = [name for name in SCENARIOS if name.startswith("langgraph")]

RUNNING_TO_CANCELLED = ["running", "running", "success", "cancelled"]
QUEUED_TO_CANCELLED = ["running", "pending", "running", "success", "cancelled"]
BOTH_AT_ONCE_TO_CANCELLED = ["running", "running", "running", "success", "cancelled"]

TOLD_BY_CHECK = {
    ("langgraph", "interrupt", "researcher"): RUNNING_TO_CANCELLED,
    ("langgraph", "enqueue", "researcher"): QUEUED_TO_CANCELLED,
    ("langgraph", "interrupt", "failing"): ["running", "error", "running", "error"],
    ("langgraph", "enqueue", "failing"): ["running", "error", "running", "error"],
    ("langgraph", "interrupt", "asker"): [
        *("running", "waiting", "success", "waiting", "waiting", "cancelled"),
    ],
    ("langgraph", "enqueue", "asker"): [
        *("running", "waiting", "success", "waiting", "waiting", "cancelled"),
    ],
    ("langgraph", "interrupt", "hang"): ["running", "running", "cancelled"],
    ("langgraph", "enqueue", "hang"): ["running", "pending", "cancelled"],
    ("self-hosted", "interrupt", "researcher"): RUNNING_TO_CANCELLED,
    ("self-hosted", "enqueue", "researcher"): BOTH_AT_ONCE_TO_CANCELLED,
    ("self-hosted", "interrupt", "failing"): ["running", "error", "running", "error"],
    ("self-hosted", "enqueue", "failing"): ["running", "error", "running", "error"],
    ("self-hosted", "interrupt", "hang"): ["running", "running", "cancelled"],
    ("self-hosted", "enqueue", "hang"): ["running", "running", "cancelled"],
}
"""What the checks of each story say, in order: both sides failing alike would be no success."""


@pytest.fixture(scope="session")
def direct_recordings(
    langgraph: Service, hosted: Service, recordings_folder: Path
) -> dict[str, Json]:
    """Scenario -> what happened without a sidecar."""
    sides: dict[str, Json] = {
        "langgraph": {"kind": "langgraph", "url": langgraph.url, "server": langgraph.url},
        "self-hosted": {"kind": "self-hosted", "url": hosted.url, "server": hosted.url},
    }
    for side in sides.values():
        side["headers"] = NO_KEEP_ALIVE
    return _flat(played("five-tools", sides, _made(recordings_folder / "direct")))


@pytest.fixture(scope="session")
def sidecar_recordings(
    langgraph: Service,
    hosted: Service,
    sidecar_to_langgraph: Sidecar,
    sidecar_to_hosted: Sidecar,
    recordings_folder: Path,
) -> dict[str, Json]:
    """Scenario -> what happened through a sidecar."""
    sides: dict[str, Json] = {
        "langgraph": {
            "kind": "langgraph",
            "url": sidecar_to_langgraph.url,
            "server": langgraph.url,
            "admin": sidecar_to_langgraph.admin,
        },
        "self-hosted": {
            "kind": "self-hosted",
            "url": sidecar_to_hosted.url,
            "server": hosted.url,
            "admin": sidecar_to_hosted.admin,
            "headers": {"x-subagent-key": sidecar_to_hosted.key},
        },
    }
    return _flat(played("five-tools", sides, _made(recordings_folder / "sidecar")))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _flat(played_sides: dict[str, Json]) -> dict[str, Json]:
    return {
        f"{kind}/{name}": recording
        for kind, recordings in played_sides.items()
        for name, recording in recordings.items()
    }


def _unbroken(recordings: dict[str, Json], scenario: str) -> Json:
    recording = recordings[scenario]
    assert "broken" not in recording, recording["broken"]
    return recording


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_story_goes_as_told_without_a_sidecar(
    scenario: str, direct_recordings: dict[str, Json]
) -> None:
    kind, _, strategy, agent = scenario.split("/")
    recording = _unbroken(direct_recordings, scenario)
    assert statuses_told(recording) == TOLD_BY_CHECK[kind, strategy, agent]


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_model_is_shown_the_same_through_the_sidecar(
    scenario: str, direct_recordings: dict[str, Json], sidecar_recordings: dict[str, Json]
) -> None:
    direct = _unbroken(direct_recordings, scenario)
    through = _unbroken(sidecar_recordings, scenario)
    assert not difference(direct["steps"], through["steps"])


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_server_holds_the_same_through_the_sidecar(
    scenario: str, direct_recordings: dict[str, Json], sidecar_recordings: dict[str, Json]
) -> None:
    """Threads and runs whole: statuses, values, metadata (less the sidecar's own keys), all."""
    direct = _unbroken(direct_recordings, scenario)
    through = _unbroken(sidecar_recordings, scenario)
    assert not difference(_server_side(direct), _server_side(through))


def _server_side(recording: Json) -> Json:
    return {key: recording[key] for key in ("runs", "thread", "tasks")}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_task_record_agrees_with_the_server(
    scenario: str, sidecar_recordings: dict[str, Json]
) -> None:
    recording = _unbroken(sidecar_recordings, scenario)
    assert recording["record"], "the sidecar has no record of the task"
    assert recording["disagreements"] | {RUN_STATUSES: None} == {RUN_STATUSES: None}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_the_record_of_every_run_agrees_with_the_server(
    scenario: str, sidecar_recordings: dict[str, Json]
) -> None:
    """The superseded ones too, which no supervisor asks after any more."""
    recording = _unbroken(sidecar_recordings, scenario)
    assert recording["record"], "the sidecar has no record of the task"
    assert RUN_STATUSES not in recording["disagreements"], recording["disagreements"]


@pytest.mark.parametrize("scenario", ON_SELF_HOSTED)
def test_a_task_is_that_of_the_key_it_was_started_with(
    scenario: str, sidecar_recordings: dict[str, Json]
) -> None:
    recording = _unbroken(sidecar_recordings, scenario)
    assert recording["record"]["supervisor"] == "team-a"


@pytest.mark.parametrize("scenario", ON_LANGGRAPH)
def test_the_server_is_told_whose_task_it_runs(
    scenario: str, sidecar_recordings: dict[str, Json]
) -> None:
    """Run metadata is what traces and other tools see of it: flat keys, strings."""
    recording = _unbroken(sidecar_recordings, scenario)
    told = {
        "sidecar_task_id": recording["thread"]["thread_id"],
        "sidecar_session_id": recording["thread"]["metadata"]["parent_thread_id"],
        "sidecar_depth": "0",
    }
    for run in recording["runs"]:
        assert told.items() <= run["metadata"].items()


@pytest.mark.parametrize("scenario", ON_LANGGRAPH)
def test_every_run_carries_the_request_id_it_is_recorded_under(
    scenario: str, sidecar_recordings: dict[str, Json]
) -> None:
    """After a crash this is how a run is known again (failures.md 6)."""
    recording = _unbroken(sidecar_recordings, scenario)
    on_server = {
        run["run_id"]: run["kwargs"]["config"]["configurable"]["langgraph_request_id"]
        for run in recording["runs"]
    }
    recorded = {run["run_id"]: run["request_id"] for run in recording["record"]["runs"]}
    assert recorded == on_server


def test_every_task_is_listed_once_and_as_its_own_record_says(
    sidecar_recordings: dict[str, Json], sidecar_to_langgraph: Sidecar
) -> None:
    """Page by page, so that the cursor takes part."""
    listed = [task for page in _pages(sidecar_to_langgraph.admin) for task in page]
    by_id = {task["task_id"]: task for task in listed}
    assert len(by_id) == len(listed)
    for scenario in ON_LANGGRAPH:
        record = _unbroken(sidecar_recordings, scenario)["record"]
        listed_record = by_id[record["task_id"]]
        for key in ("run_id", "status", "agent_name", "session_id", "upstream", "created_at"):
            assert listed_record[key] == record[key]


def _pages(admin: str) -> Iterator[list[Json]]:
    query: dict[str, str] = {"all": "true", "limit": "7"}
    while True:
        answer = httpx.get(f"{admin}/v1/tasks", params=query, trust_env=False)
        page = answer.raise_for_status().json()
        yield page["tasks"]
        if page["next_cursor"] is None:
            return
        query["cursor"] = page["next_cursor"]
