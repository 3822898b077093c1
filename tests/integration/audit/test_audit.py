"""`subagentctl audit`: what went past a sidecar to its agent server, found and put on record."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from tests.contract.agent_client import AgentClient, agent_client
from tests.integration.http.rig import LOCAL, settings_for
from tests.support.operator import Said, subagentctl
from tests.support.waiting import eventually_got

from subagent_sidecar import compose
from subagent_sidecar.testing import FakeAgentServer, FaultKind, JumpingClock, hang, succeed

WITHIN = 30.0
OLDER_S = 120.0
GRAPHS = {"hang": hang(), "quick": succeed(), "listed": succeed()}


@dataclass(frozen=True)
class Desk:
    """`past` is a client of the server itself, `through` of the sidecar. All go by `clock`."""

    server: FakeAgentServer
    clock: JumpingClock
    past: AgentClient
    through: AgentClient
    admin: AgentClient

    async def started(self, client: AgentClient, graph: str = "hang", **metadata: str) -> str:
        thread = await client.call("POST", "/threads", {"metadata": metadata})
        thread_id: str = thread.json["thread_id"]
        await self.run(client, thread_id, graph)
        return thread_id

    async def run(self, client: AgentClient, thread_id: str, graph: str = "hang") -> None:
        body = {"assistant_id": graph, "input": {"messages": [{"role": "user", "content": "do"}]}}
        answer = await client.call("POST", f"/threads/{thread_id}/runs", body)
        assert answer.status == 200, answer

    async def said(self, *args: str, code: int = 0) -> Said:
        said = await subagentctl(self.admin.url, "audit", *args)
        assert said.code == code, said
        return said

    async def ghosts(self, query: str = "") -> Any:
        answer = await self.admin.call("GET", f"/v1/audit{query}")
        assert answer.status == 200, answer
        return answer.json

    async def causes(self) -> dict[str, str]:
        """Why what is not on record is not there, by its thread."""
        return {each["thread_id"]: each["cause"] for each in (await self.ghosts())["ghosts"]}

    async def task(self, task_id: str) -> Any:
        return (await self.admin.call("GET", f"/v1/tasks/{task_id}")).json["task"]

    async def task_when(self, task_id: str, status: str) -> Any:
        return await eventually_got(
            lambda: self.task(task_id), lambda task: task["status"] == status, within=WITHIN
        )


@asynccontextmanager
async def front(
    server: FakeAgentServer, clock: JumpingClock, *, agents: Sequence[str] = (), **values: object
) -> AsyncIterator[tuple[int, int]]:
    """A sidecar: the ports of its planes."""
    upstreams = {"main": {"url": server.url, "agents": list(agents)}}
    found = settings_for(**{"upstreams": upstreams, "drain_timeout": "100ms", **values})
    listeners = compose.bind(found)
    async with compose.running(found, listeners, clock=clock):
        yield listeners.data.getsockname()[1], listeners.admin.getsockname()[1]


@asynccontextmanager
async def desk(
    server: FakeAgentServer, clock: JumpingClock, *, agents: Sequence[str] = (), **values: object
) -> AsyncIterator[Desk]:
    async with (
        front(server, clock, agents=agents, **values) as (data, admin),
        agent_client(server.url) as past,
        agent_client(f"http://{LOCAL}:{data}") as through,
        agent_client(f"http://{LOCAL}:{admin}") as operator,
    ):
        yield Desk(server, clock, past, through, operator)


@pytest.fixture
async def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture
async def server(clock: JumpingClock) -> AsyncIterator[FakeAgentServer]:
    async with FakeAgentServer(GRAPHS, clock=clock) as server:
        yield server


@pytest.fixture
async def at(server: FakeAgentServer, clock: JumpingClock) -> AsyncIterator[Desk]:
    async with desk(server, clock, agents=["listed"]) as at:
        yield at


async def test_what_went_past_is_told_and_what_went_through_is_not(at: Desk) -> None:
    early = await at.started(at.past, subagent_name="coder", parent_thread_id="chat")
    await at.started(at.through, subagent_name="coder", parent_thread_id="chat")
    await at.started(at.past)  # some other conversation
    await at.past.call("POST", "/threads", {"metadata": {"subagent_name": "coder"}})
    at.clock.jump(OLDER_S)
    late = await at.started(at.past, subagent_name="coder")
    found = await at.ghosts()
    [ghost] = found["ghosts"]
    assert (ghost["thread_id"], ghost["agent_name"]) == (early, "coder")
    assert (ghost["upstream"], ghost["session_id"], ghost["cause"]) == ("main", "chat", "around")
    assert (ghost["assistant_id"], ghost["run_status"]) == ("hang", "running")
    assert ghost["evidence"] == ["subagent_name", "parent_thread_id"]
    [audit] = found["upstreams"]
    counts = {key: audit[key] for key in ("threads", "ghosts", "known", "no_task", "empty")}
    assert counts == {"threads": 5, "ghosts": 1, "known": 1, "no_task": 1, "empty": 1}
    assert (audit["young"], audit["problem"], audit["more"]) == (1, None, False)
    at.clock.jump(OLDER_S)
    assert set(await at.causes()) == {early, late}


async def test_a_graph_that_is_listed_as_a_subagent_is_enough(at: Desk) -> None:
    listed = await at.started(at.past, "listed")
    await at.started(at.past, "quick")
    at.clock.jump(OLDER_S)
    assert await at.causes() == {listed: "around"}


async def test_a_run_started_past_the_sidecar_on_a_thread_made_through_it_is_told(
    at: Desk,
) -> None:
    thread = await at.through.new_thread()
    await at.run(at.past, thread)
    at.clock.jump(OLDER_S)
    assert await at.causes() == {thread: "unstarted"}


async def test_it_is_said_what_went_through_another_sidecar_and_what_is_older_than_the_record(
    server: FakeAgentServer, clock: JumpingClock
) -> None:
    async with desk(server, clock) as first:
        lost = await first.started(first.through, subagent_name="a")
        before = await first.started(first.past, subagent_name="a")
    clock.jump(OLDER_S)
    async with desk(server, clock) as at, desk(server, clock) as other:
        elsewhere = await other.started(other.through, subagent_name="a")
        clock.jump(OLDER_S)
        assert await at.causes() == {lost: "lost", before: "before", elsewhere: "elsewhere"}


async def test_what_was_touched_before_the_record_is_kept_is_not_missed(
    server: FakeAgentServer, clock: JumpingClock
) -> None:
    async with desk(server, clock, retention="1h") as at:
        thread = await at.past.call("POST", "/threads", {"metadata": {"subagent_name": "a"}})
        path = f"/threads/{thread.json['thread_id']}/runs/wait"
        assert (await at.past.call("POST", path, {"assistant_id": "quick"})).status == 200
        clock.jump(2 * 3_600)
        [audit] = (await at.ghosts())["upstreams"]
    assert (audit["ghosts"], audit["forgotten"]) == (0, 1)


async def test_an_adopted_task_is_followed_cancelled_and_counted_like_any_other(at: Desk) -> None:
    parent = await at.started(at.past, subagent_name="lead", parent_thread_id="chat")
    child = await at.started(at.past, subagent_name="coder", parent_thread_id=parent)
    at.clock.jump(OLDER_S)
    done = await at.said("--adopt")
    assert done.out.splitlines() == [
        f"adopted: {parent} (lead on main)",
        f"adopted: {child} (coder on main)",
    ]
    task = await at.task_when(child, "running")
    assert (task["parent_task_id"], task["depth"], task["session_id"]) == (parent, 1, parent)
    assert (task["agent_name"], task["supervisor"]) == ("coder", "anonymous")
    assert task["purpose"] == "do"
    answer = await at.admin.call("POST", f"/v1/tasks/{child}/cancel", {"reason": "enough"})
    assert (answer.json["status"], answer.json["over"]) == ("cancelled", True)
    assert (await at.said()).out.startswith("main: everything is on record. Of 2 threads 2 on ")


async def test_an_adopted_task_is_seen_to_its_end_and_its_usage_is_read(
    server: FakeAgentServer, clock: JumpingClock
) -> None:
    async with desk(server, clock, usage_interval="200ms") as at:
        over = await at.started(at.past, "quick", subagent_name="a")
        clock.jump(OLDER_S)
        body = {"adopt": [over[-12:]]}
        assert (await at.admin.call("POST", "/v1/audit", body)).status == 200
        task = await at.task_when(over, "success")
        assert task["ended_by"] == "upstream"
        used = await eventually_got(
            lambda: at.task(over), lambda task: task["usage"] is not None, within=WITHIN
        )
        assert used["usage"]["input_tokens"] > 0


async def test_only_those_that_are_named_are_adopted(at: Desk) -> None:
    first, second = [await at.started(at.past, subagent_name="a") for _ in range(2)]
    at.clock.jump(OLDER_S)
    missing = await at.said("--adopt", second, "nobody-has-this", code=4)
    assert "begins or ends with 'nobody-has-this'" in missing.err
    assert set(await at.causes()) == {first, second}
    await at.said("--adopt", second[-12:])
    assert set(await at.causes()) == {first}


async def test_a_table_for_people(at: Desk) -> None:
    ghost = await at.started(at.past, subagent_name="coder", parent_thread_id="chat")
    at.clock.jump(OLDER_S)
    head, row, empty, audit = (await at.said()).out.splitlines()
    assert head.split()[:3] == ["THREAD", "AGE", "AGENT"]
    assert ghost in row and row.endswith("started past the sidecar")
    assert (empty, audit) == ("", "main: 1 task is not on record.")
    assert (await at.said("-o", "csv")).out.splitlines()[1].startswith(f"main,{ghost},coder,hang,")


async def test_a_server_that_cannot_be_looked_at_makes_an_audit_fail(at: Desk) -> None:
    at.server.faults.add(FaultKind.STATUS, "/threads/search", method="POST", status=404)
    said = await at.said(code=1)
    assert said.out.startswith("main: not audited: the server has no list of its threads")


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/v1/audit?upstream=nope", None, 404, "no_such_upstream"),
        ("GET", "/v1/audit?limit=0", None, 400, "bad_query"),
        ("GET", "/v1/audit?of=x", None, 400, "bad_query"),
        ("POST", "/v1/audit", {}, 400, "bad_body"),
        ("POST", "/v1/audit", {"adopt": []}, 400, "bad_body"),
        ("POST", "/v1/audit", {"adopt": [7]}, 400, "bad_body"),
        ("POST", "/v1/audit", {"adopt": ["abc"]}, 400, "bad_body"),
        ("POST", "/v1/audit", {"adopt": "all", "upstream": 7}, 400, "bad_body"),
        ("POST", "/v1/audit", {"adopt": "all", "upstream": "nope"}, 404, "no_such_upstream"),
        ("POST", "/v1/audit", {"adopt": ["nobody"]}, 404, "task_not_found"),
    ],
)
async def test_what_cannot_be_asked(
    at: Desk, method: str, path: str, body: Any, status: int, code: str
) -> None:
    answer = await at.admin.call(method, path, body)
    assert (answer.status, answer.json["code"]) == (status, code)
