"""Two supervisors behind one sidecar, as the official SDK shows it, before a real `langgraph dev`:
each works as if it were alone, and neither can reach what is the other's."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from inspect import isawaitable
from typing import Any

import httpx
import httpx2
import pytest
from langgraph_sdk import get_client
from langgraph_sdk.errors import ConflictError, NotFoundError, PermissionDeniedError
from mcp import Client
from mcp.client.streamable_http import streamable_http_client
from tests.acceptance.rig.services import Service
from tests.integration.http.rig import settings_for
from tests.support.supervisors import NAME, told_apart
from tests.unit.core.test_access import LANGGRAPH

from subagent_sidecar import compose

WORDS = {"messages": [{"role": "user", "content": "a secret of ann's words=3"}]}


@dataclass(frozen=True)
class Front:
    url: str
    ann: Any
    bob: Any


@pytest.fixture
async def front(langgraph: Service) -> AsyncIterator[Front]:
    found = settings_for(langgraph.url, drain_timeout="100ms")
    listeners = compose.bind(found)
    async with (
        compose.running(found, listeners) as plane,
        told_apart(plane) as url,
        AsyncExitStack() as stack,
    ):
        ann, bob = [
            await stack.enter_async_context(get_client(url=url, headers={NAME: name}))
            for name in ("ann", "bob")
        ]
        yield Front(url, ann, bob)


async def done(client: Any, agent: str = "researcher") -> tuple[str, str]:
    """A task that has ended well: its thread and its run."""
    thread = await client.threads.create(metadata={"project": "x"})
    run = await client.runs.create(thread["thread_id"], agent, input=WORDS)
    await client.runs.join(thread["thread_id"], run["run_id"])
    return thread["thread_id"], run["run_id"]


def everything_about(bob: Any, t: str, r: str) -> Mapping[str, Awaitable[Any]]:
    """Everything that the SDK can ask about one thread and its run."""
    return {
        "thread": bob.threads.get(t),
        "thread, otherwise spelt": bob.threads.get(t.upper()),
        "state": bob.threads.get_state(t),
        "checkpoint": bob.threads.get_state(t, checkpoint={"thread_id": t, "checkpoint_ns": ""}),
        "history": bob.threads.get_history(t),
        "change": bob.threads.update(t, metadata={"mine": True}),
        "change of state": bob.threads.update_state(t, {"messages": []}),
        "copy": bob.threads.copy(t),
        "run": bob.runs.get(t, r),
        "runs": bob.runs.list(t),
        "join": bob.runs.join(t, r),
        "start": bob.runs.create(t, "researcher", input=WORDS),
        "wait": bob.runs.wait(t, "researcher", input=WORDS),
        "make and start": bob.runs.create(t, "hang", input=WORDS, if_not_exists="create"),
        "cancel": bob.runs.cancel(t, r),
        "bulk cancel": bob.runs.cancel_many(thread_id=t, run_ids=[r]),
        "delete run": bob.runs.delete(t, r),
        "delete": bob.threads.delete(t),
        "stream": _all_of(bob.runs.stream(t, "researcher", input=WORDS)),
        "join stream": _all_of(bob.runs.join_stream(t, r)),
        "thread stream": _all_of(bob.threads.join_stream(t)),
    }


async def _all_of(stream: Any) -> list[Any]:
    if isawaitable(stream):
        stream = await stream
    return [part async for part in stream]


async def test_nothing_of_the_others_is_there(front: Front) -> None:
    thread_id, run_id = await done(front.ann)
    before = await front.ann.threads.get(thread_id)
    for what, asked in everything_about(front.bob, thread_id, run_id).items():
        with pytest.raises((NotFoundError, httpx.HTTPStatusError)) as caught:
            await asked
        response = caught.value.response
        assert response.status_code == 404, what
        assert response.headers["x-subagent-sidecar"] == "refused", what
    for more in ({}, {"if_exists": "do_nothing"}):
        with pytest.raises(ConflictError):
            await front.bob.threads.create(thread_id=thread_id, **more)
    assert await front.ann.threads.get(thread_id) == before
    assert len(await front.ann.runs.list(thread_id)) == 1


async def test_each_works_as_if_it_were_alone(front: Front) -> None:
    theirs = await done(front.ann)
    thread_id, run_id = await done(front.bob)
    own = front.bob
    assert (await own.threads.get(thread_id))["status"] == "idle"
    assert (await own.threads.get_state(thread_id))["values"]["messages"]
    assert await own.threads.get_history(thread_id)
    assert (await own.runs.get(thread_id, run_id))["status"] == "success"
    copied = await own.threads.copy(thread_id)
    assert (await own.threads.get_state(copied["thread_id"]))["values"]["messages"]
    found = {each["thread_id"] for each in await own.threads.search(metadata={"project": "x"})}
    assert found == {thread_id, copied["thread_id"]}
    assert await own.threads.search(ids=[theirs[0]]) == []
    hanging = await own.runs.create(thread_id, "hang", input=WORDS)
    await own.runs.cancel_many(thread_id=thread_id, run_ids=[hanging["run_id"]])
    assert await own.runs.wait(None, "researcher", input=WORDS)
    streamed = await _all_of(own.runs.stream(thread_id, "researcher", input=WORDS))
    assert streamed[0].event == "metadata"
    await own.threads.delete(thread_id)
    with pytest.raises(NotFoundError):
        await own.threads.get(thread_id)
    assert await own.assistants.search()


CLOSED: Mapping[str, Callable[[Any], Awaitable[Any]]] = {
    "store": lambda bob: bob.store.put_item(("a",), "b", {}),
    "store, read": lambda bob: bob.store.search_items(()),
    "crons": lambda bob: bob.crons.search(),
    "cron": lambda bob: bob.crons.create("researcher", schedule="0 0 1 1 *", input=WORDS),
    "count": lambda bob: bob.threads.count(),
    "cancel all": lambda bob: bob.runs.cancel_many(status="all"),
    "assistant": lambda bob: bob.assistants.create("researcher"),
}


async def test_what_is_about_everybody_is_closed(front: Front) -> None:
    for what, ask in CLOSED.items():
        with pytest.raises(PermissionDeniedError) as caught:
            await ask(front.bob)
        assert "--every-task" in str(caught.value), what


async def test_tools_and_mcp_know_ones_own_tasks(front: Front) -> None:
    thread_id, _ = await done(front.ann)

    @asynccontextmanager
    async def client(name: str) -> AsyncIterator[Client]:
        async with (
            httpx2.AsyncClient(
                trust_env=False, timeout=httpx2.Timeout(60.0), headers={NAME: name}
            ) as http,
            Client(streamable_http_client(f"{front.url}/sidecar/mcp", http_client=http)) as found,
        ):
            yield found

    async with client("ann") as ann, client("bob") as bob:
        for tool, more in (("check_async_task", {}), ("update_async_task", {"message": "x"})):
            refused = await bob.call_tool(tool, {"task_id": thread_id, **more})
            assert refused.is_error, tool
        seen = await ann.call_tool("check_async_task", {"task_id": thread_id})
        assert json.loads(getattr(seen.content[0], "text", ""))["status"] == "success"
        listed = await bob.call_tool("list_async_tasks", {})
        assert thread_id not in str(listed.content)


async def test_every_route_of_this_server_is_ruled_on(langgraph: Service) -> None:
    """A route that a newer server has is closed; here it is to be looked at."""
    async with httpx.AsyncClient(trust_env=False) as http:
        paths = (await http.get(f"{langgraph.url}/openapi.json")).json()["paths"]
    methods = {"get", "post", "put", "patch", "delete"}
    told = {path: {m.upper() for m in said if m in methods} for path, said in paths.items()}
    known = {path: set(rules) for path, rules in LANGGRAPH.items()}
    assert told == known
