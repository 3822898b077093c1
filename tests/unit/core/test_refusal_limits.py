"""What a supervisor's model is told when a limit or a freeze refuses its start."""

from dataclasses import replace

import pytest
from tests.support.counting import Counted
from tests.unit.core.denials import AGAIN, HOPELESS, denied
from tests.unit.core.test_decide import (
    BUDGETS,
    CALL,
    LIMITS,
    NESTED,
    NOW,
    OTHER,
    UPDATE,
    book,
    run,
    tasks,
)

from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.matching import Call, Scope
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import refusal
from subagent_sidecar.core.verdict import Batch, Deny, Freeze

LIMIT_TEXTS = [
    (
        "concurrent: 2, per: session",
        tasks(2),
        CALL,
        "at most 2 tasks in this session may be unfinished at a time, and 2 are. Wait for one of "
        "them to finish, or cancel one that is not needed any more (t1, t2), or do the work "
        "yourself.",
    ),
    (
        "concurrent: 7, per: global, match: {agent: c*}, message: Use the wiki",
        tasks(7),
        CALL,
        "at most 7 tasks of this kind of all callers together may be unfinished at a time, and 7 "
        "are. Wait for one of them to finish, or cancel one that is not needed any more (t1, t2, "
        "t3, t4, t5), or do the work yourself. Use the wiki.",
    ),
    (
        "concurrent: 1, per: agent",
        tasks(1, replace(CALL, supervisor="bob")),
        CALL,
        "at most 1 task of this agent may be unfinished at a time, and 1 is, not yours. Wait until "
        "some of them have finished, or do the work yourself.",
    ),
    (
        "concurrent: 2, per: global",
        tasks(2, OTHER),
        CALL,
        "at most 2 tasks of all callers together may be unfinished at a time, and 2 are, none of "
        "them yours. Wait until some of them have finished, or do the work yourself.",
    ),
    (
        "concurrent: 3, per: supervisor",
        book(("t1", OTHER, 9), ("t2", CALL, 8), ("t3", OTHER, 7)),
        CALL,
        "at most 3 tasks for this supervisor may be unfinished at a time, and 3 are, 2 of them not "
        "yours. Wait for one of yours to finish, or cancel one that is not needed any more (t2), "
        "or do the work yourself.",
    ),
    (
        "concurrent: 1, per: task",
        tasks(1),
        UPDATE,
        "at most 1 run of this task may be unfinished at a time, and 1 is. Wait until its run has "
        "finished, then send the update.",
    ),
    (
        "starts: 2, per: supervisor",
        tasks(2),
        CALL,
        f"at most 2 tasks for this supervisor may be started, and 2 were. {HOPELESS}",
    ),
    (
        "starts: 2, per: upstream, window: 30s",
        tasks(2),
        CALL,
        "at most 2 tasks on this agent server may be started within 30s, and 2 were. Try again in "
        "11 seconds at the earliest; until then go on with the results you have, or do the work "
        "yourself.",
    ),
    (
        "starts: 2, per: session, window: 1d",
        tasks(2, every=3600),
        CALL,
        "at most 2 tasks in this session may be started within 1d, and 2 were. Try again in 23 "
        "hours at the earliest; until then go on with the results you have, or do the work "
        "yourself.",
    ),
    (
        "duplicates: 1, per: session, window: 10m",
        tasks(1),
        CALL,
        "the same agent was given the same instruction once already within 10m, and at most 1 task "
        "in this session may be like that. Check what is there instead of starting it again: t1.",
    ),
    (
        "depth: 0",
        tasks(1),
        NESTED,
        "this task would be at depth 1, and 0 is the deepest. Waiting does not help: do the work "
        "yourself, or tell the user.",
    ),
    (
        "deny: true, match: {agent: coder}, message: Do the coding yourself.",
        tasks(1),
        CALL,
        "no task of agent coder may be started. Waiting does not help: do the work yourself, or "
        "tell the user. Do the coding yourself.",
    ),
    (
        "deny: true, match: {agent: [a, b, c*, d, e], session: s, depth: '<2'}",
        tasks(1),
        CALL,
        "no task of agent a or b or c* or the like in session s at depth <2 may be started. "
        "Waiting does not help: do the work yourself, or tell the user.",
    ),
    (
        'deny: true, match: {agent: "*"}',
        tasks(1),
        CALL,
        "no task may be started. Waiting does not help: do the work yourself, or tell the user.",
    ),
    (
        "duplicates: 1, per: global",
        tasks(1, OTHER),
        CALL,
        "the same agent was given the same instruction once by others already, and at most 1 task "
        f"of all callers together may be like that. {HOPELESS}",
    ),
]


@pytest.mark.parametrize(("rule", "numbers", "call", "text"), LIMIT_TEXTS)
def test_a_limit_says_its_value_what_is_in_use_and_what_to_do(
    rule: str, numbers: Counted, call: Call, text: str
) -> None:
    assert refusal(denied("limits", rule, numbers, call)) == f"Not started: {text} {AGAIN}"


