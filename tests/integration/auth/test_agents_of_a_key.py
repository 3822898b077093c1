"""A key for some agents starts no other, by whatever door and whatever name."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.integration.auth.rig import admin, new_key
from tests.integration.doors.rig import Reply, Rig, rig
from tests.integration.doors.server import CODER_ID
from tests.integration.doors.test_http_doors import COMMANDS, message, run_start, tool_call
from tests.support.waiting import eventually_got

TOLD = "Not started: you may start writer or res* here, and no other agent."
NO_RULES = "version: 1\n"


@dataclass(frozen=True)
class Holder:
    """Somebody with a key for writers and researchers."""

    at: Rig
    key: str

    async def post(self, path: str, body: Any, **fields: str) -> Reply:
        return await self.at.post(path, body, **{"x-subagent-key": self.key, **fields})

    @property
    def sent(self) -> list[Any]:
        return [each.message for each in self.at.server.started]


@asynccontextmanager
async def holder(folder: Path) -> AsyncIterator[Holder]:
    async with rig(folder, auth=True) as at:
        (folder / "p.yaml").write_text(NO_RULES, "utf-8")
        await admin(at.front, "/v1/policy/reload", {})
        yield Holder(at, await new_key(at.front, agents=["writer", "res*"]))


def run(agent: str | None, name: str | None = None) -> dict[str, Any]:
    body: dict[str, Any] = {"input": {}}
    if agent is not None:
        body["assistant_id"] = agent
    if name is not None:
        body["metadata"] = {"subagent_name": name}
    return body


UPPER = CODER_ID.upper()
FORBIDDEN: dict[str, tuple[str, Any]] = {
    "by its graph": ("/threads/t/runs", run("coder")),
    "as a stream": ("/threads/t/runs/stream", run("coder")),
    "waited for": ("/runs/wait", run("coder")),
    "without a thread": ("/runs", run("coder")),
    "as a cron": ("/runs/crons", {**run("coder"), "schedule": "* * * * *"}),
    "by the id of its assistant": ("/threads/t/runs", run(CODER_ID)),
    "in capitals": ("/threads/t/runs", run(UPPER)),
    "without hyphens": ("/threads/t/runs", run(CODER_ID.replace("-", ""))),
    "under another's name": ("/threads/t/runs", run("coder", "writer")),
    "under a name of its own": ("/threads/t/runs", run("writer", "coder")),
    "without a name": ("/threads/t/runs", run(None)),
    "twice named": ("/threads/t/runs", b'{"assistant_id":"writer","assistant_id":"coder"}'),
}


@pytest.mark.parametrize("how", FORBIDDEN)
async def test_it_is_refused_before_anything_is_sent(how: str, tmp_path: Path) -> None:
    path, body = FORBIDDEN[how]
    async with holder(tmp_path) as mine:
        answer = await mine.post(path, body)
        assert (answer.status, answer.refused) == (403, True)
        told = answer.json
        assert (told["code"], told["rule"], told["policy"]) == ("key_agents", "agents", "key")
        assert told["message"].startswith(TOLD) and told["message"] == told["detail"]
        assert (told["limit"], told["current"], told["scope"]) == (None, None, "agent")
        assert mine.sent == []


async def test_of_a_batch_all_or_none(tmp_path: Path) -> None:
    async with holder(tmp_path) as mine:
        answer = await mine.post("/runs/batch", [run("writer"), run("coder")])
        assert answer.status == 403
        assert "nor any other of the 2 runs of this batch" in answer.json["message"]
        assert mine.sent == []


async def test_other_doors_tell_it_in_their_own_words(tmp_path: Path) -> None:
    async with holder(tmp_path) as mine:
        mine.at.server.tools["coding tool"] = "coder"
        mine.at.server.tools["writer"] = "coder"  # a tool's name is anybody's choice
        command = await mine.post(COMMANDS, run_start("coder"))
        assert command.json["message"].startswith(TOLD)
        assert TOLD in (await mine.post(f"/a2a/{CODER_ID}", message())).body.decode()
        for tool in ("coding tool", "writer"):
            assert TOLD in (await mine.post("/mcp", tool_call(tool))).body.decode()
        async with mine.at.session.ws_connect(
            f"{mine.at.url}/threads/t/stream/events", headers={"x-subagent-key": mine.key}
        ) as socket:
            await socket.send_json(run_start(CODER_ID))
            assert json.loads((await socket.receive(timeout=20)).data)["error"] == "key_agents"
        assert mine.sent == []


async def test_what_it_is_for_is_started(tmp_path: Path) -> None:
    async with holder(tmp_path) as mine:
        assert "error" not in (await mine.post(COMMANDS, run_start())).json
        assert len(mine.sent) == 1


async def test_what_cannot_be_read_is_not_started(tmp_path: Path) -> None:
    async with holder(tmp_path) as mine:
        for path, body in (("/threads/t/runs", run("writer")), (COMMANDS, run_start())):
            answer = await mine.post(path, body, **{"content-encoding": "br"})
            assert (answer.status, answer.json["code"]) == (400, "bad_body")
        assert mine.sent == []


async def test_an_assistant_cannot_be_made_another_graphs(tmp_path: Path) -> None:
    async with holder(tmp_path) as mine:
        answer = await mine.post("/assistants", {"graph_id": "coder"})
        assert (answer.status, answer.json["code"]) == (403, "key_too_narrow")


async def test_refusals_by_a_key_are_on_record(tmp_path: Path) -> None:
    async with holder(tmp_path) as mine:
        await mine.post("/threads/t/runs", run("coder"))
        listed = await eventually_got(
            lambda: admin(mine.at.front, "/v1/decisions"), lambda got: bool(got["decisions"])
        )
        (made,) = listed["decisions"]
        assert (made["rule"], made["supervisor"], made["agent"]) == ("agents", "team-a", "coder")
        told = await admin(mine.at.front, "/v1/events?follow=false&kind=refused&after=0")
        assert told["events"][0]["detail"]["code"] == "key_agents"


async def test_tools_offer_it_no_agent_that_it_may_not_start(tmp_path: Path) -> None:
    async with holder(tmp_path) as mine:
        mine.at.server.tools.update({"w": "writer", "c": "coder"})
        tools = f"{mine.at.url}/sidecar/tools"
        async with mine.at.session.get(tools, headers={"x-subagent-key": mine.key}) as answer:
            offered = json.dumps(await answer.json())
        assert "- writer: " in offered and "- coder: " not in offered
        given = {"subagent_type": "nobody", "description": "x"}
        as_json = {"content-type": "application/json"}
        told = (await mine.post("/sidecar/tools/start_async_task", given, **as_json)).json
        assert told["code"] == "no_such_agent"
        assert "`writer`" in told["text"] and "`coder`" not in told["text"]
