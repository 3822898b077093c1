"""Real supervisors walk into every kind of refusal: what their models read, and what is left."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.rig.drivers import played
from tests.acceptance.rig.servers import REPO, Sidecar
from tests.acceptance.rig.services import Service

Json = dict[str, Any]

AGAIN = "the same call now would be refused again"
HOPELESS = "Waiting does not help: go on with the results you have, do the rest yourself, or tell"
USD = r"\d+\.\d\d+ of 0\.0001 USD"

SAYS: dict[str, tuple[str, ...]] = {
    "researcher": (
        r"at most 2 tasks of this kind in this session may be unfinished at a time, and 2 are",
        r"Wait for one of them to finish, or cancel one that is not needed any more "
        r"\((TASK), (TASK)\)",
        r"rule session-fan-out of policy refusals",
    ),
    "once": (
        r"at most 1 task of this kind in this session may be started, and 1 was",
        HOPELESS,
        r"rule once-only of policy refusals",
    ),
    "hourly": (
        r"at most 1 task of this kind in this session may be started within 1h, and 1 was",
        r"Try again in \d+ minutes at the earliest; until then go on with the results",
        r"rule once-an-hour of policy refusals",
    ),
    "parrot": (
        r"the same agent was given the same instruction once already within 10m",
        r"Check what is there instead of starting it again: TASK",
        r"rule no-duplicates of policy refusals",
    ),
    "outer": (
        r"this task would be at depth 1, and 0 is the deepest",
        r"Waiting does not help: do the work yourself, or tell the user",
        r"rule nesting of policy refusals",
    ),
    "coder": (
        r"no task of agent coder may be started",
        r"Do the coding yourself\.",
        r"rule no-coder of policy refusals",
    ),
    "spendthrift": (
        rf"the budget in this session is spent: {USD}",
        HOPELESS,
        r"rule few-dollars of policy refusals",
    ),
    "talker": (
        r"the budget in this session is spent: [\d,]{3,} of 100 tokens",
        HOPELESS,
        r"rule few-tokens of policy refusals",
    ),
    "saver": (
        r"the budget in this session has no room at the moment: \d+ of 10,000 tokens spent, "
        r"\d,\d{3} kept in reserve by 1 run in flight, and a run needs 6,000",
        r"Wait for one of them to finish, or cancel one that is not needed any more \(TASK\)",
        r"rule set-aside of policy refusals",
    ),
    "starter": (
        r"the budget in this session is spent: 1 of 1 runs",
        HOPELESS,
        r"rule one-run of policy refusals",
    ),
    "worker": (
        r"the budget in this session is spent: \d+ of 1 seconds of run time",
        HOPELESS,
        r"rule no-time of policy refusals",
    ),
    "mystery": (
        r"what was spent in this session cannot be known, for 1 run used a model without a price",
        r"an operator has to give the model a price\. Tell the user",
        r"rule known-prices of policy refusals",
    ),
    "asked": (
        r"the budget of this task is spent: 1 of 1 runs",
        HOPELESS,
        r"rule no-follow-ups of policy refusals",
    ),
    "snowman": (
        r"an operator has frozen the agent snowman: a fire in the kitchen",
        r"Do not try again by yourself: go on with the results you have, and tell the user",
        r"the same call is refused until it is lifted",
    ),
}
"""By agent: the numbers and what is in use, what to do instead, and whose word it is. TASK is one
that was let in."""

LET_IN = {**dict.fromkeys(SAYS, 1), "researcher": 2, "coder": 0, "snowman": 0}
PAGE = REPO / "docs" / "refusals.md"
UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@pytest.fixture(scope="session")
def recordings(
    langgraph: Service, sidecar_that_refuses: Sidecar, recordings_folder: Path
) -> dict[str, Json]:
    """Agent -> what happened."""
    side = {
        "url": sidecar_that_refuses.url,
        "admin": sidecar_that_refuses.admin,
        "store": str(sidecar_that_refuses.store),
        "server": langgraph.url,
        "nester": "nester-governed",
    }
    folder = recordings_folder / "refused"
    folder.mkdir()
    return played("refused", {"sidecar": side}, folder)["sidecar"]


def story(recordings: dict[str, Json], agent: str) -> Json:
    recording = recordings[agent]
    assert "broken" not in recording, recording["broken"]
    return recording


def test_there_is_a_story_for_every_kind_of_refusal(recordings: dict[str, Json]) -> None:
    assert recordings.keys() == SAYS.keys()


@pytest.mark.parametrize("agent", SAYS)
def test_the_model_reads_the_numbers_and_what_to_do_instead(
    agent: str, recordings: dict[str, Json]
) -> None:
    recording = story(recordings, agent)
    told = recording["told"]
    tried = "update" if agent == "asked" else f"launch async subagent '{_asked_for(agent)}'"
    what = "async subagent" if agent == "asked" else ""
    assert told.startswith(f"Failed to {tried} {what}".strip() + ": Not started: ")
    for part in SAYS[agent]:
        expected = part.replace("TASK", "|".join(map(re.escape, recording["tasks"])))
        assert re.search(expected, told), told
    assert agent == "snowman" or told.endswith(f"; {AGAIN})")


def _asked_for(agent: str) -> str:
    return "inner" if agent == "outer" else agent


@pytest.mark.parametrize("agent", SAYS)
def test_the_model_reads_nothing_of_the_protocol(agent: str, recordings: dict[str, Json]) -> None:
    """It is a sentence, not a status code or a JSON body."""
    told = story(recordings, agent)["told"]
    assert not re.search(r"\b40[23]\b|HTTP|[{}]|Forbidden|Payment", told)


@pytest.mark.parametrize("agent", SAYS)
def test_no_empty_thread_is_left_on_the_server(agent: str, recordings: dict[str, Json]) -> None:
    """For `outer` the driver has also looked for what its subagent left."""
    recording = story(recordings, agent)
    assert len(recording["tasks"]) == LET_IN[agent]
    assert sorted(recording["threads"]) == sorted(recording["tasks"]), json.dumps(recording)


def test_the_page_shows_what_is_really_read(recordings: dict[str, Json]) -> None:
    """But for the ids, and for where its lines break."""
    told = story(recordings, "researcher")["told"]
    page = " ".join(PAGE.read_text("utf-8").split())
    assert UUID.sub("ID", told) in UUID.sub("ID", page), told