BATCH = "Not started, nor any other of the 3 runs of this batch: "
BATCH_TEXTS = [
    (
        "budgets",
        "usd: 1, per: session, reserve: {usd: 0.4}",
        Batch(size=3, counted=1),
        "the budget in this session has room for no more than 1 of the 3 runs of this batch: 0.20 "
        "of 1.00 USD spent, 0.30 kept in reserve by 1 run in flight, and each run needs 0.40. "
        "Start at most 1 of them together, or do the work yourself.",
    ),
    (
        "budgets",
        "runs: 2, per: session",
        Batch(size=3, counted=2),
        "the budget in this session has room for no more than 2 of the 3 runs of this batch: 0 of "
        "2 runs used. Start at most 2 of them together, or do the work yourself.",
    ),
    (
        "limits",
        "starts: 2, per: session",
        Batch(size=3, counted=1),
        "at most 2 tasks in this session may be started, and 1 was, which leaves room for no more "
        "than 1 of the batch. Start at most 1 of them together, or do the work yourself.",
    ),
    (
        "limits",
        "concurrent: 2, per: session",
        Batch(size=3, counted=2),
        "at most 2 tasks in this session may be unfinished at a time, and 0 are, which leaves room "
        "for no more than 2 of the batch. Start at most 2 of them together, or do the work "
        "yourself.",
    ),
    (
        "limits",
        "duplicates: 1, per: session",
        Batch(size=3, counted=1),
        "this batch gives the same agent the same instruction more than once, and at most 1 task "
        "in this session may be like that. Leave out what is in it twice, and start it again.",
    ),
    (
        "limits",
        "deny: true, match: {agent: coder}",
        Batch(size=3),
        "no task of agent coder may be started. Waiting does not help: do the work "
        "yourself, or tell the user.",
    ),
]


@pytest.mark.parametrize(("section", "rule", "batch", "text"), BATCH_TEXTS)
def test_a_batch_is_not_told_that_its_own_runs_are_in_its_way(
    section: str, rule: str, batch: Batch, text: str
) -> None:
    numbers = tasks(2)  # the second of them is the first of the batch
    numbers.runs[0].micro_usd = 100_000
    if "usd" in rule:
        numbers.runs.append(replace(numbers.runs[0], settled=True))
    deny = replace(denied(section, rule, numbers), batch=batch)
    assert refusal(deny) == f"{BATCH}{text} {AGAIN}"


@pytest.mark.parametrize(
    ("freeze", "text"),
    [
        (Freeze(scope=Scope.GLOBAL, scope_id="*"), "an operator has frozen all starts"),
        (
            Freeze(scope=Scope.AGENT, scope_id="coder", reason="a fire."),
            "an operator has frozen the agent coder: a fire",
        ),
        (
            Freeze(scope=Scope.SESSION, scope_id="s", reason=" a\nfire "),
            "an operator has frozen this session: a fire",
        ),
    ],
)
def test_a_freeze_says_who_and_why(freeze: Freeze, text: str) -> None:
    found = decide(Policy(), Counted(freeze=freeze), CALL, NOW)
    assert isinstance(found, Deny)
    assert refusal(found) == (
        f"Not started: {text}. Do not try again by yourself: go on with the results you have, and "
        "tell the user. (an operator's freeze; the same call is refused until it is lifted)"
    )


def test_what_is_cancelled_and_goes_on_stands_apart() -> None:
    deny = denied("limits", "concurrent: 2, per: session", tasks(2))
    assert refusal(replace(deny, tasks=("t1",), at_large=("t2",))) == (
        "Not started: at most 2 tasks in this session may be unfinished at a time, and 2 are. Wait "
        "for one of them to finish, or cancel one that is not needed any more (t1), or do the work "
        "yourself. Cancelled, but not stopped by its server yet, so counted and not to be waited "
        f"for: t2. {AGAIN}"
    )
    assert "Wait until some of them have finished" in refusal(
        replace(deny, tasks=(), at_large=("t1", "t2"))
    )


CODES = {
    "concurrent: 2, per: session": "limit_concurrent",
    "starts: 2, per: session": "limit_starts",
    "duplicates: 1, per: session": "limit_duplicates",
    "depth: 1": "limit_depth",
    "deny: true, match: {agent: coder}": "denied",
    "usd: 5, per: session": "budget_usd",
    "tokens: 100, per: session": "budget_tokens",
    "run_time: 1s, per: session": "budget_run_time",
    "runs: 1, per: session": "budget_runs",
}
DENIED = [("limits", *row[:3]) for row in LIMITS if row[3]]
DENIED += [("budgets", *row[:3]) for row in BUDGETS if row[3] and row[3][0] != "unpriced"]


@pytest.mark.parametrize(("section", "rule", "numbers", "call"), DENIED)
def test_every_refusal_is_one_paragraph_that_names_its_rule(
    section: str, rule: str, numbers: Counted, call: Call
) -> None:
    found = denied(section, rule, numbers, call)
    text = refusal(found)
    assert text.isprintable() and "  " not in text and len(text) < 500
    assert text.endswith(AGAIN)
    assert found.code == CODES.get(rule, found.code)


def test_every_code_was_seen() -> None:
    assert CODES.keys() <= {rule for _, rule, _, _ in DENIED}
    unpriced = denied("budgets", "usd: 5, per: session", run(micro_usd=None))
    assert unpriced.code == "budget_unpriced"
