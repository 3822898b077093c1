"""What another policy would have made of the past, as tables: the record, the rules, the fates."""

from collections.abc import Sequence
from dataclasses import replace

import pytest
from tests.support.books import at
from tests.support.past import refused, rules, started

from subagent_sidecar.core.decisions import Decision, Verdict
from subagent_sidecar.core.past import Past, PastStart, in_order_of_time
from subagent_sidecar.core.policy import Mode, Policy
from subagent_sidecar.core.replay import Fate, Outcome, looks_back, replay
from subagent_sidecar.core.verdict import Check

FAN_OUT = "name: fan-out, concurrent: 1, per: session"


def replayed(policy: Policy, record: Sequence[Past], since: float = 0) -> list[Outcome]:
    starts = sorted((p for p in record if isinstance(p, PastStart)), key=lambda p: p.position)
    decisions = [past for past in record if isinstance(past, Decision)]
    return list(replay(policy, in_order_of_time(starts, decisions), since=at(since)))


def fates(policy: Policy, record: Sequence[Past], since: float = 0) -> str:
    """A letter for each start in order of time: + let in, - refused, o orphaned, . not asked."""
    letters = {
        Fate.LET_IN: "+",
        Fate.REFUSED: "-",
        Fate.ORPHANED: "o",
        Fate.BEFORE: ".",
        Fate.UNASKED: ".",
    }
    return "".join(letters[outcome.fate] for outcome in replayed(policy, record, since))


def numbers(policy: Policy, record: Sequence[Past]) -> list[str]:
    """`rule current/limit` of each refusal."""
    return [
        f"{outcome.check.rule} {outcome.check.current}/{outcome.check.limit}"
        for outcome in replayed(policy, record)
        if outcome.check is not None
    ]


LONG = [started(1, "a", until=9), started(2, "b", until=9), started(3, "c", until=9)]
SAME = [started(n, f"t{n}", until=n + 0.5, fingerprint="f") for n in (1, 2, 30)]
SHORT = [started(n, f"t{n}", until=n + 0.5) for n in range(1, 7)]
UPDATES = [
    started(1, "a", until=9),
    started(2, "a", until=3, run_id="u1", update=True),
    started(4, "a", until=5, run_id="u2", update=True),
]


@pytest.mark.parametrize(
    ("limits", "record", "expected"),
    [
        ("", LONG, "+++"),
        (FAN_OUT, LONG, "+--"),
        ("name: x, concurrent: 2, per: session", LONG, "++-"),
        ("name: x, concurrent: 1, per: agent", [*LONG[:2], started(3, "c", agent="z")], "+-+"),
        ("name: x, concurrent: 1, per: global, match: {agent: z}", LONG, "+++"),
        # one that ended has left its place, at that very moment
        (FAN_OUT, [started(1, "a", until=2), started(2, "b", until=9)], "++"),
        (FAN_OUT, [started(1, "a", until=2.1), started(2, "b", until=9)], "+-"),
        # what was refused takes no place: b is refused for a, and c comes when a is over
        (FAN_OUT, [started(1, "a", until=4), started(2, "b", until=9), started(5, "c")], "+-+"),
        # a task that waits for a human, and one whose cancel did not come true, are unfinished
        (FAN_OUT, [started(1, "a", until=2, left=8), started(3, "b"), started(9, "c")], "+-+"),
        (FAN_OUT, [started(1, "a", until=2, at_large=True), started(3, "b")], "+-"),
        ("name: x, starts: 2, per: session", SHORT, "++----"),
        ("name: x, starts: 2, per: supervisor", SHORT, "++----"),
        ("name: x, starts: 2, per: session, window: 3s", SHORT, "++--++"),
        ("name: x, starts: 2, per: session, window: 1s", SHORT, "++++++"),
        ("name: x, duplicates: 1, per: session", SAME, "+--"),
        ("name: x, duplicates: 1, per: session, window: 20s", SAME, "+-+"),
        ("name: x, duplicates: 1, per: session", SHORT, "++++++"),
        ("name: x, match: {agent: coder}, deny: true", LONG, "---"),
        ("name: x, starts: 2, per: task", UPDATES, "++-"),
        ("name: x, concurrent: 1, per: task", UPDATES, "+--"),
        (FAN_OUT, UPDATES, "+++"),
    ],
)
def test_limits_count_what_they_would_have_let_in(
    limits: str, record: Sequence[Past], expected: str
) -> None:
    assert fates(rules(limits), record) == expected


def test_a_follow_up_that_wakes_its_task_needs_a_place_for_it() -> None:
    record: list[Past] = [
        started(1, "a", until=2),
        started(3, "b", until=9),
        started(4, "a", until=5, run_id="u", update=True),
        started(10, "a", until=11, run_id="v", update=True),
    ]
    assert fates(rules(FAN_OUT), record) == "++-+"


