"""What reaches an OTLP endpoint through a real sidecar, where nothing else is instrumented."""

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Any

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from tests.integration.cancel.rig import WITHIN, Desk, desk
from tests.integration.metrics.rig import OPEN
from tests.support.otlp_sink import OtlpSink, SinkSpan, broken_trees
from tests.support.waiting import eventually, eventually_got

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CLIENT = 3


@pytest.fixture
def sink() -> Iterator[OtlpSink]:
    with OtlpSink().running() as running:
        yield running


async def start(
    at: Desk, graph: str, session: str | None = None, **headers: str
) -> tuple[str, str]:
    task_id = await at.client.new_thread()
    if session is not None:
        headers["x-subagent-session"] = session
    messages = [{"role": "user", "content": "a secret question"}]
    body = {"assistant_id": graph, "input": {"messages": messages}}
    answer = await at.client.call("POST", f"/threads/{task_id}/runs", body, headers=headers)
    assert answer.status == 200, answer
    return task_id, answer.json["run_id"]


async def ended(sink: OtlpSink, count: int) -> list[SinkSpan]:
    """The spans of so many runs, in the order in which they came."""

    def runs() -> list[SinkSpan]:
        return [span for span in sink.spans if span.name.startswith("invoke_agent ")]

    await eventually(lambda: len(runs()) >= count, within=WITHIN)
    return runs()


