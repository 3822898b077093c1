"""What a replay comes to: counts and savings, and what stays unknown of them."""

from collections.abc import Sequence

from tests.support.books import at
from tests.support.past import refused, rules, started

from subagent_sidecar.core.decisions import Decision
from subagent_sidecar.core.past import Past, PastStart, in_order_of_time
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.replay import replay
from subagent_sidecar.core.replay_sums import Saved, Sums

FAN_OUT = "name: fan-out, concurrent: 1, per: session"


def summed(policy: Policy, record: Sequence[Past], since: float = 0) -> Sums:
    sums = Sums()
    starts = [past for past in record if isinstance(past, PastStart)]
    decisions = [past for past in record if isinstance(past, Decision)]
    for outcome in replay(policy, in_order_of_time(starts, decisions), since=at(since)):
        sums.add(outcome)
    return sums


def test_what_was_refused_is_saved() -> None:
    record: list[Past] = [started(n, f"t{n}", until=10 + n, usd=0.5) for n in (1, 2, 3)]
    sums = summed(rules(FAN_OUT), record)
    assert (sums.starts, sums.refused, sums.orphaned) == (3, 2, 0)
    assert sums.saved == Saved(runs=2, micro_usd=1_000_000, tokens=200, run_time=20_000_000)
    rule = sums.by_rule["fan-out"]
    assert (rule.starts, rule.first, rule.last) == (2, at(2), at(3))
    assert rule.saved == sums.saved


def test_what_was_not_made_is_saved_as_well_and_is_no_rules_doing() -> None:
    record: list[Past] = [
        started(1, "a", until=9),
        started(2, "b", until=9, usd=1),
        started(3, "c", parent="b", until=5, usd=0.25),
    ]
    sums = summed(rules(FAN_OUT), record)
    assert (sums.refused, sums.orphaned) == (1, 1)
    assert sums.saved.micro_usd == 1_250_000
    assert sums.orphans.micro_usd == 250_000
    assert sums.by_rule["fan-out"].saved.micro_usd == 1_000_000


def test_unknown_stays_unknown() -> None:
    record: list[Past] = [
        started(1, "a", until=9),
        started(2, "unpriced", until=9, unpriced=1),
        started(3, "never-seen", until=9, tokens=0),
        started(4, "unsettled", until=9, settled=False, usd=0.125),
        started(5, "at-work"),
    ]
    sums = summed(rules(FAN_OUT), record)
    assert sums.saved == Saved(
        runs=4,
        micro_usd=125_000,
        tokens=300,
        run_time=18_000_000,
        cost_unknown=4,
        tokens_unknown=3,
        run_time_unknown=1,
    )


def test_a_run_that_never_began_took_no_time() -> None:
    saved = Saved()
    saved.add(started(1, "a", until=9, started_at=None))
    assert (saved.run_time, saved.run_time_unknown) == (0, 0)


def test_refusals_on_record_are_counted_by_what_would_have_become_of_them() -> None:
    record: list[Past] = [
        started(1, "a", until=9),
        started(2, "b", until=9),
        refused(3, "again"),
        refused(4, "below", session="b", depth=1),
        refused(20, "let-in"),
    ]
    sums = summed(rules(FAN_OUT), record)
    assert (sums.starts, sums.refusals, sums.would_pass, sums.moot) == (2, 3, 1, 1)
    assert (sums.by_rule["fan-out"].starts, sums.by_rule["fan-out"].refusals) == (1, 1)


def test_what_was_before_is_in_no_count() -> None:
    record: list[Past] = [
        started(1, "a", until=9),
        refused(2, "i"),
        started(6, "b", until=9),
        started(7, "b", run_id="x", request_id=None, update=True),
    ]
    sums = summed(rules(), record, since=5)
    assert (sums.starts, sums.refusals, sums.past_us) == (1, 0, 1)


def test_an_observing_rule_saves_nothing_and_is_told_once_a_start() -> None:
    policy = rules(budgets="name: w, mode: observe, usd: 0.1, tokens: 50, per: session")
    sums = summed(policy, [started(n, f"t{n}", until=n + 1, usd=0.5) for n in (1, 3, 5)])
    assert (sums.refused, sums.saved) == (0, Saved())
    assert sums.by_rule == {}
    assert (sums.observed["w"].starts, sums.observed["w"].first) == (2, at(3))


def test_equal_refusals_that_are_one_record_are_each_asked_about() -> None:
    record: list[Past] = [refused(1, "i", times=1_000), refused(2, "j", agent="writer", times=3)]
    sums = summed(rules("name: few, starts: 10, per: agent"), record)
    assert (sums.refusals, sums.would_pass) == (1_003, 13)
    assert sums.by_rule["few"].refusals == 990


def test_what_observing_rules_would_say_of_equal_refusals_is_counted_as_often() -> None:
    sums = summed(
        rules("name: few, starts: 2, per: agent, mode: observe"), [refused(1, "i", times=9)]
    )
    assert (sums.would_pass, sums.observed["few"].refusals) == (9, 7)
