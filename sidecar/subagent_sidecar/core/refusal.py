"""What the refused model reads: one paragraph, with which it can go on.

Which limit, its value, what is in use, and what to do instead. A model that learns only "403"
starts the same task again; one that learns "5 of 5, wait for one of these" does not.
"""

from collections.abc import Sequence
from math import ceil

from ..errors import SidecarError
from .budget_words import no_room
from .changes import StartRefused
from .matching import ANYTHING, Glob, Match, Scope
from .policy import Budget, Limit, LimitKind
from .refusal_words import WHERE, about, within
from .verdict import KEY, Batch, Check, Deny

_GLOBS = 3
_GOING_ON = "go on with the results you have, do the rest yourself, or tell the user"
_ENOUGH = f"Waiting does not help: {_GOING_ON}"
_AT_LARGE = "Cancelled, but not stopped by its server yet, so counted and not to be waited for"
_NOT_AGAIN = f"Do not start it again: {_GOING_ON}"


class Refused(SidecarError):
    """The policy refuses a start. `message` is for the model whose call it was, `record` for the
    books: whoever asked sees to it that it gets there."""

    def __init__(self, deny: Deny, record: StartRefused | None = None) -> None:
        after = deny.retry_after
        super().__init__(
            refusal(deny), retry_after_s=None if after is None else ceil(after.total_seconds())
        )
        self.deny = deny
        self.record = record
        self.code = deny.code
        self.status = deny.status


def refusal(deny: Deny) -> str:
    """The paragraph. Nothing in it was written by anybody but us and the operator."""
    batch = deny.batch
    whole = f", nor any other of the {batch.size} runs of this batch" if batch else ""
    said = [f"Not started{whole}: {_cause(deny)}.", f"{_advice(deny)}."]
    if deny.at_large:
        said.append(f"{_AT_LARGE}: {', '.join(deny.at_large)}.")
    message = deny.rule.message if deny.rule is not None else None
    if message:
        said.append(_sentence(message))
    said.append(f"({_source(deny.check)})")
    return " ".join(said)


def cut_short(check: Check, budget: Budget) -> str:
    """What the model reads of a task that was ended because its budget is spent."""
    said = [f"Cancelled before its end: {no_room(check, budget)}. {_NOT_AGAIN}."]
    if budget.message:
        said.append(_sentence(budget.message))
    said.append(f"(rule {check.rule} of policy {check.policy}; it refuses new starts as well)")
    return " ".join(said)


def _sentence(text: str) -> str:
    return text if text.endswith((".", "!", "?")) else f"{text}."


def _source(check: Check) -> str:
    if check.what == KEY:
        return "the key of this supervisor; the same call would be refused again"
    if check.what == "frozen":
        return "an operator's freeze; the same call is refused until it is lifted"
    return f"rule {check.rule} of policy {check.policy}; the same call now would be refused again"


def _cause(deny: Deny) -> str:
    check, rule = deny.check, deny.rule
    if isinstance(rule, Budget):
        return no_room(check, rule, deny.batch)
    if check.what == KEY:
        return f"you may start {deny.reason} here, and no other agent"
    if rule is None:
        why = f": {' '.join(deny.reason.split()).rstrip('.')}" if deny.reason else ""
        return f"an operator has frozen {_frozen(check)}{why}"
    things, lately = _things(rule), within(rule.window)
    own = deny.batch.counted if deny.batch is not None else 0
    there = check.current - own
    match rule.kind:
        case LimitKind.CONCURRENT:
            many = "1 is" if there == 1 else f"{there} are"
            whose = _of_others(deny, there)
            room = _room(deny.batch)
            return f"at most {things} may be unfinished at a time, and {many}{whose}{room}"
        case LimitKind.STARTS:
            many = "1 was" if there == 1 else f"{there} were"
            return f"at most {things} may be started{lately}, and {many}{_room(deny.batch)}"
        case LimitKind.DUPLICATES if own:
            return (
                "this batch gives the same agent the same instruction more than once, and at most "
                f"{things} may be like that{lately}"
            )
        case LimitKind.DUPLICATES:
            given = "once" if check.current == 1 else f"{check.current} times"
            if deny.others == check.current:
                given += " by others"
            return (
                f"the same agent was given the same instruction {given} already{lately}, and at "
                f"most {things} may be like that"
            )
        case LimitKind.DEPTH:
            return f"this task would be at depth {check.current}, and {rule.most} is the deepest"
        case LimitKind.DENY:
            return f"no task{_whom(rule.match)} may be started"


