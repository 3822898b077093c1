"""Starts by the doors beside the run routes, on the real server: v2 commands over HTTP and over a
WebSocket, A2A, MCP. Each is a task on record with its run, or is refused before the server sees
it."""

import json
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.acceptance.rig.gates import gatekeeper
from tests.acceptance.rig.request_counter import RequestCounter, counting
from tests.acceptance.rig.services import Service
from tests.integration.doors.rig import Record
from tests.integration.http.rig import LOCAL, sidecar
from tests.support.waiting import eventually_got

from subagent_sidecar.tasks import spawn

PATIENCE = 60.0
RESEARCHER_ID = "c926ac5a-b04e-5949-878a-8e4830d4338b"
POLICY = """
version: 1
limits:
  - {name: no-researcher, match: {agent: researcher}, deny: true, message: Read it yourself.}
"""
TOLD = "Not started: no task of agent researcher may be started."


@dataclass(frozen=True)
class Parts:
    """A real server, and a sidecar in front of it."""

    server: str
    url: str
    admin: str
    counter: RequestCounter
    session: aiohttp.ClientSession
    thread: str

    async def post(self, path: str, body: Any) -> tuple[Any, str]:
        """What was answered, and the mark of a refusal."""
        headers = {"accept": "application/json, text/event-stream"}
        async with self.session.post(self.url + path, json=body, headers=headers) as answer:
            text = await answer.text()
            if answer.content_type == "text/event-stream":
                text = text.partition("data: ")[2].partition("\r\n")[0]
            return json.loads(text), answer.headers.get("x-subagent-sidecar", "")

    async def over_socket(self, command: Any, *, binary: bool = False) -> tuple[Any, str]:
        url = f"{self.url}/threads/{self.thread}/stream/events"
        async with self.session.ws_connect(url) as socket:
            text = json.dumps(command)
            await (socket.send_bytes(text.encode()) if binary else socket.send_str(text))
            while True:
                message = await socket.receive(timeout=PATIENCE)
                if message.type is not aiohttp.WSMsgType.TEXT:
                    return {}, ""
                told = json.loads(message.data)
                if told.get("type") != "event":
                    return told, "refused" if "rule" in told else ""

    async def get(self, url: str) -> Any:
        async with self.session.get(url) as answer:
            return await answer.json() if answer.status == 200 else None

    async def tasks(self) -> list[Record]:
        found: list[Record] = (await self.get(f"{self.admin}/v1/tasks"))["tasks"]
        return found

    async def task(self, status: str = "success") -> Record:
        """The only task there is, once it is in `status`."""
        found = await eventually_got(
            self.tasks,
            lambda tasks: len(tasks) == 1 and tasks[0]["status"] == status,
            within=PATIENCE,
        )
        return found[0]

    async def runs(self, thread_id: str) -> list[str]:
        """The runs of a thread, by the server's own word, the oldest first."""
        listed = await self.get(f"{self.server}/threads/{thread_id}/runs") or []
        return [run["run_id"] for run in reversed(listed)]


@asynccontextmanager
async def parts(langgraph: Service, policy: str) -> AsyncIterator[Parts]:
    async with (
        counting(urlsplit(langgraph.url).port or 0) as counter,
        sidecar(counter.url, policy=policy) as front,
        aiohttp.ClientSession() as session,
    ):
        yield Parts(
            server=langgraph.url,
            url=f"http://{LOCAL}:{front.port}",
            admin=f"http://{LOCAL}:{front.admin_port}",
            counter=counter,
            session=session,
            thread=str(uuid.uuid4()),
        )


@pytest.fixture
async def open_doors(langgraph: Service) -> AsyncIterator[Parts]:
    async with parts(langgraph, "none") as made:
        yield made


@pytest.fixture
async def guarded_doors(langgraph: Service, tmp_path: Path) -> AsyncIterator[Parts]:
    file = tmp_path / "doors.yaml"
    file.write_text(POLICY, "utf-8")
    async with parts(langgraph, str(file)) as made:
        yield made


def run_start(text: str = "words=1", agent: str = "researcher") -> dict[str, Any]:
    messages = [{"role": "user", "content": text}]
    params = {"assistant_id": agent, "input": {"messages": messages}}
    return {"id": 1, "method": "run.start", "params": params}


def message(method: str, context: str, text: str = "words=1") -> dict[str, Any]:
    sent = {
        "role": "user",
        "parts": [{"kind": "text", "text": text}],
        "messageId": "m",
        "contextId": context,
    }
    return {"jsonrpc": "2.0", "id": "q", "method": method, "params": {"message": sent}}


def tool_call(tool: str = "researcher") -> dict[str, Any]:
    params = {"name": tool, "arguments": {"messages": "words=1"}}
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}


