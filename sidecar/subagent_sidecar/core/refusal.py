"""What the refused model reads: one paragraph, with which it can go on.

Which limit, its value, what is in use, and what to do instead. A model that learns only "403"
starts the same task again; one that learns "5 of 5, wait for one of these" does not.
"""

from datetime import timedelta
from math import ceil

from ..errors import SidecarError
from .matching import ANYTHING, Scope
from .policy import Budget, Limit, LimitKind
from .prices import usd_text
from .units import duration_text
from .verdict import Check, Deny

_WHERE = {
    Scope.TASK: "of this task",
    Scope.SESSION: "in this session",
    Scope.SUPERVISOR: "for this supervisor",
    Scope.AGENT: "of this agent",
    Scope.UPSTREAM: "on this agent server",
    Scope.TREE: "in this tree of tasks",
    Scope.GLOBAL: "of all callers together",
}
_UNITS = {
    "micro_usd": "USD",
    "tokens": "tokens",
    "run_time": "seconds of run time",
    "runs": "runs",
}
_ENOUGH = (
    "Waiting does not help: go on with the results you have, do the rest yourself, or tell the user"
)
_NOT_AGAIN = (
    "Do not start it again: go on with the results you have, do the rest yourself, or tell the user"
)


class Refused(SidecarError):
    """The policy refuses a start. `message` is for the model whose call it was."""

    def __init__(self, deny: Deny) -> None:
        after = deny.retry_after
        super().__init__(
            refusal(deny), retry_after_s=None if after is None else ceil(after.total_seconds())
        )
        self.deny = deny
        self.code = deny.code
        self.status = deny.status


def refusal(deny: Deny) -> str:
    """The paragraph. Nothing in it was written by anybody but us and the operator."""
    said = [f"Not started: {_cause(deny)}.", f"{_advice(deny)}."]
    message = deny.rule.message if deny.rule is not None else None
    if message:
        said.append(_sentence(message))
    said.append(f"({_source(deny.check)})")
    return " ".join(said)


def cut_short(check: Check, budget: Budget) -> str:
    """What the model reads of a task that was ended because its budget is spent."""
    said = [f"Cancelled before its end: {_spent(check, budget)}. {_NOT_AGAIN}."]
    if budget.message:
        said.append(_sentence(budget.message))
    said.append(f"(rule {check.rule} of policy {check.policy}; it refuses new starts as well)")
    return " ".join(said)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _source(check: Check) -> str:
    if check.what == "frozen":
        return "an operator's freeze; the same call is refused until it is lifted"
    return f"rule {check.rule} of policy {check.policy}; the same call now would be refused again"


def _cause(deny: Deny) -> str:
    check, rule = deny.check, deny.rule
    if isinstance(rule, Budget):
        return _spent(check, rule)
    if rule is None:
        why = f": {' '.join(deny.reason.split()).rstrip('.')}" if deny.reason else ""
        return f"an operator has frozen {_frozen(check)}{why}"
    things, within = _things(rule), _within(rule.window)
    match rule.kind:
        case LimitKind.CONCURRENT:
            many = "1 is" if check.current == 1 else f"{check.current} are"
            return f"at most {things} may be unfinished at a time, and {many}"
        case LimitKind.STARTS:
            many = "1 was" if check.current == 1 else f"{check.current} were"
            return f"at most {things} may be started{within}, and {many}"
        case LimitKind.DUPLICATES:
            given = "once" if check.current == 1 else f"{check.current} times"
            return (
                f"the same agent was given the same instruction {given} already{within}, and at "
                f"most {things} may be like that"
            )
        case LimitKind.DEPTH:
            return f"this task would be at depth {check.current}, and {rule.most} is the deepest"
        case LimitKind.DENY:
            return "a task of this agent may not be started here"


def _things(rule: Limit) -> str:
    """`2 tasks of this kind in this session`."""
    noun = "run" if rule.per is Scope.TASK else "task"
    kind = "" if rule.match == ANYTHING else " of this kind"
    where = "" if rule.per is None else f" {_WHERE[rule.per]}"
    return f"{rule.most} {noun}{'' if rule.most == 1 else 's'}{kind}{where}"


def _frozen(check: Check) -> str:
    match check.scope:
        case Scope.AGENT:
            return "this agent"
        case Scope.SESSION:
            return "this session"
        case _:
            return "all starts"


def _within(window: timedelta | None) -> str:
    return f" within {duration_text(window)}" if window else ""


def _spent(check: Check, budget: Budget) -> str:
    where = f"{_WHERE[budget.per]}{_within(budget.window)}"
    if check.what == "unpriced":
        runs = "1 run" if check.current == 1 else f"{check.current} runs"
        return f"what was spent {where} cannot be known, for {runs} used a model without a price"
    used = f"{_number(check.what, check.current)} of {_number(check.what, check.limit)}"
    unit = _UNITS[check.what]
    if check.current >= check.limit:
        return f"the budget {where} is spent: {used} {unit}"
    wanted = _number(check.what, check.wants)
    return f"the budget {where} is nearly spent: {used} {unit}, and a run needs {wanted} of it"


def _number(what: str, value: int) -> str:
    match what:
        case "micro_usd":
            return _cents(value)
        case "run_time":
            return f"{ceil(value / 1_000_000):,}"
        case _:
            return f"{value:,}"


def _cents(micro: int) -> str:
    """At least the cents; what is exact beyond them."""
    whole, _, rest = usd_text(micro).partition(".")
    return f"{whole}.{rest[:2]}{rest[2:].rstrip('0')}"


def _advice(deny: Deny) -> str:
    check = deny.check
    ids = ", ".join(deny.tasks)
    later = f"Try again in {_about(deny.retry_after)} at the earliest" if deny.retry_after else ""
    match check.what:
        case LimitKind.CONCURRENT if check.scope is Scope.TASK:
            return "Wait until its run has finished, then send the update"
        case LimitKind.CONCURRENT if ids:
            return (
                "Wait for one of them to finish, or cancel one that is not needed any more "
                f"({ids}), or do the work yourself"
            )
        case LimitKind.CONCURRENT:
            return "Wait until some of them have finished, or do the work yourself"
        case LimitKind.DUPLICATES if ids:
            return f"Check what is there instead of starting it again: {ids}"
        case LimitKind.DEPTH | LimitKind.DENY:
            return "Waiting does not help: do the work yourself, or tell the user"
        case "unpriced" if not later:
            return "Waiting does not help: an operator has to give the model a price. Tell the user"
        case _:
            return _going_on(deny, later, ids)


def _going_on(deny: Deny, later: str, ids: str) -> str:
    live = f". Unfinished: {ids}" if ids and isinstance(deny.rule, Budget) else ""
    if later:
        return f"{later}; until then go on with the results you have, or do the work yourself{live}"
    if deny.check.what == "frozen":
        return "Do not try again by yourself: go on with the results you have, and tell the user"
    return f"{_ENOUGH}{live}"


def _about(span: timedelta) -> str:
    """In a unit that fits, rounded up."""
    seconds = span.total_seconds()
    for unit, size in (("days", 86_400), ("hours", 3_600), ("minutes", 60)):
        if seconds > 2 * size:
            return f"{ceil(seconds / size)} {unit}"
    return f"{ceil(seconds)} seconds"
