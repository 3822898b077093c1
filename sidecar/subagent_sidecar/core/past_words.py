"""Past starts and decisions as JSON objects, and back: both ends of the admin API use these."""

from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any

from .decisions import Decision, Verdict
from .matching import Call, Scope
from .past import PastStart
from .policy import LimitKind, Mode
from .prices import micro_usd, usd, usd_text
from .units import duration, duration_text
from .verdict import KEY, RESERVABLE, Check, Held

Words = dict[str, Any]

_CALL = tuple(each.name for each in fields(Call))
_START = tuple(each.name for each in fields(PastStart) if each.name != "call")
_WHOSE = ("agent", "upstream", "supervisor", "session")
_NO_NUMBERS = frozenset({LimitKind.DENY.value, "frozen", KEY})


def start_words(start: PastStart) -> Words:
    """Flat; amounts as they are in the books: whole micro-USD."""
    words = call_words(start.call)
    del words["wakes"]
    return words | {name: getattr(start, name) for name in _START}


def read_start(words: Mapping[str, Any]) -> PastStart:
    """Raises KeyError, TypeError, ValueError."""
    _check(
        words,
        ("run_id", "task_id", *_WHOSE),
        ("at", "task_at"),
        ("started_at", "ended_at", "left_at"),
    )
    known = {name: words[name] for name in _START}
    return PastStart(call=_call({**words, "wakes": False}), **known)


def decision_words(decision: Decision) -> Words:
    """Flat, with all the questions that were asked."""
    return {
        "number": decision.seq,
        "at": decision.at,
        "times": decision.times,
        "until": decision.until,
        "verdict": decision.verdict.value,
        "rule": decision.rule,
        "thread_id": decision.thread_id,
        "intent_id": decision.intent_id,
        **call_words(decision.call),
        "checks": [check_words(check) for check in decision.checks],
    }


def read_decision(words: Mapping[str, Any]) -> Decision:
    """Raises KeyError, TypeError, ValueError."""
    _check(words, ("intent_id", *_WHOSE), ("at",), ())
    times = words.get("times", 1)  # sidecars before it kept one record for each
    if not isinstance(times, int) or times < 1:
        raise ValueError("times is no count")
    if (until := words.get("until")) is not None:
        datetime.fromisoformat(until)
    return Decision(
        at=words["at"],
        intent_id=words["intent_id"],
        verdict=Verdict(words["verdict"]),
        call=_call(words),
        checks=tuple(_read_check(each) for each in words["checks"]),
        thread_id=words["thread_id"],
        rule=words["rule"],
        times=times,
        until=until,
        seq=words["number"],
    )


def _check(
    words: Mapping[str, Any], texts: Sequence[str], moments: Sequence[str], maybe: Sequence[str]
) -> None:
    """What everything else relies on: it may come from a sidecar of whatever version."""
    for key in (*texts, *moments):
        if not isinstance(words[key], str):
            raise TypeError(f"{key} is no text")
    for key in (*moments, *maybe):
        if words[key] is not None:
            datetime.fromisoformat(words[key])


def call_words(call: Call) -> Words:
    return {name: getattr(call, name) for name in _CALL}


def _call(words: Mapping[str, Any]) -> Call:
    return Call(**{name: words[name] for name in _CALL})


def check_words(check: Check) -> Words:
    """`limit` and `current` in the units of a refusal's body: USD as decimal text, run time in
    seconds, all else counted; null where nothing is."""
    counted = check.what not in _NO_NUMBERS
    return {
        "rule": check.rule,
        "policy": check.policy,
        "mode": check.mode.value,
        "what": check.what,
        "scope": None if check.scope is None else check.scope.value,
        "scope_id": check.scope_id,
        "current": amount(check.what, check.current) if counted else None,
        "wants": amount(check.what, check.wants) if counted else None,
        "limit": amount(check.what, check.limit) if counted else None,
        "reserved": amount(check.what, check.held.amount) if check.what in RESERVABLE else None,
        "reserving": check.held.runs if check.what in RESERVABLE else None,
        "window": None if check.window is None else duration_text(check.window),
        "denies": check.denies,
    }


def _read_check(words: Mapping[str, Any]) -> Check:
    what, scope, window = words["what"], words["scope"], words["window"]
    return Check(
        rule=words["rule"],
        policy=words["policy"],
        mode=Mode(words["mode"]),
        what=what,
        limit=_counted(what, words["limit"]),
        current=_counted(what, words["current"]),
        denies=words["denies"] is True,
        wants=_counted(what, words["wants"]),
        scope=None if scope is None else Scope(scope),
        scope_id=words["scope_id"],
        window=None if window is None else duration(window),
        held=Held(_counted(what, words.get("reserved")), words.get("reserving") or 0),
    )


def amount(what: str, value: int) -> int | float | str:
    match what:
        case "micro_usd":
            return usd_text(value)
        case "run_time":
            return value / 1_000_000
        case _:
            return value


def _counted(what: str, value: Any) -> int:
    """What `amount` was made of."""
    match what:
        case _ if value is None:
            return 0
        case "micro_usd":
            return micro_usd(usd(value)) or 0
        case "run_time":
            return round(float(value) * 1_000_000)
        case _:
            number: int = value
            return number
