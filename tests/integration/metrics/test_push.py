"""Metrics of a real sidecar, pushed to a real OTLP endpoint."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from tests.integration.cancel.rig import WITHIN, desk
from tests.support.otlp_sink import OtlpSink
from tests.support.waiting import eventually, eventually_got


@pytest.fixture
def sink(monkeypatch: pytest.MonkeyPatch) -> Iterator[OtlpSink]:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "200")
    with OtlpSink().running() as running:
        yield running


def value(sink: OtlpSink, name: str) -> float:
    """What the newest push says, all label sets together."""
    if not sink.pushes:
        return -1.0
    (resource,) = sink.pushes[-1].resource_metrics
    found: Any = {metric.name: metric for metric in resource.scope_metrics[0].metrics}[name]
    points = found.sum.data_points or found.gauge.data_points
    if points:
        return float(sum(point.as_double or point.as_int for point in points))
    return float(sum(point.count for point in found.histogram.data_points))


async def test_what_is_on_the_page_is_pushed(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url, otlp_metrics=True) as at:
        await eventually(lambda: value(sink, "subagent_tasks_started_total") == 0, within=WITHIN)
        thread = await at.client.new_thread()
        await at.client.call("POST", f"/threads/{thread}/runs", {"assistant_id": "quick"})
        await eventually(lambda: value(sink, "subagent_run_duration_seconds") == 1, within=WITHIN)
        page = (await at.admin.call("GET", "/metrics")).body.decode()
    scraped = {line.split()[2] for line in page.splitlines() if line.startswith("# TYPE subagent_")}
    (resource,) = sink.pushes[-1].resource_metrics
    assert {metric.name for metric in resource.scope_metrics[0].metrics} == scraped
    assert value(sink, "subagent_tasks_finished_total") == 1
    whose = {each.key: each.value.string_value for each in resource.resource.attributes}
    assert whose["service.name"] == "subagent-sidecar"
    assert re.fullmatch(r".+:[1-9]\d+", whose["service.instance.id"])


async def test_nothing_is_pushed_unless_somebody_asks_for_it(sink: OtlpSink) -> None:
    async with desk(otlp_endpoint=sink.url) as at:
        thread = await at.client.new_thread()
        await at.client.call("POST", f"/threads/{thread}/runs", {"assistant_id": "quick"})
        await eventually(lambda: bool(sink.spans), within=WITHIN)
    assert sink.pushes == []


async def test_an_endpoint_that_never_answers_holds_up_neither_requests_nor_the_end(
    sink: OtlpSink,
) -> None:
    sink.silence()
    async with desk(otlp_endpoint=sink.url, otlp_metrics=True) as at:
        await eventually(lambda: sink.requests > 0, within=WITHIN)
        thread = await at.client.new_thread()
        answer = await at.client.call("POST", f"/threads/{thread}/runs", {"assistant_id": "quick"})
        assert answer.status == 200
        await eventually_got(
            lambda: at.task(thread), lambda task: task["status"] == "success", within=WITHIN
        )
