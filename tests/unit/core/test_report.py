"""Advice: given where the numbers carry it, and nowhere else."""

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.support.refusals import policy

from subagent_sidecar.core.report import AgentRuns, Report, ReportQuery, SessionPolls, Times
from subagent_sidecar.core.report_advice import Advice, Adviser, Clock
from subagent_sidecar.core.report_words import clock_of, report_words

HOUR = timedelta(hours=1)
MINUTE = 60_000
QUERY = ReportQuery(since="2026-01-01T00:00:00.000000Z", now="2026-01-08T00:00:00.000000Z")


def took(of: int, p50: float, p95: float, p99: float) -> Times:
    """In seconds."""
    return Times(of=of, p50=round(p50 * 1000), p95=round(p95 * 1000), p99=round(p99 * 1000))


def agent(ran: Times | None, *, run: int = 0, **facts: object) -> AgentRuns:
    reaped = {"run": run} if run else {}
    usual: dict[str, object] = {"agent_name": "coder", "ran": ran, "reaped": reaped}
    return AgentRuns(**{**usual, **facts})  # type: ignore[arg-type]  # fields by name


def advised(
    *agents: AgentRuns, clock: timedelta | None = HOUR, sessions: tuple[SessionPolls, ...] = ()
) -> list[Advice]:
    adviser = Adviser(clock_of=lambda _: Clock(limit=clock))
    return adviser.of(Report(agents=agents, sessions=sessions))


def kinds(found: list[Advice]) -> list[tuple[str, str | None]]:
    return [(advice.kind, advice.setting) for advice in found]


@pytest.mark.parametrize(
    ("ran", "run", "clock", "said"),
    [
        # Nothing is said of few, however plain they look.
        (took(19, 1, 2, 2), 0, HOUR, []),
        (None, 9, HOUR, []),
        # Under the break-even, and at it.
        (took(20, 1, 29.9, 29.9), 0, HOUR, [("keep_inline", None)]),
        (took(20, 1, 30, 30), 0, HOUR, []),
        # The clock ended runs that were about to finish; or those that hung.
        (took(20, 900, 1_801, 2_000), 3, HOUR, [("longer_clock", "run: 2h")]),
        (took(20, 900, 3_000, 3_500), 3, HOUR, [("longer_clock", "run: 2h")]),
        (took(20, 900, 1_800, 1_800), 3, HOUR, []),
        (took(20, 900, 3_500, 3_500), 0, HOUR, []),
        # Ten times what runs take is long, but not on few.
        (took(99, 100, 200, 300), 0, HOUR, []),
        (took(100, 100, 200, 360), 0, HOUR, []),
        (took(100, 100, 200, 359), 0, HOUR, [("shorter_clock", "run: 30m")]),
        (took(100, 40, 50, 55), 0, HOUR, [("shorter_clock", "run: 5m")]),
        (took(100, 0.1, 0.2, 0.3), 0, HOUR, [("keep_inline", None), ("shorter_clock", "run: 1m")]),
        # No clock at all.
        (took(100, 40, 50, 7_000), 0, None, [("no_clock", "run: 6h")]),
        (took(99, 40, 50, 7_000), 5, None, []),
    ],
)  # fmt: skip
def test_advice_follows_from_the_numbers(
    ran: Times | None, run: int, clock: timedelta | None, said: list[tuple[str, str | None]]
) -> None:
    assert kinds(advised(agent(ran, run=run), clock=clock)) == said


def test_advice_names_its_numbers() -> None:
    near = agent(took(1_200, 900, 3_000, 3_500), run=7)
    assert [advice.message for advice in advised(near)] == [
        "coder: the run clock ended 7 runs after 1h, and of the 1,200 that finished 5 in 100 took "
        "50m or longer. Try `run: 2h`"
    ]
    quick = agent(took(150, 3, 8.25, 12))
    inline, shorter = advised(quick)
    assert inline.message.startswith(
        "coder: 95 of 100 of its 150 runs are done within 8.2s, half within 3.0s. Below 30s "
    )
    assert shorter.message == (
        "coder: 99 of 100 of its 150 runs are done within 12s, and the run clock ends one that "
        "hangs after 1h. Try `run: 1m`"
    )
    hung = advised(agent(took(150, 60, 100, 120), run=2))
    assert hung[0].message.endswith("after 1h; 2 runs hung for all of it. Try `run: 10m`")


def polled(times: int, minutes: float, **facts: object) -> SessionPolls:
    usual: dict[str, object] = {
        "session_id": "s1",
        "supervisor": "ann",
        "tasks": 1,
        "polls": times,
        "live_ms": round(minutes * MINUTE),
    }
    return SessionPolls(**{**usual, **facts})  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("session", "said"),
    [
        (polled(60, 10), []),
        (polled(61, 10), [("busy_poll", "polling: {coalesce: 10s}")]),
        (polled(300, 10), [("busy_poll", "polling: {coalesce: 5s}")]),
        (polled(20, 0), [("busy_poll", "polling: {coalesce: 1s}")]),
    ],
)
def test_a_session_is_busy_above_six_questions_a_minute(
    session: SessionPolls, said: list[tuple[str, str | None]]
) -> None:
    assert kinds(advised(sessions=(session,))) == said


