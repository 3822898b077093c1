"""May this start: decision tables."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from tests.support.counting import Counted, CountedRun

from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.decisions import admitted
from subagent_sidecar.core.matching import EVERYTHING, Call, Scope
from subagent_sidecar.core.model import timestamp
from subagent_sidecar.core.policy import Amounts, LimitKind, Policy
from subagent_sidecar.core.verdict import Allow, Answer, Deny, Freeze
from subagent_sidecar.policy_file import parse
from subagent_sidecar.yaml_file import Document

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALL = Call(agent="coder", upstream="up", supervisor="ann", session="s", fingerprint="f")
UPDATE = replace(CALL, task_id="t1", tree_id="t1", update=True)


def policy(section: str, *rules: str) -> Policy:
    text = "".join(f"  - {{{rule}}}\n" for rule in rules)
    data = yaml.safe_load(f"version: 1\n{section}:\n{text}")
    return parse([Document(Path("p.yaml"), data, {})])


def ago(seconds: float) -> str:
    return timestamp(NOW - timedelta(seconds=seconds))


def book(*starts: tuple[str, Call, float]) -> Counted:
    """Starts as (task id, call, seconds ago)."""
    numbers = Counted()
    for task_id, call, seconds in starts:
        numbers.start(task_id, call, ago(seconds))
    return numbers


def tasks(count: int, call: Call = CALL, *, every: float = 10) -> Counted:
    """The newest was started `every` seconds ago, the others before it."""
    return book(*((f"t{n}", call, every * (count - n + 1)) for n in range(1, count + 1)))


def verdict(
    rule: str, numbers: Counted, call: Call = CALL, *, section: str = "limits"
) -> Allow | Deny:
    return decide(policy(section, f"name: a, {rule}"), numbers, call, NOW)


OTHER = replace(CALL, session="s2")
RESEARCHER = replace(CALL, agent="researcher")
UNREAD = replace(CALL, fingerprint=None)
NESTED = replace(CALL, session="t1", depth=1, tree_id="t1")

# (rule, what is on record, the call, what denies it: None, or (limit, current))
LIMITS: Sequence[tuple[str, Counted, Call, tuple[int, int] | None]] = [
    ("concurrent: 2, per: session", tasks(1), CALL, None),
    ("concurrent: 2, per: session", tasks(2), CALL, (2, 2)),
    ("concurrent: 2, per: session", tasks(3), CALL, (2, 3)),
    ("concurrent: 2, per: session", tasks(2, OTHER), CALL, None),
    ("concurrent: 2, per: supervisor", tasks(2, OTHER), CALL, (2, 2)),
    ("concurrent: 2, per: supervisor", tasks(2, replace(OTHER, supervisor="bob")), CALL, None),
    ("concurrent: 2, per: agent", tasks(2, replace(OTHER, supervisor="bob")), CALL, (2, 2)),
    ("concurrent: 2, per: agent", tasks(2, RESEARCHER), CALL, None),
    ("concurrent: 2, per: upstream", tasks(2, RESEARCHER), CALL, (2, 2)),
    ("concurrent: 2, per: upstream", tasks(2, replace(CALL, upstream="b")), CALL, None),
    ("concurrent: 2, per: global", tasks(2, replace(OTHER, upstream="b")), CALL, (2, 2)),
    ("concurrent: 2, per: global", tasks(1), CALL, None),
    ("concurrent: 2, per: tree", book(("t1", CALL, 9), ("t2", NESTED, 5)), NESTED, (2, 2)),
    ("concurrent: 2, per: tree", book(("t1", CALL, 9), ("t2", NESTED, 5)), CALL, None),  # a root
    ("concurrent: 2, per: task", tasks(9), CALL, None),  # nothing is in there yet
    ("concurrent: 2, per: task", book(("t1", CALL, 9)), UPDATE, None),
    ("concurrent: 2, per: task", book(("t1", CALL, 9), ("t1", UPDATE, 5)), UPDATE, (2, 2)),
    ("concurrent: 1, per: session", book(("t1", CALL, 9)), UPDATE, None),  # starts no task
    ("concurrent: 2, per: session", tasks(2), replace(UPDATE, wakes=True), (2, 2)),
    ("starts: 2, per: session", tasks(2), replace(UPDATE, wakes=True), None),
    ("concurrent: 2, per: session", book(("t1", CALL, 9), ("t1", UPDATE, 5)), CALL, None),
    # A rule counts only what it is about.
    ("concurrent: 2, per: session, match: {agent: coder}", tasks(2, RESEARCHER), CALL, None),
    ("concurrent: 2, per: session, match: {agent: coder}", tasks(2), CALL, (2, 2)),
    ("concurrent: 2, per: session, match: {agent: coder}", tasks(2), RESEARCHER, None),
    ("starts: 2, per: session", tasks(2, every=10**6), CALL, (2, 2)),
    ("starts: 2, per: session, window: 30s", tasks(2, every=10), CALL, (2, 2)),
    ("starts: 2, per: session, window: 30s", tasks(2, every=15), CALL, (2, 2)),  # just in it
    ("starts: 2, per: session, window: 30s", tasks(2, every=16), CALL, None),
    ("starts: 2, per: session, window: 30s", tasks(5, every=10), CALL, (2, 3)),
    ("starts: 2, per: task", book(("t1", CALL, 9), ("t1", UPDATE, 5)), UPDATE, (2, 2)),
    ("duplicates: 1, per: session", tasks(1), CALL, (1, 1)),
    ("duplicates: 2, per: session", tasks(1), CALL, None),
    ("duplicates: 1, per: session", tasks(1), replace(CALL, fingerprint="g"), None),
    ("duplicates: 1, per: session", tasks(1), RESEARCHER, None),
    ("duplicates: 1, per: session", tasks(1), UNREAD, None),
    ("duplicates: 1, per: session", tasks(1, UNREAD), UNREAD, None),
    ("duplicates: 1, per: session", tasks(1, OTHER), CALL, None),
    ("duplicates: 1, per: session, window: 1m", tasks(1, every=61), CALL, None),
    ("depth: 1", Counted(), replace(CALL, depth=1), None),
    ("depth: 1", Counted(), replace(CALL, depth=2), (1, 2)),
    ("depth: 0", Counted(), CALL, None),
    ("depth: 0", Counted(), replace(UPDATE, depth=3), None),  # it is there already
    ("deny: true, match: {agent: coder}", Counted(), CALL, (0, 0)),
    ("deny: true, match: {agent: coder}", Counted(), UPDATE, (0, 0)),
    ("deny: true, match: {agent: coder}", Counted(), RESEARCHER, None),
    ("deny: true, match: {agent: 'c*', depth: '>=1'}", Counted(), CALL, None),
    ("deny: true, match: {session: ['x', 't?']}", Counted(), NESTED, (0, 0)),
]


@pytest.mark.parametrize(("rule", "numbers", "call", "denied"), LIMITS)
def test_a_limit_lets_in_or_not(
    rule: str, numbers: Counted, call: Call, denied: tuple[int, int] | None
) -> None:
    found = verdict(rule, numbers, call)
    if denied is None:
        assert isinstance(found, Allow)
    else:
        assert isinstance(found, Deny)
        assert (found.check.limit, found.check.current) == denied
        assert found.status == 403


def test_every_kind_of_limit_and_every_scope_was_tried_both_ways() -> None:
    for word in [*LimitKind, *(f"per: {scope}" for scope in Scope)]:
        outcomes = {denied is None for rule, _, _, denied in LIMITS if word in rule}
        assert outcomes == {True, False}, word


def test_an_ended_task_frees_its_place_but_stays_started() -> None:
    numbers = tasks(2)
    numbers.runs[0].live = False
    assert isinstance(verdict("concurrent: 2, per: session", numbers), Allow)
    assert isinstance(verdict("starts: 2, per: session", numbers), Deny)


def run(
    *,
    live: bool = False,
    seconds: float = 9,
    micro_usd: int | None = 0,
    tokens: int = 0,
    run_time: int = 0,
) -> Counted:
    """One run of one task."""
    numbers = book(("t1", CALL, seconds))
    numbers.runs[0] = CountedRun(
        call=numbers.runs[0].call,
        at=ago(seconds),
        live=live,
        micro_usd=micro_usd,
        tokens=tokens,
        run_time=run_time,
    )
    return numbers


# (rule, what is on record, the call, what is exhausted: None, or (what, limit, current))
BUDGETS: Sequence[tuple[str, Counted, Call, tuple[str, int, int] | None]] = [
    ("usd: 5, per: session", run(micro_usd=4_999_999), CALL, None),
    ("usd: 5, per: session", run(micro_usd=5_000_000), CALL, ("micro_usd", 5_000_000, 5_000_000)),
    ("usd: 5, per: session", run(micro_usd=9_000_000), CALL, ("micro_usd", 5_000_000, 9_000_000)),
    ("usd: 5, per: session", run(micro_usd=9_000_000), OTHER, None),
    ("usd: 5, per: session", run(micro_usd=9_000_000), UPDATE, ("micro_usd", 5_000_000, 9_000_000)),
    ("usd: 5, per: task", run(micro_usd=9_000_000), CALL, None),
    ("usd: 5, per: task", run(micro_usd=9_000_000), UPDATE, ("micro_usd", 5_000_000, 9_000_000)),
    ("usd: 5, per: session, window: 1m", run(micro_usd=9_000_000, seconds=61), CALL, None),
    ("usd: 5, per: session", run(micro_usd=None), CALL, ("unpriced", 0, 1)),
    ("usd: 5, per: session, on_unpriced: ignore", run(micro_usd=None), CALL, None),
    ("usd: 1, per: session, on_unpriced: assume:0.99", run(micro_usd=None), CALL, None),
    (
        "usd: 1, per: session, on_unpriced: assume:1.00",
        run(micro_usd=None),
        CALL,
        ("micro_usd", 10**6, 10**6),
    ),
    ("tokens: 100, per: session", run(tokens=99), CALL, None),
    ("tokens: 100, per: session", run(tokens=100), CALL, ("tokens", 100, 100)),
    ("tokens: 100, per: session", run(tokens=1, micro_usd=None), CALL, None),
    ("run_time: 1s, per: session", run(run_time=999_999), CALL, None),
    ("run_time: 1s, per: session", run(run_time=10**6), CALL, ("run_time", 10**6, 10**6)),
    ("runs: 2, per: session", run(), CALL, None),
    ("runs: 1, per: session", run(), CALL, ("runs", 1, 1)),
    ("runs: 1, per: task", run(), UPDATE, ("runs", 1, 1)),
    # What a run in flight holds, and what the next one would.
    ("tokens: 100, per: session, reserve: {tokens: 60}", run(live=True), CALL, ("tokens", 100, 60)),
    ("tokens: 100, per: session, reserve: {tokens: 50}", run(live=True), CALL, None),
    (
        "tokens: 100, per: session, reserve: {tokens: 50}",
        run(live=True, tokens=51),
        CALL,
        ("tokens", 100, 51),
    ),
    ("tokens: 100, per: session, reserve: {tokens: 60}", run(tokens=40), CALL, None),
    ("tokens: 100, per: session, reserve: {tokens: 60}", run(tokens=41), CALL, ("tokens", 100, 41)),
]


@pytest.mark.parametrize(("rule", "numbers", "call", "denied"), BUDGETS)
def test_a_budget_lets_in_or_not(
    rule: str, numbers: Counted, call: Call, denied: tuple[str, int, int] | None
) -> None:
    found = verdict(rule, numbers, call, section="budgets")
    if denied is None:
        assert isinstance(found, Allow)
    else:
        assert isinstance(found, Deny)
        assert (found.check.what, found.check.limit, found.check.current) == denied
        assert found.status == 402


def test_a_raised_budget_has_room_again() -> None:
    numbers = run(micro_usd=5_000_000)
    numbers.raised["a", "s"] = Amounts(micro_usd=1)
    assert isinstance(verdict("usd: 5, per: session", numbers, section="budgets"), Allow)
    numbers.runs[0].micro_usd = 5_000_001
    assert isinstance(verdict("usd: 5, per: session", numbers, section="budgets"), Deny)


@pytest.mark.parametrize(
    ("used", "near"), [(3_999_999, False), (4_000_000, True), (4_999_999, True)]
)
def test_a_budget_is_nearly_spent_from_its_soft_threshold_on(used: int, near: bool) -> None:
    found = verdict("usd: 5, per: session, soft_at: 0.8", run(micro_usd=used), section="budgets")
    assert isinstance(found, Allow)
    assert bool(found.near) is near


# Which one is told, and what is observed.


def test_what_is_observed_is_recorded_and_let_pass() -> None:
    found = verdict("concurrent: 1, per: session, mode: observe", tasks(1))
    assert isinstance(found, Allow)
    assert [(check.rule, check.denies, check.enforced) for check in found.checks] == [
        ("a", True, False)
    ]


def test_every_rule_that_concerns_the_call_is_asked_and_recorded() -> None:
    rules = (
        "name: a, depth: 5",
        "name: b, concurrent: 9, per: session",
        "name: c, deny: true, match: {agent: other}",
    )
    found = decide(policy("limits", *rules), tasks(2), CALL, NOW)
    assert [(check.rule, check.current, check.denies) for check in found.checks] == [
        ("a", 0, False),
        ("b", 2, False),
    ]


def test_the_first_rule_that_denies_is_told() -> None:
    rules = ("name: a, concurrent: 1, per: session", "name: b, concurrent: 2, per: supervisor")
    found = decide(policy("limits", *rules), tasks(2), CALL, NOW)
    assert isinstance(found, Deny)
    assert found.check.rule == "a"


def test_where_waiting_does_not_help_that_is_told_first() -> None:
    rules = ("name: a, concurrent: 1, per: session", "name: b, depth: 0")
    found = decide(policy("limits", *rules), tasks(2), replace(CALL, depth=1), NOW)
    assert isinstance(found, Deny)
    assert (found.check.rule, len(found.checks)) == ("b", 2)


@pytest.mark.parametrize(
    ("scope", "scope_id", "stops"),
    [
        (Scope.GLOBAL, EVERYTHING, True),
        (Scope.AGENT, "coder", True),
        (Scope.AGENT, "other", False),
        (Scope.SESSION, "s", True),
        (Scope.SESSION, "other", False),
    ],
)
@pytest.mark.parametrize("call", [CALL, UPDATE], ids=["start", "update"])
def test_a_freeze_stops_every_start_it_is_about(
    scope: Scope, scope_id: str, stops: bool, call: Call
) -> None:
    numbers = Counted(freeze=Freeze(scope=scope, scope_id=scope_id, reason="a fire"))
    found = decide(Policy(), numbers, call, NOW)
    assert isinstance(found, Deny) is stops
    if isinstance(found, Deny):
        assert (found.code, found.status, found.reason) == ("frozen", 403, "a fire")


@pytest.mark.parametrize(
    ("section", "rule", "numbers", "seconds"),
    [
        ("limits", "starts: 2, per: session, window: 30s", tasks(2, every=10), 10),
        ("limits", "starts: 2, per: session, window: 30s", tasks(3, every=5), 20),
        ("limits", "starts: 2, per: session", tasks(2), None),
        ("limits", "concurrent: 2, per: session", tasks(2), None),
        ("limits", "duplicates: 1, per: session, window: 1m", tasks(1), 50),
        ("budgets", "tokens: 100, per: session, window: 1m", run(tokens=100), 51),
        ("budgets", "runs: 1, per: session, window: 1m", run(), 51),
        ("budgets", "tokens: 100, per: session", run(tokens=100), None),
        ("budgets", "usd: 5, per: session, window: 1m", run(micro_usd=None), 51),
        ("budgets", "usd: 5, per: session", run(micro_usd=None), None),
    ],
)
def test_when_waiting_helps_it_is_said_how_long(
    section: str, rule: str, numbers: Counted, seconds: float | None
) -> None:
    the_policy = policy(section, f"name: a, {rule}")
    found = decide(the_policy, numbers, CALL, NOW)
    assert isinstance(found, Deny)
    if seconds is None:
        assert found.retry_after is None
        return
    assert found.retry_after == timedelta(seconds=seconds, microseconds=1)
    just_before = NOW + found.retry_after - timedelta(microseconds=1)
    assert isinstance(decide(the_policy, numbers, CALL, just_before), Deny)
    assert isinstance(decide(the_policy, numbers, CALL, NOW + found.retry_after), Allow)


def test_at_most_five_tasks_are_named() -> None:
    found = verdict("concurrent: 7, per: session", tasks(7))
    assert isinstance(found, Deny)
    assert found.tasks == ("t1", "t2", "t3", "t4", "t5")


def test_only_tasks_of_ones_own_supervisor_and_session_are_named() -> None:  # row 25
    bobs = replace(CALL, supervisor="bob")
    numbers = book(("t1", bobs, 9), ("t2", OTHER, 8), ("t3", CALL, 7))
    found = verdict("concurrent: 3, per: global", numbers)
    assert isinstance(found, Deny)
    assert (found.check.current, found.tasks, found.others) == (3, ("t3",), 2)


def test_a_follow_up_from_elsewhere_makes_no_stranger_of_its_task() -> None:
    found = verdict("concurrent: 1, per: task", tasks(1), replace(UPDATE, session="s2"))
    assert isinstance(found, Deny) and found.others is None


def test_nothing_is_asked_of_what_cannot_be_counted_yet() -> None:
    """A new root task has neither runs nor a tree."""
    found = verdict("concurrent: 1, per: tree", tasks(5))
    assert isinstance(found, Allow)
    assert (found.checks[0].current, found.checks[0].scope_id) == (0, None)


def test_answers_have_all_their_fields_however_they_are_made() -> None:
    rules = ("name: deep, depth: 1", "name: few, concurrent: 3, per: session")
    found = decide(policy("limits", *rules), tasks(2), CALL, NOW)
    assert isinstance(found, Allow)
    assert {len(answer) for answer in found.answers} == {len(Answer._fields)}


def test_what_was_asked_is_told_in_a_line_each() -> None:
    rules = ("name: few, concurrent: 3, per: session", "name: deep, depth: 1")
    found = decide(policy("limits", *rules), tasks(2), CALL, NOW)
    assert isinstance(found, Allow)
    assert admitted(found) == "few concurrent 2/3\ndeep depth 0/1"


def test_what_was_added_to_a_budget_is_told_with_it() -> None:
    numbers = tasks(2)
    numbers.raised["a", "s"] = Amounts(runs=5)
    found = verdict("runs: 1, tokens: 9, per: session", numbers, section="budgets")
    assert isinstance(found, Allow)
    assert admitted(found) == "a tokens 0/9\na runs 2/6"


def test_where_nothing_was_asked_there_is_nothing_to_tell() -> None:
    found = decide(Policy(), Counted(), CALL, NOW)
    assert isinstance(found, Allow) and admitted(found) is None
