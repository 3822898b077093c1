"""A supervisor's task on a real server that starts one of its own there: one trace."""

import time
from collections.abc import Callable

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


def test_a_nested_tree_on_a_real_server_is_one_trace(
    sidecar_to_both: Sidecar, otlp: OtlpSink
) -> None:
    """Nothing on the server is instrumented. The runs' metadata tells where they belong."""
    url = f"{sidecar_to_both.url}/to/near"
    with httpx.Client(base_url=url, timeout=_PATIENCE_S, trust_env=False) as client:
        thread_id = client.post("/threads", json={}).json()["thread_id"]
        messages = [{"role": "user", "content": "delegate: cats sleep=1"}]
        body = {"assistant_id": "nester", "input": {"messages": messages}}
        run = client.post(f"/threads/{thread_id}/runs", json=body).raise_for_status().json()
    with httpx.Client(base_url=sidecar_to_both.admin, timeout=_PATIENCE_S) as admin:
        task = admin.get(f"/v1/tasks/{thread_id}").json()["task"]
    both = {"invoke_agent nester", "invoke_agent inner"}
    spans = spans_when(otlp, task["trace_id"], lambda names: both <= set(names))
    assert broken_trees(spans) == []
    (outer,) = [span for span in spans if span.name == "invoke_agent nester"]
    (inner,) = [span for span in spans if span.name == "invoke_agent inner"]
    (start,) = [span for span in spans if span.name == "start_async_task inner"]
    assert (inner.parent, start.parent) == (start.span_id, outer.span_id)
    assert run["metadata"]["sidecar_traceparent"] == f"00-{outer.trace_id}-{outer.span_id}-01"
    assert inner.end_ns - inner.start_ns >= 1_000_000_000
    assert inner.attributes["gen_ai.usage.output_tokens"] > 0
