"""What is said of a budget that has no room: what is spent, and what is only held.

What runs in flight keep in reserve is given back at their end, so that waiting helps; what is spent
stays spent. A model that is told the one for the other gives up too early, or waits for ever.
"""

from .policy import Budget
from .refusal_words import WHERE, number, within
from .verdict import Batch, Check, Held

_UNITS = {
    "micro_usd": "USD",
    "tokens": "tokens",
    "run_time": "seconds of run time",
    "runs": "runs",
}


def no_room(check: Check, budget: Budget, batch: Batch | None = None) -> str:
    """`the budget in this session is spent: 5.02 of 5.00 USD`."""
    budget_here = f"the budget {WHERE[budget.per]}{within(budget.window)}"
    if check.what == "unpriced":
        where = f"{WHERE[budget.per]}{within(budget.window)}"
        runs = "1 run" if check.current == 1 else f"{check.current} runs"
        return f"what was spent {where} cannot be known, for {runs} used a model without a price"
    if batch is not None and batch.counted:
        return f"{budget_here} has room for {_some(batch)}: {_apart(check, budget, batch)}"
    if check.held_back:
        return f"{budget_here} has no room at the moment: {_apart(check, budget)}"
    unit = _UNITS[check.what]
    used = f"{number(check.what, check.spent)} of {number(check.what, check.limit)} {unit}"
    if check.spent >= check.limit:
        return f"{budget_here} is spent: {used}"
    wanted = number(check.what, check.wants)
    return f"{budget_here} is nearly spent: {used}, and a run needs {wanted} of it"


def _some(batch: Batch) -> str:
    return f"no more than {batch.counted} of the {batch.size} runs of this batch"


def _apart(check: Check, budget: Budget, batch: Batch | None = None) -> str:
    """`3.90 of 5.00 USD spent, 1.00 kept in reserve by 2 runs in flight, and a run needs 0.50`."""
    what, held, spent = check.what, check.held, check.spent
    if batch is not None:
        # Those before it in the batch are in the numbers, and not there any more.
        own = batch.counted
        if what == "runs":
            return f"{spent - own} of {check.limit} {_UNITS[what]} used"
        kept = budget.reserve.amounts.get(what, 0)
        held = Held(held.amount - kept * own, held.runs - own, held.live - own)
    said = [f"{number(what, spent)} of {number(what, check.limit)} {_UNITS[what]} spent"]
    if held.amount > 0:
        said.append(f"{number(what, held.amount)} kept in reserve by {_holders(held)}")
    needs = f"{'each' if batch else 'a'} run needs {number(what, check.wants)}"
    return f"{', '.join(said)}, and {needs}"


def _holders(held: Held) -> str:
    runs = "1 run" if held.runs == 1 else f"{held.runs} runs"
    if held.live == held.runs:
        return f"{runs} in flight"
    if held.live:
        return f"{runs} in flight or just ended"
    ended, it = ("has", "it") if held.runs == 1 else ("have", "they")
    return f"{runs} that {ended} ended, until it is known what {it} used"