@pytest.mark.parametrize(
    ("budget", "expected"),
    [
        ("name: b, usd: 0.50, per: session", "++--"),
        ("name: b, usd: 0.75, per: session", "+++-"),
        ("name: b, usd: 0.55, per: session, reserve: {usd: 0.30}", "+-+-"),
        ("name: b, usd: 0.50, per: session, window: 5s", "++-+"),
        ("name: b, runs: 3, per: session", "+++-"),
        ("name: b, tokens: 150, per: session", "++--"),
        ("name: b, run_time: 3s, per: session", "++--"),
        ("name: b, usd: 0.30, per: task", "++++"),
    ],
)
def test_budgets_know_what_a_run_used_from_its_end_on(budget: str, expected: str) -> None:
    record: list[Past] = [started(n, f"t{n}", until=n + 2, usd=0.25) for n in (1, 2, 4, 9)]
    assert fates(rules(budgets=budget), record) == expected


def test_a_run_at_work_counts_the_time_it_has_had() -> None:
    record: list[Past] = [started(1, "a", began=2, until=99), started(6, "b"), started(13, "c")]
    assert fates(rules(budgets="name: b, run_time: 10s, per: session"), record) == "++-"


def test_usage_that_never_became_known_counts_the_reserve() -> None:
    policy = rules(budgets="name: b, tokens: 1_000, per: session, reserve: {tokens: 600}")
    later = started(3, "b", until=4)
    assert fates(policy, [started(1, "a", until=2, tokens=0, settled=False), later]) == "+-"
    assert fates(policy, [started(1, "a", until=2, tokens=0), later]) == "++"


def test_a_refusal_says_by_which_numbers() -> None:
    assert numbers(rules(FAN_OUT), LONG) == ["fan-out 1/1", "fan-out 1/1"]


def test_what_belongs_to_a_task_that_is_not_there_is_not_there_either() -> None:
    record: list[Past] = [
        started(1, "a", until=9),
        started(2, "b", until=9),
        started(3, "child", parent="b", until=4),
        started(4, "grandchild", parent="child", tree="b", depth=2, until=5),
        started(5, "b", run_id="b-2", update=True, until=6),
        started(6, "other", parent="a", until=7),
    ]
    assert fates(rules(FAN_OUT), record) == "+-ooo+"


def test_a_task_whose_follow_up_was_refused_is_there_all_the_same() -> None:
    record: list[Past] = [*UPDATES, started(6, "child", parent="a")]
    assert fates(rules("name: x, starts: 2, per: task"), record) == "++-+"


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ("name: x, depth: 0", "+-o"),
        ("name: x, depth: 1", "++-"),
        ("name: x, concurrent: 2, per: tree", "++-"),
        ("name: x, starts: 1, per: tree", "+-o"),
    ],
)
def test_trees_are_counted_from_their_root_on(limits: str, expected: str) -> None:
    record: list[Past] = [
        started(1, "root"),
        started(2, "child", parent="root"),
        started(3, "leaf", parent="child", tree="root", depth=2),
    ]
    assert fates(rules(limits), record) == expected


def test_a_new_root_has_no_tree_to_be_counted_in() -> None:
    assert fates(rules("name: x, starts: 1, per: tree"), SHORT) == "++++++"


def test_a_batch_is_let_in_as_a_whole_or_not_at_all() -> None:
    batch = [started(2, task_id, request_id="q", until=9) for task_id in ("b", "c", "d")]
    record: list[Past] = [started(1, "a", until=9), *batch, started(3, "e", until=9)]
    outcomes = replayed(rules("name: x, concurrent: 3, per: session"), record)
    assert [outcome.fate.value for outcome in outcomes] == [
        "let_in",
        *["refused"] * 3,
        "let_in",
    ]
    assert numbers(rules("name: x, concurrent: 3, per: session"), record) == ["x 3/3"] * 3
    assert fates(rules("name: x, concurrent: 4, per: session"), record) == "++++-"


def test_what_was_before_is_taken_as_it_was_and_counts() -> None:
    record: list[Past] = [*SHORT[:4], started(9, "z")]
    assert fates(rules("name: x, starts: 4, per: session"), record, since=5) == "....-"
    assert fates(rules("name: x, starts: 5, per: session"), record, since=5) == "....+"
    assert fates(rules(FAN_OUT), [*LONG, started(9.5, "z")], since=5) == "...+"


def test_what_was_started_past_the_sidecar_is_taken_as_it_came() -> None:
    record: list[Past] = [
        started(1, "a"),
        started(2, "a", run_id="x", request_id=None, update=True),
    ]
    policy = rules("name: x, match: {agent: coder}, deny: true")
    assert fates(policy, [started(1, "b", request_id=None), *record[:1]]) == ".-"
    assert [o.fate for o in replayed(policy, record)] == [Fate.REFUSED, Fate.ORPHANED]


