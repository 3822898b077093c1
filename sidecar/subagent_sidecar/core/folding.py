"""Refusals that are like one another become one record, so that who hammers fills no disk.

The first of its kind goes on record at once. Those that follow are counted, and go on record
together, as one Decision and one event with a count, each time a round is over; a round without
any ends it. Beyond APART kinds at a time the rest is told apart by rule only: session names and
agents are the caller's to choose, and must not be a way to as many records as before.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from .changes import StartRefused
from .decisions import Decision
from .ledger import Ledger
from .matching import EVERYTHING, Call
from .model import Event
from .quick import changed
from .trace_ids import told_context

APART = 100
"""How many kinds of refusal are told apart at a time."""

_NAMES = ("agent", "upstream", "supervisor", "session")
_MAYBE = ("task_id", "tree_id", "fingerprint")


@dataclass(slots=True)
class _Fold:
    """What is open, and of it what is not on record yet."""

    repeats: StartRefused | None = None


class Folds:
    """The kinds of refusal there were lately."""

    def __init__(self) -> None:
        self._open: dict[tuple[object, ...], _Fold] = {}

    def __bool__(self) -> bool:
        return bool(self._open)

    def refused(self, one: StartRefused) -> StartRefused | None:
        """What is to go on record now: the first of its kind; None where it is counted."""
        key = _kind(one)
        fold = self._open.get(key)
        if fold is None and len(self._open) >= APART:
            key = key[:2]
            fold = self._open.get(key)
        if fold is None:
            self._open[key] = _Fold()
            return one
        fold.repeats = one if fold.repeats is None else _together(fold.repeats, one)
        return None

    def pending(self) -> Sequence[StartRefused]:
        """What was counted since it was asked for last."""
        found = [fold.repeats for fold in self._open.values() if fold.repeats is not None]
        for fold in self._open.values():
            fold.repeats = None
        return found

    def round_over(self) -> Sequence[StartRefused]:
        """`pending`; kinds without any are new ones when they come again."""
        self._open = {key: fold for key, fold in self._open.items() if fold.repeats is not None}
        return self.pending()


def _kind(one: StartRefused) -> tuple[object, ...]:
    """Equal for what is one record; its first two members by rule only."""
    call, check = one.decision.call, one.check
    return (
        check.rule,
        check.what,
        check.scope,
        check.scope_id,
        call.session,
        call.agent,
        call.upstream,
        call.supervisor,
        call.depth,
        call.task_id,
    )


def _together(some: StartRefused, one: StartRefused) -> StartRefused:
    """The numbers are those of the last one. What they differ in nobody knows any more."""
    before, last = some.decision, one.decision
    call = _common(before.call, last.call)
    decision = changed(
        last,
        at=before.at,
        until=max(last.at, before.until or before.at),
        times=before.times + last.times,
        call=call,
        thread_id=last.thread_id if last.thread_id == before.thread_id else None,
    )
    scope = one.check.scope
    scope_id = None if scope is None else call.scope_id(scope)
    return StartRefused(
        decision=decision,
        check=changed(one.check, scope_id=scope_id),
        code=one.code,
        trace_parent=one.trace_parent if one.trace_parent == some.trace_parent else None,
    )


def _common(one: Call, other: Call) -> Call:
    names = {name: EVERYTHING for name in _NAMES if getattr(one, name) != getattr(other, name)}
    unknown = {name: None for name in _MAYBE if getattr(one, name) != getattr(other, name)}
    return changed(other, **names, **unknown) if names or unknown else other


def enter(ledger: Ledger, change: StartRefused) -> None:
    """Put refusals on record."""
    decision: Decision = change.decision
    ledger.add_decision(decision)
    ledger.add_event(
        Event(
            at=decision.until or decision.at,
            kind="refused",
            task_id=decision.thread_id,
            detail={
                **decision.told(change.check),
                "code": change.code,
                **told_context(change.trace_parent),
            },
        )
    )
