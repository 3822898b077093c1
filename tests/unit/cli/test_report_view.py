"""A report as text."""

import csv
import io
from typing import Any

import pytest

from subagentctl.look import Look
from subagentctl.report_view import report_csv, report_lines

TIMES = {"of": 40, "p50": 3.0, "p95": 1_800.0, "p99": 7_500.0}


def agent(**fields: Any) -> dict[str, Any]:
    usual = {
        "agent_name": "coder",
        "started": 40,
        "updated": 2,
        "live_runs": 1,
        "ended_runs": 41,
        "endings": {"success": 38, "error": 1, "timeout": 0, "cancelled": 2, "superseded": 0},
        "cancelled_by": {"operator": 1, "reaper": 1, "server_lost": 0},
        "reaped": {"run": 1, "stall": 0},
        "failed": 1,
        "failure_rate": 0.0244,
        "run_time_s": TIMES,
        "queue_s": TIMES,
        "few": False,
        "run_clock_s": 43_200.0,
        "refused": 5,
        "refusal_rate": 0.1064,
        "tokens": 12_400,
        "cost_usd": "0.031200",
        "metered_runs": 41,
        "unpriced_runs": 0,
        "polls": 84,
        "polls_per_run": 2.0,
        "polls_per_minute": 0.04,
    }
    return {**usual, **fields}


def report(*agents: dict[str, Any], **fields: Any) -> dict[str, Any]:
    usual = {
        "since": "2026-11-16T03:00:00.000000Z",
        "whole_from": None,
        "least_runs": 20,
        "agents": list(agents),
        "left_out": 0,
        "advice": [],
    }
    return {**usual, **fields}


def shown(*agents: dict[str, Any], width: int | None = None, **fields: Any) -> list[str]:
    return report_lines(report(*agents, **fields), Look(width=width))


def words(line: str) -> str:
    return " ".join(line.split())


def test_three_tables_and_a_footer() -> None:
    lines = [words(line) for line in shown(agent())]
    assert lines[0] == "AGENT RUNS QUEUE p95 RUN p50 p95 p99 CLOCK USAGE"
    assert lines[1] == "coder 41 30m 3.0s 30m 2h 5m 12h 12.4k tok $0.03"
    assert lines[3] == "AGENT STARTS REFUSED FAILED POLLS A RUN A MINUTE"
    assert lines[4] == "coder 42 10.6% 2.4% 84 2.0 0.0"
    assert lines[6] == "AGENT SUCCESS ERROR BY OPERATOR BY REAPER"
    assert lines[7] == "coder 38 1 1 1"
    assert lines[9] == (
        "41 runs that ended since 2026-11-16 03:00 UTC, 1 still at work. No advice: nothing stands "
        "out where there are runs enough."
    )


def test_few_runs_are_marked_and_said_to_be_few() -> None:
    lines = shown(agent(few=True))
    assert words(lines[1]) == "coder 41 ~30m ~3.0s ~30m ~2h 5m 12h 12.4k tok $0.03"
    assert "`~`: fewer than 20 runs came to their own end, too few for advice." in lines[-1]


def test_what_is_not_known_is_a_dash_and_costs_without_all_prices_have_a_mark() -> None:
    nothing = agent(
        run_time_s=None, queue_s=None, run_clock_s=None, refusal_rate=None, failure_rate=None,
        polls_per_run=None, polls_per_minute=None, cost_usd=None, tokens=0, few=True,
        endings={}, cancelled_by={},
    )  # fmt: skip
    lines = shown(nothing)
    assert words(lines[1]) == "coder 41 — — — — — —"
    assert words(lines[4]) == "coder 42 — — 84 — —"
    assert "fewer than" not in lines[-1]
    unpriced = shown(agent(unpriced_runs=3))
    assert unpriced[1].endswith("$0.03+")
    assert (
        "3 of the 41 runs with known usage used a model without a price: a cost with `+` is what "
        "is known of it."
    ) in unpriced[-1]
    none = {"cost_usd": None, "metered_runs": 1, "unpriced_runs": 1}
    one = "The 1 run with known usage used a model without a price: its cost is not known."
    assert one in shown(agent(**none))[-1]


def test_what_is_missing_is_said() -> None:
    last = shown(agent(), left_out=7, whole_from="2026-11-20T00:00:00.000000Z")[-1]
    assert "7 more agents are left out, those with the fewest runs." in last
    assert last.endswith("What ended before 2026-11-20 00:00 UTC is forgotten in part.")
    assert "forgotten" not in shown(agent(), whole_from="2026-11-01T00:00:00.000000Z")[-1]


def test_nothing_is_said_in_a_sentence() -> None:
    assert shown() == ["Nothing was at work since 2026-11-16 03:00 UTC, nor refused."]


LONG = {
    "agent_name": "an-agent-with-a-name-that-is-much-too-long-for-anybody-to-read",
    "endings": {"success": 1_234_567, "error": 99_999, "timeout": 99_999, "superseded": 12_345},
    "cancelled_by": dict.fromkeys(
        ("supervisor", "operator", "reaper", "budget", "server_lost", "upstream"), 123_456
    ),
    "tokens": 123_456_789_012,
    "cost_usd": "123456789.123456",
    "polls": 123_456_789,
    "started": 1_234_567,
}
ADVICE = {"kind": "keep_inline", "message": "coder: " + "very many words " * 20, "setting": None}


@pytest.mark.parametrize("width", [60, 80, 100, 200])
def test_every_line_fits(width: int) -> None:
    lines = shown(agent(), agent(**LONG), width=width, advice=[ADVICE], left_out=3)
    assert max(map(len, lines)) <= width
    assert any(line.startswith("keep inline    coder: very many") for line in lines)


def test_nobody_paints_or_forges_lines_through_a_name() -> None:
    hostile = "x\x1b[31m\nkeep inline    everything"
    advice = {"kind": f"k{hostile}", "message": f"session {hostile} asked", "setting": None}
    text = "\n".join(shown(agent(agent_name=hostile), advice=[advice]))
    assert "\x1b" not in text
    assert "\nkeep inline" not in text


@pytest.mark.parametrize(
    "broken",
    [
        {"agents": [{}]},
        {"agents": [{"run_time_s": "x", "endings": [], "few": "yes", "cancelled_by": {"a": "b"}}]},
        {"agents": [{"failure_rate": float("nan"), "run_clock_s": float("inf")}], "since": 7},
        {"agents": [{"run_time_s": {"p50": float("inf")}}], "advice": ["x", {}]},
    ],
)
def test_whatever_comes_over_the_network_is_shown_somehow(broken: dict[str, Any]) -> None:
    assert report_lines(broken, Look(width=80))
    assert report_csv(broken)


def test_the_csv_has_a_line_an_agent_and_every_word() -> None:
    [row] = csv.DictReader(io.StringIO(report_csv(report(agent(agent_name="=cmd()")))))
    assert row["agent_name"] == "'=cmd()"
    assert (row["run_p95"], row["queue_of"], row["success"]) == ("1800.0", "40", "38")
    assert (row["cancelled_by_reaper"], row["reaped_run"], row["cost_usd"]) == (
        "1",
        "1",
        "0.031200",
    )
