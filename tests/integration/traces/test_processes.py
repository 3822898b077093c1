"""A sidecar of its own process: what a kill, a restart and a dead endpoint do to traces."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.contract.agent_client import agent_client
from tests.support.otlp_request import B, Emitted, request
from tests.support.otlp_sink import OtlpSink, broken_trees
from tests.support.ports import free_port
from tests.support.processes import SidecarProcess
from tests.support.waiting import eventually

from subagent_sidecar.testing import FakeAgentServer, hang, succeed

WITHIN = 30.0
PATIENCE_S = 10.0
"""To come to an end. The SDK's own processor takes 33 seconds and more."""


@dataclass(frozen=True)
class Stand:
    sidecar: SidecarProcess
    server: FakeAgentServer

    async def start(self, graph: str) -> str:
        async with agent_client(self.sidecar.url) as client:
            task_id = await client.new_thread()
            await client.start(task_id, graph)
            return task_id

    async def stopped_within(self) -> float:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        assert await self.sidecar.terminate() == 0
        return loop.time() - begin


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink().running() as running:
        yield running


@asynccontextmanager
async def stand(folder: Path, endpoint: str, **env: str) -> AsyncIterator[Stand]:
    async with FakeAgentServer({"slow": succeed(3), "hang": hang()}) as server:
        sidecar = SidecarProcess(
            folder,
            upstreams={"main": server.url},
            config={"otlp_endpoint": endpoint, "log_format": "json"},
            env=env,
        )
        async with sidecar:
            yield Stand(sidecar, server)


async def test_a_run_across_a_kill_and_a_stop_is_one_span(sink: OtlpSink, tmp_path: Path) -> None:
    async with stand(tmp_path, sink.url, OTEL_SERVICE_NAME="mine") as at:
        task_id = await at.start("slow")
        await eventually(lambda: sink.named("start_async_task slow"), within=WITHIN)
        await at.sidecar.kill9()
        await at.sidecar.start()
        assert await at.sidecar.terminate() == 0
        await at.sidecar.start()
        await eventually(lambda: sink.named("invoke_agent slow"), within=WITHIN)
        async with agent_client(at.sidecar.admin_url) as admin:
            task = (await admin.call("GET", f"/v1/tasks/{task_id}")).json["task"]
        assert await at.sidecar.terminate() == 0
    (span,) = sink.named("invoke_agent slow")
    assert broken_trees(sink.spans) == []
    assert (span.trace_id, span.span_id) == (task["trace_id"], task["span_id"])
    assert span.end_ns - span.start_ns >= 2_900_000_000
    assert span.resource["service.name"] == "mine"


# Row 12.


async def test_an_endpoint_that_never_answers_does_not_hold_up_the_end(
    sink: OtlpSink, tmp_path: Path
) -> None:
    sink.silence()
    async with stand(tmp_path, sink.url) as at:
        await at.start("hang")
        await eventually(lambda: sink.requests, within=WITHIN)
        assert await at.stopped_within() < PATIENCE_S
        assert "traces_dropped" in at.sidecar.log


async def test_nor_do_spans_of_others_that_it_does_not_take(sink: OtlpSink, tmp_path: Path) -> None:
    """What it has not taken is counted; what was held, too."""
    sink.silence()
    async with stand(tmp_path, sink.url) as at, agent_client(at.sidecar.url) as client:
        for number in range(1, 4):
            body = request(Emitted(id=number), Emitted(id=9, trace=B)).SerializeToString()
            path, kind = "/sidecar/otlp/v1/traces", {"content-type": "application/x-protobuf"}
            answer = await client.call("POST", path, raw=body, headers=kind)
            assert answer.status == 200
        assert await at.stopped_within() < PATIENCE_S
        assert "6 spans of others were dropped" in at.sidecar.log


async def test_an_endpoint_that_is_not_there_costs_one_line_and_no_span(tmp_path: Path) -> None:
    port = free_port()
    async with stand(tmp_path, f"http://127.0.0.1:{port}", OTEL_EXPORTER_OTLP_TIMEOUT="1") as at:
        await at.start("hang")
        await eventually(lambda: at.sidecar.log.count("traces_wait") == 1, within=WITHIN)
        assert await at.stopped_within() < PATIENCE_S
        with OtlpSink(port=port).running() as sink:
            await at.sidecar.start()
            await eventually(lambda: sink.named("start_async_task hang"), within=WITHIN)
            assert broken_trees(sink.spans) == []
            assert at.sidecar.log.count("traces_wait") == 1
            assert "Traceback" not in at.sidecar.log