def test_a_busy_session_is_named_with_what_it_does() -> None:
    (alone,) = advised(sessions=(polled(300, 10),))
    assert (alone.session_id, alone.supervisor) == ("s1", "ann")
    assert alone.message.startswith("session s1 asked 300 times after a task, 30 times a minute. ")
    (several,) = advised(sessions=(polled(300, 10, tasks=4),))
    assert "after 4 tasks, 30 times a minute after each. " in several.message
    (nameless,) = advised(sessions=(polled(300, 10, session_id="default:ann"),))
    assert nameless.message.startswith("session default:ann (callers that name none) asked ")


def test_what_is_most_urgent_comes_first() -> None:
    found = advised(
        agent(took(500, 1, 2, 3)),
        agent(took(50, 900, 3_000, 3_500), run=7),
        sessions=(polled(300, 10),),
    )
    said = [advice.kind for advice in found]
    assert said == ["longer_clock", "busy_poll", "keep_inline", "shorter_clock"]


RULES = policy(
    "lifecycle: [{name: all, run: 2h}, {name: far, match: {upstream: far}, run: 3h}, "
    "{name: watched, match: {agent: painter}, run: 0}, {name: later, mode: observe, run: 1m}]"
)


@pytest.mark.parametrize(
    ("name", "upstreams", "clock"),
    [
        ("coder", ("near",), Clock(limit=2 * HOUR)),
        ("coder", ("far",), Clock(limit=3 * HOUR)),
        ("coder", ("far", "near"), Clock(said=False)),
        ("painter", ("near", "far"), Clock()),
        ("coder", (), Clock(said=False)),
    ],
)
def test_the_clock_is_the_one_in_force_on_the_agents_upstreams(
    name: str, upstreams: tuple[str, ...], clock: Clock
) -> None:
    assert clock_of(RULES, AgentRuns(agent_name=name, upstreams=upstreams)) == clock


FULL = AgentRuns(
    agent_name="coder",
    runs=12,
    live=1,
    started=8,
    updated=2,
    endings={"success": 5, "error": 1, "superseded": 2, "cancelled": 2},
    cancelled={"server_lost": 1, "reaper": 1},
    reaped={"run": 1},
    ran=took(6, 1, 2, 2.5),
    cost_micro_usd=1_250_000,
    metered=8,
    unpriced=2,
    refused={"few": 4, "deep": 1},
    polls=24,
    live_ms=4 * MINUTE,
    upstreams=("up",),
)


def test_rates_are_of_what_could_have_gone_the_other_way() -> None:
    (told,) = report_words(Report(agents=(FULL,)), QUERY, RULES, HOUR)["agents"]
    assert (told["failed"], told["failure_rate"]) == (2, 0.25)  # of 8: two went on as follow-ups
    assert (told["refused"], told["refusal_rate"]) == (5, 0.3333)  # of 15 that were asked for
    assert (told["polls_per_run"], told["polls_per_minute"]) == (2.0, 6.0)
    assert (told["ended_runs"], told["live_runs"], told["few"]) == (10, 1, True)
    assert (told["cost_usd"], told["unpriced_runs"], told["metered_runs"]) == ("1.250000", 2, 8)
    assert told["run_time_s"] == {"of": 6, "p50": 1.0, "p95": 2.0, "p99": 2.5}
    assert told["run_clock_s"] == 7_200.0


def test_what_is_not_known_is_null_and_not_zero() -> None:
    nobody = AgentRuns(agent_name="coder")
    (told,) = report_words(Report(agents=(nobody,)), QUERY, RULES, HOUR)["agents"]
    unknown = ("failure_rate", "refusal_rate", "run_time_s", "queue_s", "cost_usd", "run_clock_s")
    polls = ("polls_per_run", "polls_per_minute")
    assert {key: told[key] for key in (*unknown, *polls)} == dict.fromkeys((*unknown, *polls))


@pytest.mark.parametrize(
    ("micro", "metered", "unpriced", "cost"),
    [(5, 2, 2, "0.000005"), (0, 2, 2, None), (0, 2, 1, "0.000000"), (0, 0, 0, None)],
)
def test_what_has_no_price_does_not_cost_nothing(
    micro: int, metered: int, unpriced: int, cost: str | None
) -> None:
    spent = AgentRuns(
        agent_name="a", cost_micro_usd=micro, metered=metered, unpriced=unpriced, tokens=9
    )
    (told,) = report_words(Report(agents=(spent,)), QUERY, RULES, HOUR)["agents"]
    assert told["cost_usd"] == cost


def test_every_word_of_an_ending_is_told_and_what_a_later_version_wrote_too() -> None:
    odd = replace(FULL, cancelled={"gremlin": 1})
    (told,) = report_words(Report(agents=(odd,)), QUERY, RULES, HOUR)["agents"]
    assert told["cancelled_by"] == {
        "upstream": 0, "supervisor": 0, "operator": 0, "reaper": 0, "budget": 0, "server_lost": 0,
        "gremlin": 1,
    }  # fmt: skip
    assert told["endings"]["timeout"] == 0 and told["reaped"]["stall"] == 0
