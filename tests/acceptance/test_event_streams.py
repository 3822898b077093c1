"""Protocol v2 of langgraph-api: commands and events over one WebSocket, or over POST and SSE."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from tests.acceptance.rig.masks import difference
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service

Json = dict[str, Any]

CHANNELS = ["values", "messages", "lifecycle", "updates"]
SUBSCRIBE = {"id": 1, "method": "subscription.subscribe", "params": {"channels": CHANNELS}}
START = {
    "id": 2,
    "method": "run.start",
    "params": {
        "assistant_id": "researcher",
        "input": {"messages": [{"role": "user", "content": "topic W words=3"}]},
    },
}


async def _thread(session: aiohttp.ClientSession) -> str:
    async with session.post("/threads", json={}) as answer:
        return str((await answer.json())["thread_id"])


def _is_end(message: Json) -> bool:
    return (
        message.get("method") == "lifecycle" and message["params"]["data"]["event"] == "completed"
    )


async def _over_websocket(base: str) -> Json:
    """A mistake, a subscription, a whole run, a question about it, and a goodbye."""
    async with aiohttp.ClientSession(base) as session, asyncio.timeout(30):
        thread_id = await _thread(session)
        async with session.ws_connect(f"/threads/{thread_id}/stream/events") as socket:
            await socket.send_str("no JSON")
            messages = [await socket.receive_json()]
            await socket.send_json(SUBSCRIBE)
            await socket.send_json(START)
            while not _is_end(messages[-1]):
                messages.append(await socket.receive_json())
            await socket.send_json({"id": 3, "method": "agent.getTree", "params": {}})
            messages.append(await socket.receive_json())
            await socket.close(code=4321, message=b"seen enough")
            return {"messages": messages, "protocol": socket.protocol, "thread": thread_id}


async def _over_sse(base: str) -> Json:
    """Listen, start a run by a command beside it, hear it through to its end."""
    async with aiohttp.ClientSession(base) as session, asyncio.timeout(30):
        path = f"/threads/{await _thread(session)}"
        async with session.post(f"{path}/stream/events", json={"channels": CHANNELS}) as events:
            async with session.post(f"{path}/commands", json=START) as answer:
                accepted = await answer.json()
            messages: list[Json] = []
            async for message in _sse_data(events.content):
                messages.append(message)
                if _is_end(message):
                    break
        return {"accepted": accepted, "type": events.content_type, "messages": messages}


async def _sse_data(lines: aiohttp.StreamReader) -> AsyncIterator[Json]:
    async for line in lines:
        if line.startswith(b"data:"):
            yield json.loads(line.removeprefix(b"data:"))


async def test_a_websocket_conversation_is_the_same_through_the_sidecar(
    langgraph: Service, sidecar_to_langgraph: Sidecar
) -> None:
    direct = await _over_websocket(langgraph.url)
    through = await _over_websocket(sidecar_to_langgraph.url)
    assert direct["messages"][0]["error"] == "invalid_argument"
    assert _is_end(direct["messages"][-2])
    assert not difference(_ordered(direct), _ordered(through))


async def test_an_event_stream_over_sse_is_the_same_through_the_sidecar(
    langgraph: Service, sidecar_to_langgraph: Sidecar
) -> None:
    direct = await _over_sse(langgraph.url)
    through = await _over_sse(sidecar_to_langgraph.url)
    assert direct["accepted"]["type"] == "success"
    assert _is_end(direct["messages"][-1])
    assert not difference(_ordered(direct), _ordered(through))


def _ordered(conversation: Json) -> Json:
    """Answers to commands may overtake events: order within each kind is what counts."""
    kinds: dict[str, list[Json]] = {}
    for message in conversation["messages"]:
        kinds.setdefault(str(message.get("method", "answer")), []).append(message)
    return {**conversation, "messages": kinds}


@pytest.mark.parametrize("path", ["/threads/not-an-id/stream/events", "/no/such/socket"])
async def test_a_refused_upgrade_is_refused_alike(
    path: str, langgraph: Service, sidecar_to_langgraph: Sidecar
) -> None:
    """Whatever the server does with it: a status instead of a socket, or a socket closed again."""
    direct = await _upgrade(langgraph.url, path)
    through = await _upgrade(sidecar_to_langgraph.url, path)
    assert through == direct


async def _upgrade(base: str, path: str) -> tuple[str, int | None, str]:
    async with aiohttp.ClientSession(base) as session, asyncio.timeout(30):
        try:
            async with session.ws_connect(path) as socket:
                message = await socket.receive(timeout=5)
                return message.type.name, socket.close_code, str(message.extra)
        except aiohttp.WSServerHandshakeError as refusal:
            return "no upgrade", refusal.status, refusal.message
