"""Which rules a start would meet, how they stand, and what would be answered: to be explained."""

from collections.abc import Iterator, Mapping
from typing import Any

from .facts import task_call
from .matching import Call, Scope
from .model import Run, Task
from .past_words import amount, check_words
from .policy import LimitKind, Mode, Policy, set_keys
from .policy_words import plain
from .quick import changed
from .refusal import refusal
from .verdict import Allow, Check, Deny

Words = dict[str, Any]

START, REPEAT, UPDATE = "start", "repeat", "update"
"""What may be asked about: a start, one with an instruction that was given before, a follow-up."""

_LIMITS = frozenset(kind.value for kind in LimitKind)


def calls_about(task: Task, first: Run | None) -> dict[str, Call]:
    """Another start like the task, the same once more as its `first` run, and a follow-up."""
    another = changed(task_call(task), task_id=None, tree_id=task.tree_id)
    calls = {START: another}
    if first is not None and first.fingerprint is not None:
        calls[REPEAT] = changed(another, fingerprint=first.fingerprint)
    return {**calls, UPDATE: _follow_up(task)}


def _follow_up(task: Task) -> Call:
    """A follow-up to the task, with an instruction it has not had before."""
    return changed(task_call(task, update=True), wakes=not task.live)


def rules_words(verdicts: Mapping[str, Allow | Deny]) -> list[Words]:
    """Every question that would be asked, once: `asked_of` says of which kinds of start. What is
    counted within a task has a number for the follow-up only, and what is alike for a repeat."""
    found: dict[tuple[str, str], Check] = {}
    asked_of: dict[tuple[str, str], list[str]] = {}
    for kind, verdict in verdicts.items():
        for check in verdict.checks:
            key = check.rule, check.what
            alike = check.what == LimitKind.DUPLICATES
            if alike and kind == REPEAT:
                asked_of[key] = [kind]
            elif kind != REPEAT:
                asked_of.setdefault(key, []).append(kind)
            if key not in found or alike or check.scope is Scope.TASK:
                found[key] = check
    return [
        {"kind": _kind(check), **check_words(check), **_verdict(check), "asked_of": asked_of[key]}
        for key, check in found.items()
    ]


def _kind(check: Check) -> str:
    if check.what == "frozen":
        return "freeze"
    return "limit" if check.what in _LIMITS else "budget"


def _verdict(check: Check) -> Words:
    if not check.denies:
        return {"verdict": "lets_in"}
    return {"verdict": "refuses" if check.mode is Mode.ENFORCE else "would_refuse"}


def verdict_words(verdict: Allow | Deny) -> Words:
    """`message` is what the supervisor's model would read; null where it would be let in."""
    denied = isinstance(verdict, Deny)
    return {
        "let_in": not denied,
        "code": verdict.code if isinstance(verdict, Deny) else None,
        "rule": verdict.check.rule if isinstance(verdict, Deny) else None,
        "message": refusal(verdict) if isinstance(verdict, Deny) else None,
        "would_refuse": [] if denied else _rules_of(verdict),
    }


def _rules_of(verdict: Allow | Deny) -> list[str]:
    """The rules that only observe, and are against it."""
    observed = verdict.observed if isinstance(verdict, Allow) else ()
    return list(dict.fromkeys(check.rule for check in observed))


def lifecycle_words(policy: Policy, call: Call) -> list[Words]:
    """Each setting that holds, with the rule that set it; then those that observing rules would
    set otherwise."""
    held = policy.lifecycle_for(call)
    observed = policy.lifecycle_for(call, observed=True)
    found = [
        _setting(key, value, held.rules[key].name, held.rules[key].policy, Mode.ENFORCE)
        for key, value in set_keys(held.values)
    ]
    for key, value in set_keys(observed.values):
        rule = observed.rules[key]
        if rule.mode is Mode.OBSERVE:
            found.append(_setting(key, value, rule.name, rule.policy, Mode.OBSERVE))
    return found


def _setting(key: str, value: object, rule: str, policy: str, mode: Mode) -> Words:
    return {
        "setting": key,
        "value": plain(value),
        "rule": rule,
        "policy": policy,
        "mode": mode.value,
    }


def admitted_words(text: str | None) -> list[Words]:
    """What a run was asked when it was let in: Run.admitted, line by line."""
    return list(_admitted((text or "").splitlines()))


def _admitted(lines: list[str]) -> Iterator[Words]:
    for line in lines:
        rule, what, numbers = line.rsplit(" ", 2)
        current, limit = numbers.split("/")
        counted = what != LimitKind.DENY.value
        yield {
            "rule": rule,
            "what": what,
            "current": amount(what, int(current)) if counted else None,
            "limit": amount(what, int(limit)) if counted else None,
        }
