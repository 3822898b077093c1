"""A stream cut at any byte ends as broken, and resumes without gap or repeat. (row 5)"""

import os
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from tests.contract.agent_client import SseEvent, parse_sse, run_of
from tests.integration.faults.rig import Rig, running_rig
from tests.support.toxics import LimitData, ResetPeer, Toxic, Way

CUTS = range(500, 5200, 50 if os.environ.get("FULL_SWEEP") else 1100)
"""Byte counts from behind the head of the answer to before the stream's end."""


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with running_rig(tmp_path_factory.mktemp("streams")) as parts:
        yield parts


async def cut_stream(rig: Rig, toxic: Toxic) -> tuple[str, bytes]:
    """Stream a run until the connection behind the sidecar is cut: where to resume, what came.

    The sidecar's own reads count towards the cut when they share the connection; where it came
    before the head of the answer because of them, a new run is tried.
    """
    body = run_of("steps", stream_resumable=True, stream_mode="updates")
    while True:
        thread_id = await rig.client.new_thread({"subagent_name": "steps"})
        url = f"{rig.client.url}/threads/{thread_id}/runs/stream"
        received = b""
        rig.proxy.add(toxic, Way.DOWN)
        async with rig.client.session.post(url, json=body) as stream:
            if stream.status == 200:
                with pytest.raises(aiohttp.ClientPayloadError):
                    async for chunk in stream.content.iter_any():
                        received += chunk
        rig.proxy.clear()
        if stream.status == 200:
            return stream.headers["Location"], received
        assert stream.status == 502


def whole_events(received: bytes) -> list[SseEvent]:
    """Those that came with their last line; a client cannot use the rest."""
    return parse_sse(received.rpartition(b"\r\n\r\n")[0])


@pytest.mark.parametrize("cut", CUTS)
@pytest.mark.parametrize("kind", [ResetPeer, LimitData])
async def test_a_cut_stream_goes_on_where_it_ended(rig: Rig, kind: type, cut: int) -> None:
    toxic = ResetPeer(after_bytes=cut) if kind is ResetPeer else LimitData(cut)
    path, received = await cut_stream(rig, toxic)
    before = whole_events(received)

    last = {"Last-Event-ID": str(before[-1].event_id) if before else "-1"}
    after = parse_sse((await rig.client.call("GET", path, headers=last)).body)
    everything = parse_sse(
        (await rig.direct.call("GET", path, headers={"Last-Event-ID": "-1"})).body
    )
    assert before + after == everything
    assert [event.name for event in everything] == ["metadata", *["updates"] * 10]

    _, _, thread_id, _, run_id, _ = path.split("/")
    await rig.client.run_when(thread_id, run_id, "success")
    await rig.books_agree()


async def test_a_client_that_leaves_a_stream_ends_it_upstream(rig: Rig) -> None:
    thread_id = await rig.client.new_thread({"subagent_name": "hang"})
    url = f"{rig.client.url}/threads/{thread_id}/runs/stream"
    body = run_of("hang", on_disconnect="cancel")
    async with rig.client.session.post(url, json=body) as stream:
        await stream.content.readuntil(b"\r\n\r\n")
        run_id = stream.headers["Content-Location"].split("/")[4]
        await rig.direct.run_when(thread_id, run_id, "running")
        stream.close()

    await rig.direct.run_when(thread_id, run_id, "interrupted")  # else it would go on for ever
