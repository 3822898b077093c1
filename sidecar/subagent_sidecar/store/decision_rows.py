"""Decisions as rows: without names, for there may be one with each start."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import msgspec

from ..core.decisions import Decision, Verdict
from ..core.matching import Call, Scope
from ..core.policy import Mode
from ..core.verdict import Check, Held

_Row = tuple[Any, ...]
_DECISION = "(?, ?, ?, ?, ?, ?, ?, ?, ?)"
DECISIONS_INSERT = {
    count: "INSERT INTO decisions (at, intent_id, verdict, rule, thread_id, call, checks, times, "
    "until) VALUES " + ", ".join([_DECISION] * count)
    for count in range(1, 33)
}
DECISION_COLUMNS = "seq, at, intent_id, verdict, rule, thread_id, call, checks, times, until"
_MICROSECOND = timedelta(microseconds=1)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.decode


def decision_values(decision: Decision) -> _Row:
    c = decision.call
    call = (c.agent, c.upstream, c.supervisor, c.session, c.depth, c.task_id, c.tree_id,
            c.fingerprint, c.update, c.wakes)  # fmt: skip
    checks = [
        (k.rule, k.policy, k.mode, k.what, k.limit, k.current, k.denies, k.wants, k.scope,
         k.window and k.window // _MICROSECOND, *k.held)
        for k in decision.checks
    ]  # fmt: skip
    return (
        decision.at,
        decision.intent_id,
        decision.verdict.value,
        decision.rule,
        decision.thread_id,
        _encode(call).decode(),
        _encode(checks).decode(),
        decision.times,
        decision.until,
    )


def read_decision(row: _Row) -> Decision:
    seq, at, intent_id, verdict, rule, thread_id, call_text, checks, times, until = row
    call = _read_call(_decode(call_text))
    return Decision(
        seq=seq,
        at=at,
        intent_id=intent_id,
        verdict=Verdict(verdict),
        rule=rule,
        thread_id=thread_id,
        times=times,
        until=until,
        call=call,
        checks=tuple(_read_check(each, call) for each in _decode(checks)),
    )


def _read_call(values: Sequence[Any]) -> Call:
    return Call(**dict(zip(Call.__slots__, values, strict=True)))


def _read_check(values: Sequence[Any], call: Call) -> Check:
    """The scope's id is the call's own. Older rows do not tell what is held."""
    rule, policy, mode, what, limit, current, denies, wants, scope_name, window, *held = values
    scope = None if scope_name is None else Scope(scope_name)
    return Check(
        rule=rule,
        policy=policy,
        mode=Mode(mode),
        what=what,
        limit=limit,
        current=current,
        denies=denies,
        wants=wants,
        scope=scope,
        scope_id=None if scope is None else call.scope_id(scope),
        window=None if window is None else timedelta(microseconds=window),
        held=Held(*held),
    )
