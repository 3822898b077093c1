"""A listing, as table, CSV and JSON."""

import csv
import io
import json
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from subagentctl.client import JsonObject
from subagentctl.listing import STATUSES, Listing, Query, TaskPage
from subagentctl.look import Look
from subagentctl.record import task_page, task_page_json
from subagentctl.render import (
    View,
    footer,
    listing_json,
    nothing,
    task_table,
    tasks_csv,
)
from subagentctl.server import parse_server
from subagentctl.testing import NOW, make_run, make_task
from subagentctl.text import width
from subagentctl.when import to_wire

PLAIN = View(Look(), NOW)
HOME = parse_server("http://127.0.0.1:8461")


def column(title: str, *tasks: JsonObject) -> list[str]:
    """The cells under a title, cut out of the lines by the title's place."""
    head, *lines = task_table(tasks, PLAIN)
    start = head.index(title)
    return [line[start:].split("  ")[0].strip() for line in lines]


def test_a_row_says_the_whole_story_of_a_task() -> None:
    assert task_table([make_task()], PLAIN) == [
        "   ID        AGE  AGENT       STATUS   SESSION           PURPOSE",
        "●  34a759fd   1m  researcher  running  sup-async-8b39df  "
        "Find the three most cited papers on proxies",
    ]


@pytest.mark.parametrize("status", STATUSES)
def test_live_tasks_are_marked_and_ended_ones_are_not(status: str) -> None:
    line = task_table([make_task(status=status)], PLAIN)[1]
    assert line.startswith("●") == (status in ("pending", "running", "waiting"))


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_its_colour(status: str) -> None:
    line = task_table([make_task(status=status)], View(Look(color=True), NOW))[1]
    assert f"m{status}\x1b[0m" in line


def test_a_terminal_without_unicode_gets_ascii() -> None:
    task = make_task(depth=1, purpose="a very long purpose that has to be cut off somewhere")
    lines = task_table([task], View(Look(width=80, unicode=False), NOW))
    assert "".join(lines).isascii()
    assert lines[1].startswith("*") and lines[1].endswith("...")


@pytest.mark.parametrize(
    ("depth", "shown"),
    [
        (0, "researcher"),
        (1, "└ researcher"),
        (2, "  └ researcher"),
        (4, "      └ researcher"),
        (5, "└5 researcher"),
        (10**9, "└1000000000 researcher"),
        (None, "researcher"),
        ("deep", "researcher"),
    ],
)
def test_depth_is_shown_by_indentation_as_long_as_it_stays_readable(depth: Any, shown: str) -> None:
    line = task_table([make_task(depth=depth)], PLAIN)[1]
    assert f"  1m  {shown}  " in line


def test_the_number_of_runs_is_shown_only_where_there_are_several() -> None:
    once, twice = make_task(runs=[make_run()]), make_task(runs=[make_run(), make_run()])
    assert "RUNS" not in task_table([once], PLAIN)[0]
    _, several, single = task_table([twice, once], PLAIN)
    assert "running     2  sup-" in several
    assert "running     1  sup-" in single


def test_the_upstream_is_shown_only_where_there_are_several() -> None:
    here, there = make_task(), make_task(upstream="gpu")
    assert "UPSTREAM" not in task_table([here, here], PLAIN)[0]
    assert column("UPSTREAM", here, there) == ["default", "gpu"]


@pytest.mark.parametrize(
    ("usage", "shown"),
    [
        (None, "—"),
        ({}, "—"),
        ({"input_tokens": 0, "output_tokens": 0, "cost_usd": 0}, "0 tok $0.00"),
        ({"input_tokens": 900, "output_tokens": 99, "cost_usd": None}, "999 tok"),
        ({"input_tokens": 900, "output_tokens": 100}, "1k tok"),
        ({"input_tokens": 12_400, "output_tokens": 11, "cost_usd": 0.0312}, "12.4k tok $0.03"),
        ({"input_tokens": 999_499}, "999k tok"),
        ({"input_tokens": 999_500}, "1.0M tok"),
        ({"input_tokens": 3_000_000_000}, "3G tok"),
        ({"cost_usd": 0.0042}, "$0.0042"),
        ({"cost_usd": 0.00001}, "<$0.0001"),
        ({"cost_usd": "1234.5"}, "$1,234.50"),
        ({"input_tokens": True, "cost_usd": "nan"}, "—"),
        ("much", "—"),
    ],
)
def test_usage_is_short_and_an_unknown_one_is_not_zero(usage: Any, shown: str) -> None:
    known = make_task(usage={"input_tokens": 5})
    assert column("USAGE", make_task(usage=usage), known) == [shown, "5 tok"]


