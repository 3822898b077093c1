"""What spoke against starts, as it is kept: enough to explain it, and to decide it again."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .matching import Call
from .model import Intent, Timestamp
from .quick import quick
from .units import duration_text
from .verdict import Allow, Check, Deny


class Verdict(StrEnum):
    """WOULD_DENY: let in, and an observing rule would not have. Starts nothing spoke against have
    no decision: what was asked of them stands with their run (`admitted`)."""

    DENY = "deny"
    WOULD_DENY = "would_deny"


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """`call` is the start as the rules saw it, `checks` all the questions that were asked; `rule`
    is the one that denied. `thread_id` is where it was to run, None where the server chooses.

    One record may stand for several refusals (core/folding.py): `times` of them, the first `at`,
    the last `until`; None where there was one."""

    at: Timestamp
    intent_id: str
    verdict: Verdict
    call: Call
    checks: tuple[Check, ...]
    thread_id: str | None = None
    rule: str | None = None
    times: int = 1
    until: Timestamp | None = None
    seq: int = 0

    def told(self, check: Check) -> Mapping[str, Any]:
        """The event's detail."""
        detail: dict[str, Any] = {
            "rule": check.rule,
            "policy": check.policy,
            "what": check.what,
            "limit": check.limit,
            "current": check.current,
            "agent": self.call.agent,
            "session": self.call.session,
        }
        if check.held.amount:
            detail |= {"reserved": check.held.amount, "reserving": check.held.runs}
        if check.scope is not None:
            detail |= {"scope": check.scope.value, "scope_id": check.scope_id}
        if check.window is not None:
            detail["window"] = duration_text(check.window)
        if self.times > 1:
            detail |= {"times": self.times, "first_at": self.at}
        return detail


def decision(intent: Intent, call: Call, verdict: Allow | Deny) -> Decision:
    """The record of a verdict."""
    denied = isinstance(verdict, Deny)
    return Decision(
        at=intent.created_at,
        intent_id=intent.intent_id,
        verdict=Verdict.DENY if denied else Verdict.WOULD_DENY,
        call=call,
        checks=verdict.checks,
        thread_id=intent.thread_id,
        rule=verdict.check.rule if isinstance(verdict, Deny) else None,
    )


def admitted(allow: Allow) -> str | None:
    """What was asked of a start that was let in, with the answers: `rule what current/limit`, a
    line each. None where no rule was asked."""
    asked = allow.asked
    if not asked.questions:
        return None
    if allow.mosts is asked.mosts:
        return asked.text % tuple(allow.counts)
    rows = zip(asked.questions, allow.counts, allow.mosts, strict=True)
    return "\n".join(f"{asks.rule.name} {asks.what} {now}/{most}" for asks, now, most in rows)
