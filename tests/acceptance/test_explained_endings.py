"""A real supervisor learns from a real server's answer why the operator ended its task."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.rig.drivers import played
from tests.acceptance.rig.readings import statuses_told
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service

Json = dict[str, Any]

REASON = 'the team has "no" money left: 100.02 of 100 USD, \u00e9t\u00e9'
CLIENTS = ("async", "sync")


@pytest.fixture(scope="session")
def recordings(
    langgraph: Service, sidecar_to_langgraph: Sidecar, recordings_folder: Path
) -> dict[str, Json]:
    """Client -> what happened."""
    side = {
        "url": sidecar_to_langgraph.url,
        "server": langgraph.url,
        "admin": sidecar_to_langgraph.admin,
        "reason": REASON,
    }
    folder = recordings_folder / "explained"
    folder.mkdir()
    return played("explained", {"sidecar": side}, folder)["sidecar"]


def story(recordings: dict[str, Json], client: str) -> Json:
    recording = recordings[client]
    assert "broken" not in recording, recording["broken"]
    return recording


@pytest.mark.parametrize("client", CLIENTS)
def test_the_tool_message_of_a_check_holds_the_reason_word_for_word(
    client: str, recordings: dict[str, Json]
) -> None:
    recording = story(recordings, client)
    assert statuses_told(recording) == ["running", "error"]
    last = [step for step in recording["steps"] if step["step"] == "check_async_task"][-1]
    told = json.loads(next(m for m in last["shown"][-1] if m["type"] == "tool")["content"])
    assert REASON in told["error"]


@pytest.mark.parametrize("client", CLIENTS)
def test_the_operator_is_told_the_truth_and_the_server_keeps_it(
    client: str, recordings: dict[str, Json]
) -> None:
    recording = story(recordings, client)
    assert recording["cancelled"]["outcome"] == "cancelled"
    assert [run["status"] for run in recording["runs"]] == ["interrupted"]
    assert REASON not in json.dumps(recording["runs"], ensure_ascii=False)
