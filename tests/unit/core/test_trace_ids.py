"""Trace contexts: which are honoured, and that ids follow from what is on record."""

import hashlib
from typing import Any

import pytest
from tests.support.books import Story, at

from subagent_sidecar.core import trace_ids
from subagent_sidecar.core.model import IntentKind, RunStatus

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GIVEN = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{'a' * 32}-{'b' * 16}-01"

HEADERS = {
    "valid and sampled": (GIVEN, GIVEN),
    "more flags than that": (f"00-{TRACE}-{SPAN}-03", GIVEN),
    "a later version that says more": (f"cc-{TRACE}-{SPAN}-01-what-the-future-holds", GIVEN),
    "not sampled": (f"00-{TRACE}-{SPAN}-00", None),
    "another flag than sampled": (f"00-{TRACE}-{SPAN}-02", None),
    "version 00 says no more": (f"{GIVEN}-x", None),
    "version ff": (f"ff-{TRACE}-{SPAN}-01", None),
    "no trace": (f"00-{'0' * 32}-{SPAN}-01", None),
    "no span": (f"00-{TRACE}-{'0' * 16}-01", None),
    "capitals": (GIVEN.upper(), None),
    "too short": (GIVEN[:-1], None),
    "space around it": (f" {GIVEN}", None),
    "a line too many": (f"{GIVEN}\n", None),
    "digits of other scripts": (GIVEN.replace("4", "٤"), None),
    "empty": ("", None),
}


@pytest.mark.parametrize("case", HEADERS)
def test_only_a_valid_context_that_is_recorded_counts(case: str) -> None:
    header, kept = HEADERS[case]
    assert trace_ids.sampled_parent(header) == kept


def test_a_tree_of_its_own_is_named_after_its_root() -> None:
    story = Story()
    story.started("r1")
    expected = hashlib.sha256(b"subagent-trace\0t").digest()[:16].hex()
    assert trace_ids.trace_of(story.task()) == expected
    assert story.task().trace_parent is None


def test_a_run_is_called_the_same_by_every_version() -> None:
    """Its span is exported when it ends: by a sidecar that is newer than its start, maybe."""
    expected = hashlib.sha256(b"subagent-span\0run\0t\0when\0who").digest()[:8].hex()
    assert trace_ids.run_span("t", "when", "who") == expected


def test_a_task_that_comes_in_a_context_is_in_its_trace() -> None:
    story = Story()
    story.started("r1", trace_parent=GIVEN)
    assert story.task().trace_parent == GIVEN
    assert trace_ids.trace_of(story.task()) == TRACE
    assert trace_ids.parent_span(GIVEN) == SPAN


def test_a_follow_up_stays_in_the_trace_of_its_task() -> None:
    story = Story()
    story.started("r1", trace_parent=GIVEN)
    assert story.started("r2", trace_parent=OTHER).trace_parent == GIVEN
    assert story.task().trace_parent == GIVEN


@pytest.mark.parametrize("root_context", [None, GIVEN])
def test_a_nested_task_is_under_the_run_that_was_current(root_context: str | None) -> None:
    story = Story()
    story.started("r1", trace_parent=root_context)
    story.started("r2")
    story.started("n1", "nested", body_session="t")
    story.started("r3")
    root, nested = story.task(), story.task("nested")
    assert trace_ids.trace_of(nested) == trace_ids.trace_of(root)
    assert trace_ids.parent_span(nested.trace_parent or "") == trace_ids.span_of(story.run("r2"))


NESTED = {
    "in the trace of its tree": (GIVEN, f"00-{TRACE}-{'c' * 16}-01", f"00-{TRACE}-{'c' * 16}-01"),
    "in a trace of its server's": (GIVEN, OTHER, None),
    "in none": (GIVEN, None, None),
}


@pytest.mark.parametrize("case", NESTED)
def test_a_tree_has_one_trace_whoever_instruments_its_servers(case: str) -> None:
    of_root, of_nested, kept = NESTED[case]
    story = Story()
    story.started("r1", trace_parent=of_root)
    story.started("n1", "nested", body_session="t", trace_parent=of_nested)
    under_run = trace_ids.traceparent(TRACE, trace_ids.span_of(story.run("r1")))
    assert story.task("nested").trace_parent == (kept or under_run)


