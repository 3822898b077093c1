"""Two sidecars on one file: each task is reaped once, whoever is quicker, and also when one of them
dies in the middle of it."""

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.reaping.rig import GRAPHS, QUICK, WITHIN, asked, policy_file
from tests.support.processes import SidecarProcess
from tests.support.waiting import eventually_got

from subagent_sidecar.testing import FakeAgentServer

TASKS = 30


async def start(client: AgentClient) -> str:
    thread_id = await client.new_thread()
    await client.start(thread_id, "hang")
    return thread_id


async def tasks(admin: AgentClient) -> list[Any]:
    found: list[Any] = (await admin.call("GET", "/v1/tasks?all=true&limit=1000")).json["tasks"]
    return found


async def all_reaped(admin: AgentClient) -> list[Any]:
    return await eventually_got(
        lambda: tasks(admin),
        lambda found: all(task["status"] == "cancelled" for task in found),
        within=WITHIN,
    )


async def reaped(admin: AgentClient) -> Counter[str]:
    answer = await admin.call("GET", "/v1/events?follow=false&limit=1000&kind=reaped")
    return Counter(event["task_id"] for event in answer.json["events"])


def sidecars(folder: Path, server: FakeAgentServer) -> tuple[SidecarProcess, SidecarProcess]:
    config = {**QUICK, "policy": policy_file(folder, {"total": "1s"})}
    found = []
    for name in ("one", "other"):
        (folder / name).mkdir()
        process = SidecarProcess(folder / name, upstreams={"main": server.url}, config=config)
        process.store_path = folder / "shared.db"
        found.append(process)
    return found[0], found[1]


async def test_each_task_is_reaped_once(tmp_path: Path) -> None:  # row 13
    async with FakeAgentServer(dict(GRAPHS)) as server:
        one, other = sidecars(tmp_path, server)
        async with one, other, agent_client(one.url) as first, agent_client(other.url) as second:
            doors = [first, second] * (TASKS // 2)
            ids = await asyncio.gather(*(start(client) for client in doors))
            async with agent_client(other.admin_url) as admin:
                ended = await all_reaped(admin)
                times = await reaped(admin)
    assert times == Counter(ids)
    assert {task["ended_by"] for task in ended} == {"reaper"}
    assert Counter(thread_id for _, thread_id in asked(server, "cancel")) == Counter(ids)


async def test_what_one_has_claimed_when_it_dies_ends_all_the_same(tmp_path: Path) -> None:
    async with FakeAgentServer(dict(GRAPHS)) as server:
        one, other = sidecars(tmp_path, server)
        async with one, agent_client(one.url) as client, agent_client(one.admin_url) as admin:
            ids = await asyncio.gather(*(start(client) for _ in range(TASKS)))
            await eventually_got(lambda: reaped(admin), bool, within=WITHIN)
            await one.kill9()
            await one.start()
            await all_reaped(admin)
            times = await reaped(admin)
        del other
    assert times == Counter(ids)