def test_a_refusal_on_record_may_be_none() -> None:
    record: list[Past] = [started(1, "a", until=9), refused(2, "i1"), refused(3, "i2")]
    assert fates(rules(), record) == "+++"
    assert fates(rules(FAN_OUT), record) == "+--"


@pytest.mark.parametrize("what", ["frozen", "key"])
def test_what_a_freeze_or_a_key_refused_is_no_policys_business(what: str) -> None:
    frozen = Check(
        rule="freeze",
        policy="operator",
        mode=Mode.ENFORCE,
        what=what,
        limit=0,
        current=0,
        denies=True,
    )
    record: list[Past] = [replace(refused(1, "i"), checks=(frozen,)), started(2, "a")]
    assert fates(rules("name: x, starts: 1, per: session"), record) == ".+"


def test_a_start_that_never_was_takes_no_place_and_costs_nothing() -> None:
    record: list[Past] = [refused(1, "i1"), started(2, "a", until=9)]
    assert fates(rules(FAN_OUT), record) == "++"
    assert fates(rules(budgets="name: b, usd: 1, per: session, reserve: {usd: 1}"), record) == "++"


def test_a_start_that_never_was_counts_as_a_start() -> None:
    record: list[Past] = [
        refused(1, "i1", fingerprint="f"),
        refused(2, "i2", fingerprint="f"),
        SHORT[2],
    ]
    assert fates(rules("name: x, duplicates: 1, per: session"), record) == "+-+"
    assert fates(rules("name: x, starts: 2, per: session"), record) == "++-"


def test_what_was_refused_below_a_task_that_is_not_there_was_never_asked() -> None:
    record: list[Past] = [
        started(1, "a", until=9),
        started(2, "b", until=9),
        refused(3, "i1", session="b", depth=1),
        refused(4, "i2", "b", task_id="b", tree_id="b", update=True),
        refused(5, "i3", session="a", depth=1),
    ]
    assert fates(rules(FAN_OUT), record) == "+-oo+"


def test_what_was_let_in_and_only_recorded_is_there_as_a_run() -> None:
    record: list[Past] = [started(1, "a"), refused(1, "i", verdict=Verdict.WOULD_DENY)]
    assert fates(rules(FAN_OUT), record) in ("+.", ".+")


def test_rules_that_observe_are_told_apart() -> None:
    policy = rules("name: w, mode: observe, concurrent: 1, per: session")
    outcomes = replayed(policy, LONG)
    assert [[check.rule for check in outcome.observed] for outcome in outcomes] == [
        [],
        ["w"],
        ["w"],
    ]
    assert {outcome.fate for outcome in outcomes} == {Fate.LET_IN}


def test_the_same_record_gives_the_same_whatever_the_order_of_equal_moments() -> None:
    record: list[Past] = [started(1, task_id, until=9) for task_id in "abcd"]
    record += [refused(1, "i1"), refused(1, "i2")]
    policy = rules("name: x, concurrent: 2, per: session")
    first = replayed(policy, record)
    assert replayed(policy, record[::-1]) == first
    assert [outcome.fate.value for outcome in first].count("refused") == 2


def test_a_start_that_was_found_out_about_late_is_decided_where_it_turns_up() -> None:
    late = started(1, "a", run_id="late", task_at=at(5), until=2, update=True)
    record: list[Past] = [started(4, "b", until=8), late, started(6, "c", until=9)]
    assert fates(rules(FAN_OUT), record) == "+--"


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        (rules(), at(100)),
        (rules(FAN_OUT), at(100)),
        (rules("name: x, depth: 1"), at(100)),
        (rules("name: x, starts: 1, per: session, window: 1m"), at(40)),
        (rules("name: x, starts: 1, per: session"), None),
        (rules(FAN_OUT, "name: b, usd: 1, per: session, window: 90s"), at(10)),
        (rules(FAN_OUT, "name: b, usd: 1, per: session"), None),
    ],
)
def test_how_far_back_a_replay_must_look(policy: Policy, expected: str | None) -> None:
    assert looks_back(policy, at(100)) == expected


def test_what_ended_before_that_makes_no_difference() -> None:
    policy = rules(f"{FAN_OUT}; name: x, starts: 2, per: session, window: 3s")
    horizon = looks_back(policy, at(5))
    assert horizon == at(2)
    needed = [past for past in SHORT if past.ended_at is None or past.ended_at >= horizon]
    assert len(needed) < len(SHORT)
    told = [o for o in replayed(policy, SHORT, since=5) if o.fate is not Fate.BEFORE]
    assert [o for o in replayed(policy, needed, since=5) if o.fate is not Fate.BEFORE] == told
