"""What to do next about a run that is to be cancelled. A 2xx to a cancel proves nothing.

The caller reads the run, hands in what it saw and what was tried, and does as it is told:

| the server shows                    | tried      | next                                     |
|-------------------------------------|------------|------------------------------------------|
| success, error, timeout             | anything   | TooLate: that is the real end            |
| no such run                         | a rollback | Confirmed: it was rolled back            |
| no such run, for the first time     | no rollback| Look again: a 404 may be a passing one   |
| no such run, some seconds later too | no rollback| Confirmed: it was deleted                |
| neither the run nor its thread, too | no rollback| Lost: nothing is known, nothing to ask   |
| interrupted                         | anything   | Confirmed                                |
| interrupted, its thread still busy  | as for one that is active: the word is not the deed    |
| active                              | nothing    | Ask                                      |
| active, asked less than a while ago | something  | Look again a little later                |
| active, asked longer ago            | some       | Ask once more, then roll back            |
| active, asked longer ago            | everything | GiveUp for now: unconfirmed, later anew  |

What answers 404 to everything may be a gateway that has lost its server: a run that is missing
with its thread is believed to be so at once only by a server that answers something else.

"Still busy" means that the thread is busy although none of its runs is pending or running: some
servers write `interrupted` into the run at once and let the graph run on. A thread stays busy for
a moment after every cancel, so this too is given a while. It says nothing about a run that is
gone: langgraph-api leaves the thread of a run that was rolled back busy for ever.

A cancel the server had no use for ("nothing to cancel") or turned down (a rollback it does not do)
is not waited for: the next look decides.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from unicodedata import category

from .lifecycle import has_ended
from .model import EndedBy, RunStatus, TaskStatus

_LOOKS_S = (0.05, 0.2, 0.5, 1.0, 2.0, 3.0)
_MISSING_S = 3.0
"""What is missing has to be missing twice, this far apart."""
_UNPROVEN_S = 600.0
"""As above, of a server that says nothing else meanwhile."""
_FIRST_PAUSE_S = 30.0
_LONGEST_PAUSE_S = 180.0
"""langgraph dev hears a cancel in the first 240 s of a run only, and a restart of it begins the run
anew: one of the tries has to fall into that time."""
_LONGEST_REFUSAL_S = 600.0
_LONGEST_REASON = 500
_ABOUT_WHO_OR_WHEN = frozenset({401, 403, 407, 408, 421, 425, 429})


class Try(StrEnum):
    """How a server is asked. A rollback also takes away what the run wrote to its thread."""

    INTERRUPT = "interrupt"
    ROLLBACK = "rollback"


class Rollback(StrEnum):
    """Whose cancels may end in a rollback: nobody's, all but supervisors' own, everybody's."""

    NEVER = "never"
    OURS = "ours"
    ALWAYS = "always"


def ladder(by: EndedBy, rollback: Rollback, *, first: Try = Try.INTERRUPT) -> tuple[Try, ...]:
    """What is tried, in this order, until the run ends. `first` is what was asked for."""
    ours = by is not EndedBy.SUPERVISOR
    if first is Try.INTERRUPT and (
        rollback is Rollback.ALWAYS or (ours and rollback is Rollback.OURS)
    ):
        return Try.INTERRUPT, Try.INTERRUPT, Try.ROLLBACK
    return first, first


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What a server shows of a run: its status, None where it has no such run. `thread_busy`:
    the thread is busy and none of its runs is live. `thread_gone`: it has no such thread; then
    `proven` tells whether it answered another question as only an agent server would."""

    run: RunStatus | None
    thread_busy: bool = False
    thread_gone: bool = False
    proven: bool = True

    @property
    def active(self) -> bool:
        """Whether the graph may still be at work."""
        if self.run is RunStatus.INTERRUPTED:
            return self.thread_busy
        return self.run is not None and not has_ended(self.run)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Where a cancel stands. `tried` in order; `accepted`: the server took the last of them,
    `waited_s` ago, and `looks` were taken since. `rounds`: how often it was given up for now.
    `missing_s`: for how long the run was seen to be missing."""

    sight: Sight
    plan: tuple[Try, ...]
    verify_for_s: float
    tried: tuple[Try, ...] = ()
    accepted: bool = True
    waited_s: float = 0.0
    looks: int = 0
    rounds: int = 0
    missing_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a cancel, then look."""

    how: Try


@dataclass(frozen=True, slots=True)
class Look:
    """Read the run again."""

    after_s: float


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Everything was tried and it goes on: say so, and try again later."""

    retry_in_s: float


