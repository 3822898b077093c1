"""What a supervisor's model is told when a budget refuses its start."""

from dataclasses import replace

import pytest
from tests.support.counting import Counted
from tests.unit.core.denials import AGAIN, HOPELESS, denied
from tests.unit.core.test_decide import CALL, OTHER, UPDATE, book, run, tasks

from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.refusal import Refused, refusal

BUDGET_TEXTS = [
    (
        "usd: 5, per: session",
        run(micro_usd=5_020_001, live=True),
        CALL,
        f"the budget in this session is spent: 5.020001 of 5.00 USD. {HOPELESS[:-1]}. "
        "Unfinished: t1.",
    ),
    (
        "runs: 3, per: supervisor",
        book(("t1", OTHER, 9), ("t2", CALL, 8), ("t3", OTHER, 7)),
        CALL,
        f"the budget for this supervisor is spent: 3 of 3 runs. {HOPELESS[:-1]}. Unfinished: t2, "
        "and 2 not yours.",
    ),
    (
        "usd: 5, per: session, reserve: {usd: 0.5}",
        run(micro_usd=4_820_000),
        CALL,
        "the budget in this session is nearly spent: 4.82 of 5.00 USD, and a run needs 0.50 of it. "
        f"{HOPELESS}",
    ),
    (
        "usd: 5, per: supervisor, window: 1h",
        run(micro_usd=5_020_000),
        CALL,
        "the budget for this supervisor within 1h is spent: 5.02 of 5.00 USD. Try again in 60 "
        "minutes at the earliest; until then go on with the results you have, or do the work "
        "yourself.",
    ),
    (
        "usd: 5, per: session",
        run(micro_usd=None),
        CALL,
        "what was spent in this session cannot be known, for 1 run used a model without a price. "
        "Waiting does not help: an operator has to give the model a price. Tell the user.",
    ),
    (
        "usd: 5, per: session, window: 1m",
        run(micro_usd=None),
        CALL,
        "what was spent in this session within 1m cannot be known, for 1 run used a model without "
        "a price. Try again in 52 seconds at the earliest; until then go on with the results you "
        "have, or do the work yourself.",
    ),
    (
        "tokens: 5_000, per: tree",
        run(tokens=6_000),
        UPDATE,
        f"the budget in this tree of tasks is spent: 6,000 of 5,000 tokens. {HOPELESS}",
    ),
    (
        "run_time: 2h, per: agent",
        run(run_time=7_200_000_001),
        CALL,
        f"the budget of this agent is spent: 7,201 of 7,200 seconds of run time. {HOPELESS}",
    ),
    (
        "runs: 1, per: task",
        run(),
        UPDATE,
        f"the budget of this task is spent: 1 of 1 runs. {HOPELESS}",
    ),
]
HELD = "usd: 1, per: session, reserve: {usd: 0.4}"
FREE_AGAIN = "what it does not use is free again then; or do the work yourself."


def held(*, spent: int, ended: int = 0, runs: int = 2, call: Call = CALL) -> Counted:
    """So many runs, of which the oldest `ended` are over and what they used is not read yet."""
    numbers = tasks(runs, call)
    for number, one in enumerate(numbers.runs):
        one.micro_usd, one.live, one.settled = spent, number >= ended, False
    return numbers


HELD_TEXTS = [
    (
        HELD,
        held(spent=100_000),
        "the budget in this session has no room at the moment: 0.20 of 1.00 USD spent, 0.60 kept "
        "in reserve by 2 runs in flight, and a run needs 0.40. Wait for one of them to finish, or "
        f"cancel one that is not needed any more (t1, t2): {FREE_AGAIN}",
        None,
    ),
    (
        HELD + ", window: 1h",
        held(spent=100_000, ended=1),
        "the budget in this session within 1h has no room at the moment: 0.20 of 1.00 USD spent, "
        "0.60 kept in reserve by 2 runs in flight or just ended, and a run needs 0.40. Wait for "
        "one of them to finish, or cancel one that is not needed any more (t2): "
        f"{FREE_AGAIN} Else try again in 60 minutes.",
        3_581,  # the older of them, begun 20 s ago, leaves the window with what it holds
    ),
    (
        HELD,
        held(spent=0, ended=2),
        "the budget in this session has no room at the moment: 0.00 of 1.00 USD spent, 0.80 kept "
        "in reserve by 2 runs that have ended, until it is known what they used, and a run needs "
        "0.40. Try again in 2 seconds at the earliest; if it is refused once more, go on with the "
        "results you have, do the rest yourself, or tell the user.",
        2,
    ),
    (
        "tokens: 50, per: global, reserve: {tokens: 30}",
        held(spent=0, runs=1, call=replace(CALL, supervisor="bob")),
        "the budget of all callers together has no room at the moment: 0 of 50 tokens spent, 30 "
        "kept in reserve by 1 run in flight, and a run needs 30. Wait until some of them have "
        f"finished: {FREE_AGAIN}",
        None,
    ),
    (  # what is spent alone leaves no room for another
        HELD,
        held(spent=350_000),
        f"the budget in this session is nearly spent: 0.70 of 1.00 USD, and a run needs 0.40 of "
        f"it. {HOPELESS[:-1]}. Unfinished: t1, t2.",
        None,
    ),
]


@pytest.mark.parametrize(("rule", "numbers", "text", "after"), HELD_TEXTS)
def test_what_is_only_kept_in_reserve_is_not_called_spent(
    rule: str, numbers: Counted, text: str, after: int | None
) -> None:
    deny = denied("budgets", rule, numbers)
    assert refusal(deny) == f"Not started: {text} {AGAIN}"
    assert Refused(deny).retry_after_s == after


@pytest.mark.parametrize(("rule", "numbers", "call", "text"), BUDGET_TEXTS)
def test_a_budget_says_what_was_spent_of_how_much(
    rule: str, numbers: Counted, call: Call, text: str
) -> None:
    assert refusal(denied("budgets", rule, numbers, call)) == f"Not started: {text} {AGAIN}"
