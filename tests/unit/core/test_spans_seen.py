"""What is remembered of others' spans is bounded, however many there are."""

from subagent_sidecar.core.spans_seen import SeenSpan, SpansSeen


def span(name: str, *, end_ns: int = 0) -> SeenSpan:
    return SeenSpan("a" * 16, None, "b" * 32, None, name, "svc", 0, end_ns)


def names(seen: SpansSeen, task_id: str, **limit: int) -> list[str]:
    return [each.name for each in seen.of(task_id, **limit)]


def test_spans_are_kept_by_task_in_the_order_in_which_they_came() -> None:
    seen = SpansSeen()
    seen.add("t", [span("1"), span("2")])
    seen.add("u", [span("x")])
    seen.add("t", [span("3")])
    assert names(seen, "t") == ["1", "2", "3"]
    assert names(seen, "t", limit=2) == ["2", "3"]
    assert names(seen, "nobody") == []


def test_of_one_task_the_oldest_are_forgotten() -> None:
    seen = SpansSeen(of_one=2)
    seen.add("t", [span(str(n)) for n in range(5)])
    assert names(seen, "t") == ["3", "4"]
    assert len(seen) == 2


def test_of_all_tasks_the_one_that_had_none_for_longest_is_forgotten() -> None:
    seen = SpansSeen(of_one=2, of_all=4)
    for task_id in ("t", "u", "t", "v"):
        seen.add(task_id, [span("1"), span("2")])
    assert (names(seen, "u"), len(names(seen, "t")), len(names(seen, "v"))) == ([], 2, 2)
    assert len(seen) == 4


def test_a_time_that_no_calendar_has_is_the_last_day_there_is() -> None:
    assert span("x", end_ns=2**64 - 1).end.startswith("2554-07-21T")
    assert span("x", end_ns=10**30).end.startswith("9999-12-31T")
    assert span("x", end_ns=1_700_000_000_123_456_789).end == "2023-11-14T22:13:20.123456Z"
