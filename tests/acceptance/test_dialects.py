"""What older deepagents (and the JavaScript one) send, replayed from recordings: the same answers
through the sidecar, and a record with what each dialect tells about itself.

The current dialect needs no replay: `test_five_tools.py` has the real thing.
"""

import asyncio
import json
import uuid
from typing import Any

import httpx
import pytest
from tests.acceptance.rig.masks import difference
from tests.acceptance.rig.replay import replayed
from tests.acceptance.rig.servers import REPO, Sidecar
from tests.acceptance.rig.services import Service

Json = dict[str, Any]

DIALECTS: dict[str, Json] = {
    dialect["dialect"]: dialect
    for dialect in json.loads((REPO / "tests/data/dialects.json").read_text(encoding="utf-8"))
}


@pytest.fixture(scope="session")
def replays(langgraph: Service, sidecar_to_langgraph: Sidecar) -> dict[tuple[str, str], Json]:
    """(dialect, side) -> the answers, the ids, the session that was in play."""
    ways = {"direct": langgraph.url, "sidecar": sidecar_to_langgraph.url}

    async def one(dialect: Json, way: str) -> Json:
        parent = str(uuid.uuid4())
        answers, ids = await replayed(dialect, way=way, server=langgraph.url, parent=parent)
        return {"answers": answers, "ids": ids, "parent": parent}

    async def every() -> list[Json]:
        return await asyncio.gather(*(one(DIALECTS[name], ways[side]) for name, side in keys))

    keys = [(name, side) for name in DIALECTS for side in ways]
    return dict(zip(keys, asyncio.run(every()), strict=True))


@pytest.mark.parametrize("dialect", DIALECTS)
def test_an_older_dialect_gets_the_same_answers_through_the_sidecar(
    dialect: str, replays: dict[tuple[str, str], Json]
) -> None:
    direct = replays[dialect, "direct"]["answers"]
    through = replays[dialect, "sidecar"]["answers"]
    assert [answer["status"] for answer in direct] == [200] * 7 + [202, 200]
    assert not difference(direct, through)


@pytest.mark.parametrize("dialect", DIALECTS)
def test_the_record_of_an_older_dialect_has_what_it_tells(
    dialect: str, replays: dict[tuple[str, str], Json], sidecar_to_langgraph: Sidecar
) -> None:
    replay = replays[dialect, "sidecar"]
    answer = httpx.get(
        f"{sidecar_to_langgraph.admin}/v1/tasks/{replay['ids']['thread']}", trust_env=False
    )
    record = answer.raise_for_status().json()["task"]
    assert record["agent_name"] == record["assistant_id"] == "researcher"
    assert record["status"] == "cancelled"
    assert record["run_id"] == replay["ids"]["run"]
    assert len(record["runs"]) == 3
    assert (record["depth"], record["parent_task_id"]) == (0, None)
    if DIALECTS[dialect]["session"] is None:
        assert record["session_id"].startswith("default:")
    else:
        assert record["session_id"] == replay["parent"]