async def test_a_tree_three_deep_is_one_trace_with_one_root(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        root, _ = await start(at, "steps")
        child, _ = await start(at, "steps", session=root)
        await start(at, "quick", session=child)
        runs = await ended(sink, 3)
    assert len({span.trace_id for span in sink.spans}) == 1
    assert broken_trees(sink.spans) == []
    ids = {span.attributes["gen_ai.conversation.id"]: span for span in runs}
    starts = {span.span_id: span for span in sink.named("start_async_task steps")}
    assert starts[ids[child].parent].parent == ids[root].span_id


async def test_a_run_is_one_span_from_its_request_to_its_end(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        task_id, run_id = await start(at, "steps")
        (span,) = await ended(sink, 1)
        task = await at.task(task_id)
    (run,) = task["runs"]
    assert span.name == "invoke_agent steps"
    assert (span.kind, span.failed) == (CLIENT, False)
    assert (span.start_ns, span.end_ns) == (ns(run["created_at"]), ns(run["ended_at"]))
    assert (span.trace_id, span.span_id) == (task["trace_id"], task["span_id"])
    told = {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "steps",
        "gen_ai.conversation.id": task_id,
        "gen_ai.usage.input_tokens": 600,
        "gen_ai.usage.output_tokens": 120,
        "gen_ai.response.model": "claude-sonnet-4-6",
        "server.address": "127.0.0.1",
        "server.port": at.server.port,
        "session.id": task["session_id"],
        "subagent.supervisor": "anonymous",
        "subagent.run.id": run_id,
        "subagent.run.status": "success",
    }
    assert told.items() <= span.attributes.items()
    assert span.resource["service.name"] == "subagent-sidecar"


async def test_a_trace_is_there_while_the_run_goes_on_and_whole_at_every_moment(
    sink: OtlpSink,
) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        await start(at, "hang")
        await eventually(lambda: sink.named("run_began hang"), within=WITHIN)
        assert broken_trees(sink.spans) == []
        assert not sink.named("invoke_agent hang")


async def test_no_word_of_what_a_task_is_about_is_told_unless_switched_on(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        await start(at, "quick")
        await ended(sink, 1)
        assert "secret" not in repr(sink.spans)
    sink.spans.clear()
    async with desk(otlp_endpoint=sink.url, trace_content=True) as at:
        await start(at, "quick")
        (span,) = await ended(sink, 1)
        assert span.attributes["subagent.task.purpose"] == "a secret question"


async def test_the_supervisors_own_trace_goes_on(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        task_id, _ = await start(at, "quick", traceparent=f"00-{TRACE}-{SPAN}-01")
        await ended(sink, 1)
        (sent,) = at.server.received("POST", f"{task_id}/runs")
        span_id = (await at.task(task_id))["span_id"]
    assert {span.trace_id for span in sink.spans} == {TRACE}
    assert [span.parent for span in sink.named("start_async_task quick")] == [SPAN]
    context = f"00-{TRACE}-{span_id}-01"
    assert sent.header("traceparent") == context
    assert json.loads(sent.body)["metadata"]["sidecar_traceparent"] == context


async def test_a_trace_that_nobody_records_is_not_gone_on_with(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        await start(at, "quick", traceparent=f"00-{TRACE}-{SPAN}-00")
        await ended(sink, 1)
    assert TRACE not in {span.trace_id for span in sink.spans}
    assert broken_trees(sink.spans) == []


async def test_without_export_the_clients_own_context_passes() -> None:
    given = f"00-{TRACE}-{SPAN}-01"
    async with desk() as at:
        task_id, _ = await start(at, "quick", traceparent=given)
        plain, _ = await start(at, "quick")
        (sent,) = at.server.received("POST", f"{task_id}/runs")
        (other,) = at.server.received("POST", f"{plain}/runs")
    assert sent.header("traceparent") == given
    assert other.header("traceparent") is None
    assert "sidecar_traceparent" in json.loads(other.body)["metadata"]


@pytest.mark.parametrize(
    ("form", "given"), [("", None), ("/stream", None), ("/wait", f"00-{TRACE}-{SPAN}-01")]
)
async def test_a_stateless_run_is_told_the_span_that_it_becomes(
    sink: OtlpSink, form: str, given: str | None
) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        headers = {} if given is None else {"traceparent": given}
        body = {"assistant_id": "quick", "input": {}}
        answer = await at.client.call("POST", f"/runs{form}", body, headers=headers)
        assert answer.status == 200, answer
        await eventually(lambda: sink.named("start_async_task quick"), within=WITHIN)
        (start_span,) = sink.named("start_async_task quick")
        (sent,) = at.server.received("POST", f"/runs{form}")
        task = await at.task(start_span.attributes["gen_ai.conversation.id"])
    context = f"00-{start_span.trace_id}-{task['span_id']}-01"
    assert sent.header("traceparent") == context
    assert json.loads(sent.body)["metadata"]["sidecar_traceparent"] == context
    assert (task["trace_id"], task["trace_parent"]) == (start_span.trace_id, given)
    assert task["runs"][0]["kind"] == "stateless"
    assert start_span.parent == ("" if given is None else SPAN)


async def test_a_batch_passes_with_the_clients_own_context(sink: OtlpSink) -> None:
    given = f"00-{TRACE}-{SPAN}-01"
    async with desk(otlp_endpoint=sink.url) as at:
        body = [{"assistant_id": "quick", "input": {}}] * 2
        await at.client.call("POST", "/runs/batch", body, headers={"traceparent": given})
        await eventually(lambda: len(sink.named("start_async_task quick")) == 2, within=WITHIN)
        (sent,) = at.server.received("POST", "/runs/batch")
    assert sent.header("traceparent") == given
    starts = sink.named("start_async_task quick")
    assert {(span.trace_id, span.parent) for span in starts} == {(TRACE, SPAN)}
    assert len({span.span_id for span in starts}) == 2


async def test_updates_and_cancels_are_spans_of_their_own(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        task_id, _ = await start(at, "quick")
        await ended(sink, 1)
        run_id = await at.client.start(task_id, "hang")
        await at.direct.run_when(task_id, run_id, "running")
        await at.cancel(task_id)
        runs = await ended(sink, 2)
    assert broken_trees(sink.spans) == []
    (update,) = [span for span in sink.spans if span.name.startswith("update_async_task")]
    (cancel,) = [span for span in sink.spans if span.name.startswith("cancel_async_task")]
    (last,) = [span for span in runs if span.attributes["subagent.run.id"] == run_id]
    assert (last.parent, cancel.parent) == (update.span_id, last.span_id)
    assert (last.failed, last.attributes["error.type"]) == (True, "cancelled_by_operator")


async def test_a_refusal_is_a_span_that_failed_under_whoever_asked(
    sink: OtlpSink, tmp_path: Any
) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text("version: 1\nlimits: [{name: shallow, depth: 0}]\n", "utf-8")
    async with desk(otlp_endpoint=sink.url, policy=str(policy)) as at:
        root, _ = await start(at, "hang")
        thread = await at.client.new_thread()
        body = {"assistant_id": "quick", "input": {}}
        session = {"x-subagent-session": root}
        answer = await at.client.call("POST", f"/threads/{thread}/runs", body, headers=session)
        assert answer.status == 403
        await eventually(lambda: sink.named("refuse_async_task quick"), within=WITHIN)
        (span,) = sink.named("refuse_async_task quick")
        task = await at.task(root)
    assert (span.trace_id, span.parent, span.failed) == (task["trace_id"], task["span_id"], True)
    assert span.attributes["subagent.rule"] == "shallow"
    assert span.attributes["error.type"] == "limit_depth"


async def test_a_poll_makes_no_span_and_is_counted(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url, coalesce="0s") as at:
        task_id, run_id = await start(at, "steps")
        for _ in range(5):
            await at.client.call("GET", f"/threads/{task_id}/runs/{run_id}")
        await ended(sink, 1)
    kinds = sorted(span.name for span in sink.spans)
    assert set(kinds) <= {"invoke_agent steps", "run_began steps", "start_async_task steps"}


def ns(moment: str) -> int:
    """Nanoseconds since 1970 of a time on record."""
    whole = datetime.fromisoformat(moment)
    return int(whole.timestamp()) * 1_000_000_000 + whole.microsecond * 1_000


async def test_what_was_exported_is_in_the_metrics(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        await start(at, "quick")
        await ended(sink, 1)

        async def page() -> str:
            return (await at.admin.call("GET", "/metrics")).body.decode()

        told = f'subagent_trace_spans_total{{result="exported"}} {len(sink.spans)}.0'
        await eventually_got(page, lambda text: told in text, within=WITHIN)


async def test_an_exemplar_leads_to_a_trace_that_was_taken(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        await start(at, "quick", traceparent=f"00-{TRACE}-{SPAN}-01")
        await ended(sink, 1)
        found = await eventually_got(
            lambda: exemplars(at),
            lambda found: (
                {
                    "subagent_run_duration_seconds_bucket",
                    "subagent_tasks_finished_total",
                }
                <= found.keys()
            ),
            within=WITHIN,
        )
    assert set(found.values()) == {TRACE} == {span.trace_id for span in sink.spans}


@pytest.mark.parametrize("listens", [False, True])
async def test_there_is_no_exemplar_of_a_trace_that_nobody_took(
    sink: OtlpSink, listens: bool
) -> None:
    sink.status = 503
    async with desk(otlp_endpoint=sink.url if listens else None) as at:
        task_id, _ = await start(at, "quick")
        await eventually_got(
            lambda: at.task(task_id), lambda task: task["status"] == "success", within=WITHIN
        )
        assert "subagent_tasks_finished_total" in (await scraped(at)).decode()
        assert await exemplars(at) == {}


async def scraped(at: Desk) -> bytes:
    answer = await at.admin.call("GET", "/metrics", headers={"accept": OPEN})
    return answer.body


async def exemplars(at: Desk) -> dict[str, str]:
    """The traces that the samples of a page lead to, by the samples' names."""
    parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
    return {
        sample.name: sample.exemplar.labels["trace_id"]
        for family in parse((await scraped(at)).decode())
        for sample in family.samples
        if sample.exemplar is not None
    }