def test_usage_is_left_out_where_nothing_of_it_is_known() -> None:
    assert "USAGE" not in task_table([make_task(usage=None)], PLAIN)[0]


@pytest.mark.parametrize(
    ("status", "since", "shown"),
    [
        ("running", None, "running"),
        ("running", "2026-11-23T02:59:00Z", "running?"),
        ("waiting", "2026-11-23T02:59:00Z", "waiting?"),
        ("success", "2026-11-23T02:59:00Z", "success"),
    ],
)
def test_the_live_status_of_a_server_that_does_not_answer_is_questionable(
    status: str, since: str | None, shown: str
) -> None:
    assert column("STATUS", make_task(status=status, unknown_since=since)) == [shown]


@pytest.mark.parametrize(
    ("changes", "shown"),
    [
        ({}, "running!"),
        ({"unknown_since": "2026-11-23T02:59:00Z"}, "running!?"),
        ({"status": "cancelled"}, "cancelled!"),  # on paper only
    ],
)
def test_a_task_that_goes_on_although_it_was_cancelled_stands_out(
    changes: JsonObject, shown: str
) -> None:
    task = make_task(runs=[make_run(cancel_unconfirmed_at="2026-11-23T02:59:00Z")], **changes)
    assert column("STATUS", task) == [shown]
    painted = task_table([task], View(Look(color=True), NOW))[1]
    assert f"\x1b[31m\x1b[1m{shown}\x1b[0m" in painted
    said = footer(Listing(tasks=[task]), Query())
    assert "A task with ! was cancelled and goes on: `subagentctl task ID`" in said


def test_a_task_in_doubt_says_so() -> None:
    assert column("STATUS", make_task(status="pending", in_doubt=True)) == ["in doubt"]


@pytest.mark.parametrize("columns", range(85, 130, 5))
def test_the_session_stays_whole_as_long_as_the_purpose_can_yield(columns: int) -> None:
    usage = {"input_tokens": 12_400, "output_tokens": 11, "cost_usd": 0.0312}
    task = make_task(session_id="default:anonymous", usage=usage)
    head, line = task_table([task], View(Look(width=columns), NOW))
    purpose = line[head.index("PURPOSE") :]
    assert "default:anonymous" in line or len(purpose) == 12


def test_missing_fields_leave_the_row_standing() -> None:
    assert task_table([{}], PLAIN)[1].split() == ["—", "—", "—"]
    assert task_table([{"task_id": "0123456789"}], PLAIN)[1].split()[0] == "23456789"


@pytest.mark.parametrize(
    ("listing", "query", "said"),
    [
        (Listing(tasks=[make_task()]), Query(), "1 task, 1 live."),
        (
            Listing(tasks=[make_task(), make_task(status="error")], hidden=9988),
            Query(),
            "2 tasks, 1 live. 9,988 ended over an hour ago; --all shows them too.",
        ),
        (
            Listing(tasks=[make_task(unknown_since="2026-11-23T02:59:00Z")]),
            Query(),
            "1 task, 1 live. A status with ? is the last one seen: "
            "its server does not tell any more.",
        ),
        (
            Listing(tasks=[make_task()], more=True),
            Query(limit=1),
            "1 task, 1 live. More were left out by --limit 1; --limit 0 shows all.",
        ),
    ],
)
def test_the_footer_says_what_was_left_out_and_how_to_see_it(
    listing: Listing, query: Query, said: str
) -> None:
    assert footer(listing, query) == said


@pytest.mark.parametrize(
    ("hidden", "query", "server", "said"),
    [
        (0, Query(), "http://127.0.0.1:8461", "Point a subagent's url at http://127.0.0.1:8460 "),
        (0, Query(), "http://ops:9000", "(its --listen address, port 8460 by default)"),
        (0, Query(all=True), "http://127.0.0.1:8461", "No tasks yet."),
        (
            0,
            Query(),
            "http://127.0.0.1:8461",
            "If one tried, `subagentctl events` and the sidecar's",
        ),
        (0, Query(agent="x"), "http://127.0.0.1:8461", "No task on record fits these filters."),
        (3, Query(), "http://127.0.0.1:8461", "No task is live or ended within the last hour. 3 "),
        (3, Query(agent="x"), "http://127.0.0.1:8461", "fits and is live or ended within the last"),
    ],
)
def test_an_empty_list_says_why_and_what_to_do_next(
    hidden: int, query: Query, server: str, said: str
) -> None:
    assert said in nothing(Listing(tasks=[], hidden=hidden), query, parse_server(server))


