"""What may be answered to a start, and the questions that were asked on the way."""

from dataclasses import dataclass
from datetime import timedelta

from .matching import Scope
from .policy import Budget, Limit, LimitKind, Mode
from .quick import quick

OPERATOR = "operator"
"""The policy of a freeze, which stands in no file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """The kill switch as it stands: over everything, or one agent or session."""

    scope: Scope
    scope_id: str
    reason: str | None = None


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One question that was asked: a row of the record.

    `what` is a LimitKind, a field of Amounts, "unpriced" or "frozen". `current` is what is counted
    before this start, and `wants` what the start would add.
    """

    rule: str
    policy: str
    mode: Mode
    what: str
    limit: int
    current: int
    denies: bool
    wants: int = 1
    scope: Scope | None = None
    scope_id: str | None = None
    window: timedelta | None = None

    @property
    def enforced(self) -> bool:
        return self.denies and self.mode is Mode.ENFORCE

    @property
    def waiting_helps(self) -> bool:
        """Whether it can be answered otherwise later, without anybody changing the rules."""
        return self.what == LimitKind.CONCURRENT or self.window is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """`checks` are all that were asked, also those that would have denied (`denies`, observing)."""

    checks: tuple[Check, ...]
    near: tuple[Check, ...] = ()
    """The budgets that are nearly spent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deny:
    """`check` is the one the caller is told of; `tasks` some ids that are in use."""

    check: Check
    checks: tuple[Check, ...]
    tasks: tuple[str, ...] = ()
    retry_after: timedelta | None = None
    rule: Limit | Budget | None = None
    """None for a freeze."""
    reason: str | None = None
    """Why it was frozen."""

    @property
    def code(self) -> str:
        """Stable, for programs."""
        match self.check.what:
            case "frozen":
                return "frozen"
            case LimitKind.DENY:
                return "denied"
            case what if isinstance(self.rule, Budget):
                return f"budget_{_PLAIN.get(what, what)}"
            case what:
                return f"limit_{what}"

    @property
    def status(self) -> int:
        """402 for budgets, else 403: the ones that no SDK repeats."""
        return 402 if isinstance(self.rule, Budget) else 403


_PLAIN = {"micro_usd": "usd"}
