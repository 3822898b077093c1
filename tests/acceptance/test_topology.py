"""Who calls whom: supervisors without a conversation id, subagents of subagents, two servers."""

from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.rig.drivers import NO_KEEP_ALIVE, played
from tests.acceptance.rig.masks import difference
from tests.acceptance.rig.readings import statuses_told
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service
from tests.acceptance.rig.truth import RUN_STATUSES

Json = dict[str, Any]

WITHOUT_ID = ["no-thread-id/async", "no-thread-id/sync"]
OF_TWO_TASKS = {
    "nested": ("outer", "inner"),
    "two-servers/prefix": ("near", "far"),
    "two-servers/header": ("near", "far"),
}
EVERY_TASK = [
    *((name, None) for name in WITHOUT_ID),
    *((name, part) for name, parts in OF_TWO_TASKS.items() for part in parts),
]


@pytest.fixture(scope="session")
def recordings(
    langgraph: Service, hosted: Service, sidecar_to_both: Sidecar, recordings_folder: Path
) -> dict[str, Json]:
    """Side -> scenario -> recording."""
    servers = {"near_server": langgraph.url, "far_server": hosted.url}
    direct: Json = {
        "near": langgraph.url,
        "far": hosted.url,
        "far_by_header": hosted.url,
        "nester": "nester-direct",
        "headers": NO_KEEP_ALIVE,
    }
    through = {
        "near": f"{sidecar_to_both.url}/to/near",
        "far": f"{sidecar_to_both.url}/to/far",
        "far_by_header": sidecar_to_both.url,
        "far_headers": {"x-subagent-upstream": "far"},
        "nester": "nester",
        "admin": sidecar_to_both.admin,
    }
    folder = recordings_folder / "topology"
    folder.mkdir()
    return played("topology", {"direct": direct | servers, "sidecar": through | servers}, folder)


def _task(recordings: dict[str, Json], side: str, scenario: str, part: str | None) -> Json:
    recording: Json = recordings[side][scenario]
    assert "broken" not in recording, recording["broken"]
    return recording if part is None else recording[part]


@pytest.mark.parametrize(("scenario", "part"), EVERY_TASK)
def test_model_and_server_see_no_difference(
    scenario: str, part: str | None, recordings: dict[str, Json]
) -> None:
    direct = _task(recordings, "direct", scenario, part)
    through = _task(recordings, "sidecar", scenario, part)
    for key in ("steps", "tasks", "thread", "runs"):
        assert not difference(_same_nester(direct[key]), _same_nester(through[key]))


def _same_nester(value: Any) -> Any:
    """The two nesters are one graph under two names: they differ in where they delegate to."""
    match value:
        case "nester-direct":
            return "nester"
        case dict():
            return {key: _same_nester(item) for key, item in value.items()}
        case list():
            return [_same_nester(item) for item in value]
        case _:
            return value


@pytest.mark.parametrize(("scenario", "part"), EVERY_TASK)
def test_the_record_agrees_with_the_server(
    scenario: str, part: str | None, recordings: dict[str, Json]
) -> None:
    """For the nested tasks this includes depth and parent, for two servers which one it was.
    What it says of superseded runs is `test_five_tools.py`'s matter."""
    task = _task(recordings, "sidecar", scenario, part)
    assert task["record"], "the sidecar has no record of the task"
    assert task["disagreements"] | {RUN_STATUSES: None} == {RUN_STATUSES: None}


@pytest.mark.parametrize("scenario", WITHOUT_ID)
def test_a_supervisor_without_a_thread_id_has_its_default_session(
    scenario: str, recordings: dict[str, Json]
) -> None:
    task = _task(recordings, "sidecar", scenario, None)
    assert statuses_told(task) == ["running", "running", "success", "cancelled"]
    assert task["record"]["session_id"].startswith("default:")


def test_both_servers_answered_the_one_supervisor(recordings: dict[str, Json]) -> None:
    near = _task(recordings, "sidecar", "two-servers/prefix", "near")
    far = _task(recordings, "sidecar", "two-servers/prefix", "far")
    assert statuses_told(near) == statuses_told(far) == ["success"]
    assert near["record"]["session_id"] == far["record"]["session_id"]