@dataclass(frozen=True, slots=True)
class Confirmed:
    """The run is over because it was cancelled. `gone`: the server does not have it any more."""

    gone: bool = False


@dataclass(frozen=True, slots=True)
class TooLate:
    """The run ended by itself, and this is how."""

    status: RunStatus


@dataclass(frozen=True, slots=True)
class Lost:
    """The server has neither the run nor its thread: who knows what became of it."""


Step = Ask | Look | GiveUp | Confirmed | TooLate | Lost


def next_step(case: Case) -> Step:
    """See the table above."""
    sight = case.sight
    if sight.run is None:
        return _missing(case)
    if sight.active:
        return _press_on(case)
    return Confirmed() if sight.run is RunStatus.INTERRUPTED else TooLate(sight.run)


def _missing(case: Case) -> Step:
    if Try.ROLLBACK in case.tried:
        return Confirmed(gone=True)
    sure_after_s = _MISSING_S if case.sight.proven else _UNPROVEN_S
    if case.missing_s < sure_after_s:
        return Look(min(max(case.missing_s, _MISSING_S), sure_after_s - case.missing_s))
    return Lost() if case.sight.thread_gone else Confirmed(gone=True)


def _press_on(case: Case) -> Step:
    left = case.verify_for_s - case.waited_s
    if case.tried and case.accepted and left > 0:
        return Look(min(_LOOKS_S[min(case.looks, len(_LOOKS_S) - 1)], left))
    count = len(case.tried)
    if count < len(case.plan):
        return Ask(case.plan[count])
    if count < len(case.plan) + case.rounds:
        return Ask(case.plan[0])
    return GiveUp(min(_FIRST_PAUSE_S * 2**case.rounds, _LONGEST_PAUSE_S))


def pause_after_failures(failures: int, *, refused: bool) -> float:
    """Seconds before a server that failed so many times in a row is asked again. One that
    `refused` is well, and will hardly think better of it soon."""
    longest = _LONGEST_REFUSAL_S if refused else _FIRST_PAUSE_S
    return float(min(2 ** min(failures - 1, 12), longest))


def is_a_no(answered: int) -> bool:
    """Whether this status, in answer to a cancel, is about that very cancel: it was looked at and
    turned down, and asking the same again would be in vain. Others are about who asks, or when."""
    return 400 <= answered < 500 and answered not in _ABOUT_WHO_OR_WHEN


def disobeyed(sight: Sight, tried: Sequence[Try]) -> str:
    """`the run is still running after interrupt (twice), rollback`."""
    counts = {how: tried.count(how) for how in tried}
    times = {1: "", 2: " (twice)"}
    after = ", ".join(how + times.get(n, f" ({n} times)") for how, n in counts.items())
    if sight.thread_busy:
        return f"the server calls the run interrupted and its thread is at work after {after}"
    return f"the run is still {sight.run} after {after}"


class Outcome(StrEnum):
    """How the cancel of a task went, for whoever asked for it."""

    CANCELLED = "cancelled"
    ALREADY = "already"
    UNCONFIRMED = "unconfirmed"
    UNREACHABLE = "unreachable"
    REFUSED = "refused"
    ASKED = "asked"
    LOST = "lost"
    WENT_ON = "went on"
    IN_DOUBT = "in doubt"


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskEnd:
    """What became of a task that was to be cancelled: `status` is what the record says now.

    What is `unreachable`, `refused`, `asked` or `unconfirmed` goes on being tried.
    """

    task_id: str
    outcome: Outcome
    status: TaskStatus
    run_id: str | None
    detail: str

    @property
    def told(self) -> str:
        """The outcome in words: `cancelled`, `already success`."""
        return f"already {self.status}" if self.outcome is Outcome.ALREADY else self.outcome.value

    @property
    def over(self) -> bool:
        """Whether nothing of the task can go on."""
        return self.outcome in (Outcome.CANCELLED, Outcome.ALREADY)


def operators_reason(given: str | None) -> str:
    """What the supervisor's model will be told about an operator's cancel: one line, and
    without what a terminal obeys (controls) or a store does not take (lone surrogates)."""
    line = " ".join((given or "").split())[:_LONGEST_REASON]
    why = "".join("\ufffd" if category(c) in ("Cc", "Cs") else c for c in line).rstrip(".")
    told = f"Cancelled by the operator: {why}." if why else "Cancelled by the operator."
    return f"{told} Do not start it again unless the user asks."