Knock = Callable[[Parts], Awaitable[tuple[Any, str]]]
BY_THREAD: dict[str, Knock] = {
    "a command": lambda at: at.post(f"/threads/{at.thread}/commands", run_start()),
    "a command by id": lambda at: at.post(
        f"/threads/{at.thread}/commands", run_start(agent=RESEARCHER_ID)
    ),
    "a socket": lambda at: at.over_socket(run_start()),
    "a2a": lambda at: at.post(f"/a2a/{RESEARCHER_ID}", message("message/send", at.thread)),
    "a2a, version 1": lambda at: at.post(
        f"/a2a/{RESEARCHER_ID}", message("SendMessage", at.thread)
    ),
    "a2a, streamed": lambda at: at.post(
        f"/a2a/{RESEARCHER_ID}", message("message/stream", at.thread)
    ),
}
DOORS: dict[str, Knock] = {
    **BY_THREAD,
    "a socket, binary": lambda at: at.over_socket(run_start(), binary=True),
    "mcp": lambda at: at.post("/mcp", tool_call()),
}


@pytest.mark.parametrize("door", BY_THREAD)
async def test_a_start_is_a_task_with_its_run(door: str, open_doors: Parts) -> None:
    _, mark = await BY_THREAD[door](open_doors)
    task = await open_doors.task()
    assert (mark, task["task_id"], task["agent_name"]) == ("", open_doors.thread, "researcher")
    assert [task["run_id"]] == await open_doors.runs(open_doors.thread)


async def test_a_tool_call_is_a_task_that_is_over(open_doors: Parts) -> None:
    answer, _ = await open_doors.post("/mcp", tool_call())
    assert "Findings" in answer["result"]["content"][0]["text"]
    task = await open_doors.task()
    assert (task["agent_name"], task["purpose"]) == ("researcher", "words=1")


async def test_a_tool_call_that_fails_is_a_task_that_failed(open_doors: Parts) -> None:
    answer, _ = await open_doors.post("/mcp", tool_call("failing"))
    assert answer["result"]["isError"] is True
    assert (await open_doors.task("error"))["agent_name"] == "failing"


async def test_a_message_without_a_context_is_a_task_on_the_thread_that_was_made(
    open_doors: Parts,
) -> None:
    body = message("message/send", "")
    del body["params"]["message"]["contextId"]
    answer, _ = await open_doors.post(f"/a2a/{RESEARCHER_ID}", body)
    task = await open_doors.task()
    assert f"{task['task_id']}:{task['run_id']}" == answer["result"]["id"]


async def test_an_agents_run_is_known_while_its_answer_is_awaited(
    open_doors: Parts,
) -> None:
    async with gatekeeper() as gates:
        body = message("message/send", open_doors.thread, f"{gates.order('a2a')} words=1")
        asking = spawn(open_doors.post(f"/a2a/{RESEARCHER_ID}", body), name="a2a", awaited=True)
        await gates.reached("a2a")
        task = await open_doors.task("running")
        assert [task["run_id"]] == await open_doors.runs(open_doors.thread)
        assert not asking.done()
        gates.open("a2a")
        await asking
        await open_doors.task("success")


@pytest.mark.parametrize("socket", [False, True], ids=["http", "socket"])
async def test_an_answer_to_an_interrupt_is_the_tasks_next_run(
    socket: bool, open_doors: Parts
) -> None:
    at, path = open_doors, f"/threads/{open_doors.thread}/commands"
    await at.post(path, run_start("which", agent="asker"))
    await at.task("waiting")
    state = await at.get(f"{at.server}/threads/{at.thread}/state")
    params = {"interrupt_id": state["tasks"][0]["interrupts"][0]["id"], "response": "EU"}
    respond = {"id": 2, "method": "input.respond", "params": params}
    told, _ = await (at.over_socket(respond) if socket else at.post(path, respond))
    assert (told["type"], told["result"]) == ("success", {})
    await at.task("success")
    assert [
        run["run_id"] for run in (await at.get(f"{at.admin}/v1/tasks/{at.thread}"))["task"]["runs"]
    ] == await at.runs(at.thread)


@pytest.mark.parametrize("door", DOORS)
async def test_a_refusal_is_told_and_the_server_is_not_asked(
    door: str, guarded_doors: Parts
) -> None:
    answer, mark = await DOORS[door](guarded_doors)
    assert mark == "refused"
    assert TOLD in json.dumps(answer)
    assert not await guarded_doors.runs(guarded_doors.thread)
    sent = [path for path in guarded_doors.counter.targets() if "/assistants/" not in path]
    sockets = f"/threads/{guarded_doors.thread}/stream/events"
    assert set(sent) <= {sockets}  # a socket was opened, and no start came over it
    assert not await guarded_doors.tasks()


async def test_no_name_for_an_assistant_hides_its_graph(guarded_doors: Parts) -> None:
    name = f"Harmless! {uuid.uuid4().hex}"
    body = {"graph_id": "researcher", "name": name}
    made, _ = await guarded_doors.post("/assistants", body)
    _, mark = await guarded_doors.post("/mcp", tool_call(name.replace("! ", "_")))
    assert mark == "refused"
    thread = guarded_doors.thread
    path = f"/a2a/{made['assistant_id']}"
    _, mark = await guarded_doors.post(path, message("message/send", thread))
    assert mark == "refused"
    assert not await guarded_doors.tasks()