def test_three_deep_is_one_trace() -> None:
    story = Story()
    story.started("r1")
    story.started("r2", "child", body_session="t")
    story.started("r3", "grandchild", body_session="child")
    traces = {trace_ids.trace_of(story.task(each)) for each in ("t", "child", "grandchild")}
    assert len(traces) == 1


def test_what_a_start_is_sent_with_is_the_span_of_the_run_it_becomes() -> None:
    story = Story()
    first = story.started("r1")
    second = story.started("r2")
    for intent, run_id in ((first, "r1"), (second, "r2")):
        sent = trace_ids.sent_with(intent)
        assert sent is not None
        assert trace_ids.parent_span(sent) == trace_ids.span_of(story.run(run_id))
        assert sent[3:35] == trace_ids.trace_of(story.task())


def test_what_becomes_of_a_start_in_doubt_has_the_span_it_was_sent_with() -> None:
    story = Story()
    intent = story.admitted()
    story.doubted(intent)
    story.run_seen("r1", RunStatus.RUNNING, created_at=at(story.second))
    sent = trace_ids.sent_with(intent)
    assert sent is not None and trace_ids.parent_span(sent) == trace_ids.span_of(story.run("r1"))


STATELESS: dict[str, dict[str, Any]] = {
    "in a context": {"trace_parent": GIVEN},
    "nested": {"body_session": "t"},
    "in none": {},
}


@pytest.mark.parametrize("case", STATELESS)
def test_a_stateless_start_is_told_its_span_before_it_has_a_task(case: str) -> None:
    story = Story()
    story.started("root")
    intent = story.admitted(None, **STATELESS[case])
    sent = trace_ids.sent_with(intent)
    story.accepted(intent, "r1", thread_id="made-by-server")
    task, run = story.task("made-by-server"), story.run("r1", "made-by-server")
    assert sent == trace_ids.traceparent(trace_ids.trace_of(task), trace_ids.span_of(run))
    above = trace_ids.parent_span(task.trace_parent)
    assert above == {"in a context": SPAN, "nested": trace_ids.span_of(story.run("root"))}.get(case)


def test_stateless_starts_that_come_in_no_context_are_each_in_a_trace_of_their_own() -> None:
    story = Story()
    traces = {trace_ids.trace_of(story.admitted(None, request_id="same")) for _ in range(3)}
    assert len(traces) == 3


def test_what_a_stateless_run_starts_is_in_its_trace() -> None:
    story = Story()
    story.accepted(story.admitted(None), "r1", thread_id="made")
    story.started("n1", "nested", body_session="made")
    above = trace_ids.traceparent(
        trace_ids.trace_of(story.task("made")), trace_ids.span_of(story.run("r1", "made"))
    )
    assert story.task("nested").trace_parent == above


UNTOLD: dict[IntentKind, dict[str, Any]] = {
    IntentKind.BATCH: {"batch": True},
    IntentKind.CRON: {"cron": True},
}


@pytest.mark.parametrize("kind", UNTOLD)
def test_no_context_is_sent_where_nobody_knows_the_one_run_it_would_be(kind: IntentKind) -> None:
    intent = Story().admitted(**UNTOLD[kind])
    assert intent.kind is kind
    assert trace_ids.sent_with(intent) is None


def test_no_two_spans_have_one_id() -> None:
    story = Story()
    story.started("r1", request_id="same")
    story.started("r2", request_id="same")
    runs = [story.run("r1"), story.run("r2")]
    named = (trace_ids.span_of, trace_ids.update_span, trace_ids.began_span)
    ids = [name(run) for name in named for run in runs]
    ids += [trace_ids.start_span("t"), trace_ids.event_span(1), trace_ids.event_span(1, "t")]
    assert len(set(ids)) == len(ids)


def test_ids_are_for_a_lone_surrogate_too() -> None:
    assert len(trace_ids.tree_trace("\ud800")) == 32
    assert len(trace_ids.start_span("\ud800")) == 16