def _whom(match: Match) -> str:
    """` of agent coder at depth >=1`: in the rule's own words, for names that callers give stay
    out of what a model reads."""
    said = (
        (" of agent", match.agent),
        (" on agent server", match.upstream),
        (" for supervisor", match.supervisor),
        (" in session", match.session),
    )
    words = [f"{word} {_either(globs)}" for word, globs in said if _tells(globs)]
    depth = "" if match.depth is None else f" at depth {match.depth}"
    return "".join(words) + depth


def _tells(globs: Sequence[Glob]) -> bool:
    return bool(globs) and all(glob.text != "*" for glob in globs)


def _either(globs: Sequence[Glob]) -> str:
    shown = [glob.text for glob in globs[:_GLOBS]]
    return " or ".join(shown if len(shown) == len(globs) else [*shown, "the like"])


def _of_others(deny: Deny, there: int) -> str:
    """A scope may be wider than what the caller knows of: `, 3 of them not yours`."""
    if not deny.others:
        return ""
    if deny.others >= there:
        return ", not yours" if deny.others == 1 else ", none of them yours"
    return f", {deny.others} of them not yours"


def _things(rule: Limit) -> str:
    """`2 tasks of this kind in this session`."""
    noun = "run" if rule.per is Scope.TASK else "task"
    kind = "" if rule.match == ANYTHING else " of this kind"
    where = "" if rule.per is None else f" {WHERE[rule.per]}"
    return f"{rule.most} {noun}{'' if rule.most == 1 else 's'}{kind}{where}"


def _room(batch: Batch | None) -> str:
    """What a limit leaves of a batch."""
    if batch is None or not batch.counted:
        return ""
    return f", which leaves room for no more than {batch.counted} of the batch"


def _frozen(check: Check) -> str:
    match check.scope:
        case Scope.AGENT:
            return f"the agent {check.scope_id}"
        case Scope.SESSION:
            return "this session"
        case _:
            return "all starts"


def _advice(deny: Deny) -> str:
    check = deny.check
    ids = ", ".join(deny.tasks)
    later = f"Try again in {about(deny.retry_after)} at the earliest" if deny.retry_after else ""
    match check.what:
        case LimitKind.DUPLICATES if deny.batch is not None and deny.batch.counted:
            return "Leave out what is in it twice, and start it again"
        case _ if deny.batch is not None and deny.batch.counted:
            return f"Start at most {deny.batch.counted} of them together, or do the work yourself"
        case _ if check.held_back:
            return _until_given_back(deny, later, ids)
        case LimitKind.CONCURRENT if check.scope is Scope.TASK:
            return "Wait until its run has finished, then send the update"
        case LimitKind.CONCURRENT if ids:
            return (
                f"Wait for one of {_them(deny)} to finish, or cancel one that is not needed any "
                f"more ({ids}), or do the work yourself"
            )
        case LimitKind.CONCURRENT:
            return "Wait until some of them have finished, or do the work yourself"
        case LimitKind.DUPLICATES if ids:
            return f"Check what is there instead of starting it again: {ids}"
        case LimitKind.DEPTH | LimitKind.DENY | "key":
            return "Waiting does not help: do the work yourself, or tell the user"
        case "unpriced" if not later:
            return "Waiting does not help: an operator has to give the model a price. Tell the user"
        case _:
            return _going_on(deny, later, ids)


def _them(deny: Deny) -> str:
    return "yours" if deny.others else "them"


def _until_given_back(deny: Deny, later: str, ids: str) -> str:
    """What to do where runs keep in reserve what they may not need."""
    if not deny.check.held.live:
        return f"{later}; if it is refused once more, {_GOING_ON}"
    wait = "Wait until some of them have finished"
    if ids:
        one = f"Wait for one of {_them(deny)} to finish"
        wait = f"{one}, or cancel one that is not needed any more ({ids})"
    otherwise = f". Else try again in {about(deny.retry_after)}" if deny.retry_after else ""
    return f"{wait}: what it does not use is free again then; or do the work yourself{otherwise}"


def _going_on(deny: Deny, later: str, ids: str) -> str:
    live = f". Unfinished: {ids}" if ids and isinstance(deny.rule, Budget) else ""
    if live and deny.others:
        live += f", and {deny.others} not yours"
    if later:
        return f"{later}; until then go on with the results you have, or do the work yourself{live}"
    if deny.check.what == "frozen":
        return "Do not try again by yourself: go on with the results you have, and tell the user"
    return f"{_ENOUGH}{live}"
