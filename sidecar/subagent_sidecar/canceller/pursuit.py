"""One run that is to end, and how far that has come."""

import asyncio
from dataclasses import dataclass, field

from ..core.cancel import Case, Outcome, Sight, Try
from ..core.model import EndedBy
from ..ports import Headers

Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a pursuit stands, in a word and in words."""

    outcome: Outcome
    detail: str


@dataclass(slots=True, eq=False, kw_only=True)
class Pursuit:
    """`first` is what was asked for; `plan` and `verify_for_s` are set before the first turn.
    `tried` in order; `accepted`: the server took the last of them, at `asked_at` (monotonic);
    `missing_since` (monotonic): the server has not had the run since then.

    `begun` is set once the run was asked, or need not or cannot be: `after` is who has to have
    begun first. `settled` is set with the first verdict; a later one may be better.
    """

    upstream: str
    thread_id: str
    run_id: str
    by: EndedBy
    first: Try = Try.INTERRUPT
    plan: tuple[Try, ...] = ()
    verify_for_s: float = 0.0
    auth: Headers = ()
    after: "Pursuit | None" = None
    tried: tuple[Try, ...] = ()
    accepted: bool = True
    asked_at: float = 0.0
    looks: int = 0
    rounds: int = 0
    failures: int = 0
    missing_since: float | None = None
    verdict: Verdict | None = None
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    settled: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def key(self) -> Key:
        return self.upstream, self.thread_id, self.run_id

    def case(self, sight: Sight, *, now: float) -> Case:
        """Where it stands, now that `sight` was taken."""
        if sight.run is not None:
            self.missing_since = None
        elif self.missing_since is None:
            self.missing_since = now
        return Case(
            sight=sight,
            plan=self.plan,
            verify_for_s=self.verify_for_s,
            tried=self.tried,
            accepted=self.accepted,
            waited_s=now - self.asked_at,
            looks=self.looks,
            rounds=self.rounds,
            missing_s=0.0 if self.missing_since is None else now - self.missing_since,
        )

    def asked(self, how: Try, *, accepted: bool, now: float) -> None:
        self.tried = (*self.tried, how)
        self.accepted, self.asked_at, self.looks = accepted, now, 0
        self.begun.set()

    def let_go(self) -> None:
        """Nobody pursues it now, or somebody else does: whoever waits shall not."""
        self.begun.set()
        self.settled.set()

    def settle(self, outcome: Outcome, detail: str) -> None:
        self.verdict = Verdict(outcome, detail)
        self.let_go()