def test_json_holds_the_full_record_with_keys_of_the_future() -> None:
    task = make_task(future={"x": [1, None]})
    listing = Listing(tasks=[task], more=True, hidden=2)
    assert json.loads(listing_json(listing)) == {"tasks": [task], "more": True, "hidden": 2}
    page = TaskPage(task=task, events=[{"seq": 1, "new": True}])
    assert json.loads(task_page_json(page)) == {"task": task, "events": [{"seq": 1, "new": True}]}


def test_compact_json_is_one_line() -> None:
    assert listing_json(Listing(tasks=[make_task()]), indent=None).count("\n") == 1


def test_csv_is_flat_and_ends_its_lines_as_the_rfc_says() -> None:
    usage = {"input_tokens": 5, "output_tokens": 6, "cost_usd": 0.5, "model": "m"}
    text = tasks_csv([make_task(runs=[make_run()] * 2, superseded_run_ids=["a"], usage=usage)])
    assert text.endswith("\r\n") and text.count("\r\n") == 2
    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert (row["agent_name"], row["depth"], row["ended_at"]) == ("researcher", "0", "")
    assert (row["runs"], row["superseded_runs"]) == ("2", "1")
    assert (row["input_tokens"], row["cost_usd"], row["model"]) == ("5", "0.5", "m")


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", " =", "\r=", "\uff1d", "\u200b="])
def test_a_cell_that_a_spreadsheet_would_run_is_made_harmless(start: str) -> None:
    text = tasks_csv([make_task(purpose=f'{start}HYPERLINK("http://evil")')])
    row = next(csv.DictReader(io.StringIO(text, newline="")))
    assert row["purpose"].startswith("'")


patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy: how long an example takes says nothing about it."""

any_text = st.text(st.characters(exclude_categories=()), max_size=30)
moments = st.datetimes().map(lambda at: at.isoformat() + "Z")


def values(*, finite: bool) -> st.SearchStrategy[Any]:
    """Whatever JSON can hold; the client lets only finite numbers in."""
    numbers = st.floats(allow_nan=not finite, allow_infinity=not finite)
    return st.recursive(
        st.none() | st.booleans() | st.integers() | numbers | any_text,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
        max_leaves=6,
    )


def records(value: st.SearchStrategy[Any]) -> st.SearchStrategy[JsonObject]:
    """Tasks that lack any field, or hold anything in it."""
    runs = st.lists(st.fixed_dictionaries({}, optional=dict.fromkeys(make_run(), value)))
    times = dict.fromkeys(("created_at", "started_at", "ended_at"), moments | value)
    fields = dict.fromkeys(make_task(), value) | times | {"runs": runs | value}
    return st.fixed_dictionaries({}, optional=fields)


any_value = values(finite=False)
any_record = records(any_value)
any_event = st.fixed_dictionaries(
    {},
    optional={
        "at": moments | any_value,
        "kind": any_value,
        "status": any_value,
        "run_id": any_value,
        "detail": any_value,
    },
)
looks = st.builds(Look, width=st.none() | st.integers(1, 200), unicode=st.booleans())


@patient
@given(st.lists(any_record, max_size=3), looks)
def test_any_records_make_a_table_that_fits_and_obeys_nobody(  # row 26
    tasks: list[JsonObject], look: Look
) -> None:
    for line in task_table(tasks, View(look, NOW)):
        assert line.isprintable()
        assert look.width is None or width(line) <= look.width


@patient
@given(any_record, st.lists(any_event, max_size=3), looks)
def test_any_record_makes_a_page_that_obeys_nobody(  # row 26
    task: JsonObject, events: list[JsonObject], look: Look
) -> None:
    for line in task_page(TaskPage(task=task, events=events), View(look, NOW)):
        assert line.isprintable()
        assert look.width is None or width(line) <= max(look.width, 32)


@patient
@given(st.lists(any_record, max_size=3))
def test_any_records_make_csv_of_equally_long_rows(tasks: list[JsonObject]) -> None:  # row 26
    text = tasks_csv(tasks)
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert len({len(row) for row in rows}) == 1 and len(rows) == len(tasks) + 1
    assert text.replace("\r\n", "").isprintable()


@patient
@given(st.lists(records(values(finite=True)), max_size=3))
def test_any_records_make_json_of_printable_ascii(tasks: list[JsonObject]) -> None:  # row 26
    text = listing_json(Listing(tasks=tasks))
    assert json.loads(text)["tasks"] == tasks
    assert text.isascii() and text.replace("\n", "").isprintable()


def test_a_thousand_rows_are_laid_out_in_a_blink() -> None:
    made = to_wire(NOW - timedelta(hours=1))
    tasks = [make_task(created_at=made, purpose="北京 " * 40) for _ in range(1000)]
    assert len(task_table(tasks, View(Look(width=100), NOW))) == 1001
