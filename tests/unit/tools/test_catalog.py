"""Which agents tools can start."""

from typing import Any

import pytest
from tests.unit.tools.doors import ScriptedDoor

from subagent_sidecar.core.agents import Agent
from subagent_sidecar.core.principal import ANONYMOUS
from subagent_sidecar.testing import FakeClock
from subagent_sidecar.tools import Caller, Catalog

ME = Caller(principal=ANONYMOUS)


class Servers:
    """`told` are the assistants of each upstream; one that has none answers `without`."""

    def __init__(self, **told: list[str]) -> None:
        self.told = told
        self.without = 404
        self.clock = FakeClock()
        self.door = ScriptedDoor(self._answer)
        self.changes = 0

    def _answer(self, method: str, target: str) -> tuple[int, Any]:
        graphs = self.told.get(target.split("/")[2])
        return (
            (self.without, {}) if graphs is None else (200, [assistant(graph) for graph in graphs])
        )

    def catalog(self, *declared: Agent, **listed: list[str]) -> Catalog:
        catalog = Catalog(
            self.door,
            declared=declared,
            upstreams=["a", "b"],
            listed=listed,
            now=self.clock.monotonic,
        )
        catalog.on_changed(self._changed)
        return catalog

    def _changed(self) -> None:
        self.changes += 1


def assistant(graph: str) -> dict[str, Any]:
    return {"assistant_id": f"id-{graph}", "graph_id": graph, "metadata": {"created_by": "system"}}


async def test_agents_of_several_servers_are_told_apart() -> None:
    agents = await Servers(a=["one", "two"], b=["two"]).catalog().agents(ME)
    assert {name: agent.upstream for name, agent in agents.items()} == {
        "one": "a",
        "two": "a",
        "b/two": "b",
    }


async def test_a_server_that_lists_none_has_those_it_is_said_to_have() -> None:
    agents = await Servers(a=["one"]).catalog(b=["coder"]).agents(ME)
    assert [(agent.name, agent.upstream) for agent in agents.values()] == [
        ("one", "a"),
        ("coder", "b"),
    ]


async def test_what_is_declared_is_all_there_is_and_nobody_is_asked() -> None:
    servers = Servers(a=["one"])
    mine = Agent(name="mine", upstream="a", assistant_id="one")
    assert dict(await servers.catalog(mine).agents(ME)) == {"mine": mine}
    assert not servers.door.asked


async def test_servers_are_asked_once_a_minute() -> None:
    servers = Servers(a=["one"])
    catalog = servers.catalog()
    for _ in range(3):
        await catalog.agents(ME)
        servers.clock.tick(19)
    assert len(servers.door.asked) == 2
    servers.clock.tick(10)
    await catalog.agents(ME)
    assert len(servers.door.asked) == 4


async def test_an_agent_that_is_not_known_is_looked_for_anew_but_not_all_the_time() -> None:
    servers = Servers(a=["one"])
    catalog = servers.catalog()
    assert await catalog.find("new", ME) is None
    servers.told["a"].append("new")
    assert await catalog.find("new", ME) is None
    servers.clock.tick(5)
    assert (await catalog.find("new", ME)) is not None
    assert servers.changes == 1


async def test_a_server_that_does_not_answer_any_more_keeps_its_agents() -> None:
    servers = Servers(a=["one"])
    catalog = servers.catalog()
    await catalog.agents(ME)
    del servers.told["a"]
    servers.clock.tick(61)
    assert list(await catalog.agents(ME)) == ["one"]
    assert servers.changes == 0


async def test_each_caller_sees_what_the_server_shows_with_its_credentials() -> None:
    servers = Servers(a=["one"])
    catalog = servers.catalog()
    await catalog.agents(ME)
    other = Caller(principal=ANONYMOUS, fields=((b"x-api-key", b"k"),))
    servers.told["a"] = []
    assert not await catalog.agents(other)
    assert list(await catalog.agents(ME)) == ["one"]


@pytest.mark.parametrize(
    ("status", "failed"), [(404, False), (405, False), (200, False), (401, True), (502, True)]
)
async def test_a_server_that_did_not_say_may_have_agents_unless_it_has_no_list(
    status: int, failed: bool
) -> None:
    servers = Servers(a=["one"])
    servers.without = status
    catalog = servers.catalog()
    assert catalog.failure(ME) is None
    await catalog.agents(ME)
    failure = catalog.failure(ME)
    assert (failure is not None) is failed
    assert failure is None or failure.status == status


async def test_a_server_of_which_agents_are_known_may_be_down() -> None:
    servers = Servers(a=["one"], b=["two"])
    servers.without = 502
    catalog = servers.catalog()
    await catalog.agents(ME)
    del servers.told["b"]
    servers.clock.tick(60)
    assert set(await catalog.agents(ME)) == {"one", "two"}
    assert catalog.failure(ME) is None
    said = Servers(a=["one"])
    said.without = 502
    catalog = said.catalog(b=["coder"])
    await catalog.agents(ME)
    assert catalog.failure(ME) is None


async def test_a_server_that_speaks_again_has_not_failed() -> None:
    servers = Servers(a=["one"])
    servers.without = 502
    catalog = servers.catalog()
    await catalog.agents(ME)
    servers.told["b"] = ["two"]
    servers.clock.tick(5)
    assert (await catalog.find("two", ME)) is not None
    assert catalog.failure(ME) is None
