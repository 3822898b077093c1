"""What scrapers are sent can be read by them, whatever callers call their agents."""

from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_families
from prometheus_client.parser import text_string_to_metric_families as text_families

from subagent_sidecar.core.metrics import instruments as i
from subagent_sidecar.core.metrics.families import Exemplar, Family, plain
from subagent_sidecar.core.metrics.labels import Names
from subagent_sidecar.core.metrics.meters import LONG, Histogram
from subagent_sidecar.metrics.exposition import write

ODD = ['a"b', "line\nbreak", "back\\slash", "b\u00fccher \u2603", "{}", "x" * 500, "\ud800", "\0"]
FORMATS: dict[str, tuple[str, Any]] = {
    "text": ("*/*", text_families),
    "open": ("application/openmetrics-text;version=1.0.0,text/plain;q=0.5", open_families),
}


def samples(
    families: list[Family], form: str
) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    """All samples of a page, as a scraper reads them; those of the process left out."""
    accept, parse = FORMATS[form]
    body, _ = write(families, accept)
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in parse(body.decode())
        for sample in family.samples
        if sample.name.startswith("subagent_")
    }


@pytest.mark.parametrize("form", FORMATS)
def test_each_kind_of_metric_reads_as_what_it_is(form: str) -> None:
    histogram = Histogram(LONG)
    for seconds in (0.5, 3, 100_000):
        histogram.observe(seconds)
    families = [
        plain(i.STORE_WAITING, 3),
        Family(i.TASKS_STARTED, {("up", "coder"): 7}),
        Family(i.BUILD_INFO, {("1", "3", "sqlite"): 1}),
        Family(i.RUN_QUEUE, histograms={("up", "coder"): histogram}),
    ]
    found = samples(families, form)
    whose = {("upstream", "up"), ("agent", "coder")}
    build = {("version", "1"), ("python", "3"), ("store", "sqlite")}
    assert found["subagent_store_writes_waiting", frozenset()] == 3
    assert found["subagent_tasks_started_total", frozenset(whose)] == 7
    assert found["subagent_build_info", frozenset(build)] == 1
    assert found["subagent_run_queue_seconds_sum", frozenset(whose)] == 100_003.5
    assert found["subagent_run_queue_seconds_count", frozenset(whose)] == 3
    buckets = {
        dict(labels)["le"]: value
        for (name, labels), value in found.items()
        if name == "subagent_run_queue_seconds_bucket"
    }
    assert len(buckets) == len(LONG) + 1
    told = (buckets["1.0"], buckets["2.0"], buckets["5.0"], buckets["14400.0"], buckets["+Inf"])
    assert told == (1, 1, 2, 2, 3)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", ODD)
def test_a_name_is_read_as_it_is_told(form: str, name: str) -> None:
    label = Names().label(name)
    [(_, labels)] = samples([Family(i.TASKS_STARTED, {("up", label): 1})], form)
    assert dict(labels) == {"upstream": "up", "agent": label}


def test_every_metric_of_the_table_can_be_written_in_both_formats() -> None:
    def value(instrument: i.Instrument) -> Family:
        labels = tuple(f"some {label}" for label in instrument.labels)
        if instrument.kind is i.Kind.HISTOGRAM:
            return Family(instrument, histograms={labels: Histogram(LONG)})
        return Family(instrument, {labels: 1})

    for form in FORMATS:
        names = {name for name, _ in samples([value(each) for each in i.ALL], form)}
        for each in i.ALL:
            ends = ("_bucket", "_sum", "_count") if each.kind is i.Kind.HISTOGRAM else ("",)
            assert {each.name + end for end in ends} <= names


def test_exemplars_are_told_where_the_format_has_them() -> None:
    histogram = Histogram(LONG)
    histogram.observe(3)
    exemplar = Exemplar("ab" * 16, 3.0, 1_767_225_600.25)
    families = [
        Family(i.TASKS_STARTED, {("up", "a"): 7}, exemplars={(("up", "a"), 0): exemplar}),
        Family(
            i.RUN_QUEUE,
            histograms={("up", "a"): histogram},
            exemplars={(("up", "a"), 2): exemplar},
        ),
    ]
    accept, parse = FORMATS["open"]
    body, _ = write(families, accept)
    told = {
        (sample.name, sample.labels.get("le")): sample.exemplar
        for family in parse(body.decode())
        for sample in family.samples
        if sample.exemplar is not None
    }
    assert set(told) == {
        ("subagent_tasks_started_total", None),
        ("subagent_run_queue_seconds_bucket", "5.0"),
    }
    for found in told.values():
        assert (found.labels, found.value) == ({"trace_id": "ab" * 16}, 3.0)
        assert float(found.timestamp) == 1_767_225_600.25
    plain_body, _ = write(families, FORMATS["text"][0])
    assert b"trace_id" not in plain_body
    assert samples(families, "text")["subagent_tasks_started_total", frozenset(
        {("upstream", "up"), ("agent", "a")})] == 7  # fmt: skip
