"""Tasks on real servers that start tasks of their own: one trace."""

import time
from collections.abc import Callable
from typing import Any

import httpx
from tests.acceptance.rig.servers import Sidecar
from tests.support.otlp_sink import OtlpSink, SinkSpan, broken_trees

_PATIENCE_S = 120.0


def spans_when(
    otlp: OtlpSink, trace_id: str, enough: Callable[[list[str]], bool]
) -> list[SinkSpan]:
    """What came of the trace, once there is enough of it."""
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        found = [span for span in list(otlp.spans) if span.trace_id == trace_id]
        if enough([span.name for span in found]):
            return found
        assert time.monotonic() < give_up, found
        time.sleep(0.1)


def started(client: httpx.Client, assistant: str, text: str, **headers: str) -> dict[str, Any]:
    """The run of a new task."""
    thread_id = client.post("/threads", json={}).raise_for_status().json()["thread_id"]
    body = {
        "assistant_id": assistant,
        "input": {"messages": [{"role": "user", "content": text}]},
    }
    answer = client.post(f"/threads/{thread_id}/runs", json=body, headers=headers)
    run: dict[str, Any] = answer.raise_for_status().json()
    return {**run, "thread_id": thread_id}


def test_a_tree_three_deep_on_two_real_servers_is_one_trace(
    sidecar_to_both: Sidecar, otlp: OtlpSink
) -> None:
    """Nothing on the servers is instrumented. The runs' metadata tells where they belong."""
    with httpx.Client(timeout=_PATIENCE_S, trust_env=False) as client:
        client.base_url = httpx.URL(f"{sidecar_to_both.url}/to/near")
        run = started(client, "nester", "delegate: cats sleep=1")
        client.base_url = httpx.URL(sidecar_to_both.admin)
        task = client.get(f"/v1/tasks/{run['thread_id']}").json()["task"]
        trace_id = task["trace_id"]
        begun = spans_when(otlp, trace_id, lambda names: "start_async_task inner" in names)
        (nested,) = [span for span in begun if span.name == "start_async_task inner"]
        session = nested.attributes["gen_ai.conversation.id"]
        client.base_url = httpx.URL(f"{sidecar_to_both.url}/to/far")
        started(client, "researcher", "cats", **{"x-subagent-session": session})
    all_three = {"invoke_agent nester", "invoke_agent inner", "invoke_agent researcher"}
    spans = spans_when(otlp, trace_id, lambda names: all_three <= set(names))
    assert broken_trees(spans) == []
    (outer,) = [span for span in spans if span.name == "invoke_agent nester"]
    (inner,) = [span for span in spans if span.name == "invoke_agent inner"]
    (leaf,) = [span for span in spans if span.name == "invoke_agent researcher"]
    (start,) = [span for span in spans if span.name == "start_async_task researcher"]
    assert (inner.parent, nested.parent) == (nested.span_id, outer.span_id)
    assert (leaf.parent, start.parent) == (start.span_id, inner.span_id)
    assert run["metadata"]["sidecar_traceparent"] == f"00-{outer.trace_id}-{outer.span_id}-01"
    assert inner.end_ns - inner.start_ns >= 1_000_000_000
    assert outer.start_ns <= inner.start_ns <= leaf.start_ns
    assert inner.attributes["gen_ai.usage.output_tokens"] > 0
    ports = {span.attributes["server.port"] for span in (outer, inner, leaf)}
    assert (outer.attributes["server.port"], len(ports)) == (inner.attributes["server.port"], 2)
