"""The store."""

from asyncio import Future
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Protocol

from ..core.admission import NO_RULES
from ..core.budgets import BudgetIn
from ..core.candidates import Candidate, ReapClaim
from ..core.changes import Change, Start
from ..core.feed import EventPage, EventQuery, ToldEvent
from ..core.matching import Call, Scope
from ..core.model import (
    Event,
    Intent,
    LiveChain,
    Run,
    Task,
    TaskPage,
    TaskQuery,
    TaskRecord,
    Thread,
    Timestamp,
    UsageEntry,
)
from ..core.past import DecisionPage, DecisionQuery, StartPage, StartQuery
from ..core.policy import Budget, Policy
from ..core.sessions import Session, SessionKey, SessionPage, SessionQuery
from ..core.sums import Sum
from ..core.verdict import Allow, Deny, Freeze, Spent
from .books import (
    Deliveries,
    Figures,
    Owners,
    Replies,
    Reports,
    SpanPlaces,
    SupervisorKeys,
    Trees,
)


class Store(
    Replies,
    Figures,
    Reports,
    SpanPlaces,
    Deliveries,
    SupervisorKeys,
    Trees,
    Owners,
    Protocol,
):
    """The books. Every method raises StoreError when the store cannot do it."""

    def admit(self, start: Start, policy: Policy = NO_RULES) -> Future[Intent]:
        """Decide and reserve in one transaction; durable when the future resolves. It raises
        Refused where the policy denies; its record is the caller's to enter."""

    def explain(self, call: Call, policy: Policy, now: datetime) -> Future[Allow | Deny]:
        """What would become of such a start now, by the same numbers. Nothing is recorded."""

    def spent(
        self, asked: Sequence[BudgetIn], now: datetime, *, apart: bool = False
    ) -> Future[Sequence[Spent]]:
        """What was spent of budgets in some scopes, in order: the numbers that starts are held
        against, whatever is frozen. `apart`: Spent.reserved is wanted, too."""

    async def spenders(
        self, budget: Budget, now: datetime, *, limit: int
    ) -> Sequence[tuple[str, Spent]]:
        """The ids of the scopes that have used the largest share of a budget, the largest first,
        with what was spent there, and reserved. Reads all there is."""

    async def unpriced_models(self, *, after: str = "", limit: int) -> Sequence[str]:
        """The models of messages without a price, in order, those that come after `after`."""

    async def unpriced(
        self, model: str, *, after: tuple[str, str] | None = None, limit: int
    ) -> Sequence[UsageEntry]:
        """What messages of a model used that have no price, by task and message; `after` is the
        (task_id, message_id) of the last one of the page before."""

    async def freezes(self) -> Sequence[Freeze]:
        """What is frozen, the longest first."""

    async def has(self, scope: Scope, scope_id: str) -> bool:
        """Whether a task is on record in a scope, or a run of that agent."""

    async def unrecorded(self, upstream: str, thread_ids: Sequence[str]) -> Mapping[str, bool]:
        """Those of the threads of an upstream that are no tasks, and on which no start is on its
        way; each with whether the thread itself is on record."""

    async def begun(self) -> Timestamp | None:
        """Since when there is a record."""

    async def names(self, scope: Scope, *, among: int) -> Sequence[str]:
        """Of an agent, session, supervisor or upstream the names of those that the newest `among`
        tasks are of, in no order."""

    def apply(self, changes: Sequence[Change]) -> Future[None]:
        """Enter `changes`, all or none, in order; durable when the future resolves.

        `admit` and `apply` take effect in the order in which they were called, whether or not
        the caller awaits what they return.
        """

    async def thread(self, thread_id: str) -> Thread | None: ...

    async def task(self, task_id: str) -> TaskRecord | None: ...

    async def tasks_with(self, task_ids: Sequence[str]) -> Sequence[TaskRecord]:
        """Those of the tasks that are on record, in any order: read together, at most 500.
        Without their short ids, which cost as much as all the rest."""

    async def tasks_named(self, fragment: str, *, limit: int) -> Sequence[str]:
        """At most `limit` ids of tasks that begin or end with `fragment`, or else whose last 8
        characters begin with it."""

    async def tasks(self, query: TaskQuery) -> TaskPage: ...

    async def live_tasks(self, upstream: str, *, limit: int) -> Sequence[Task]:
        """The live tasks on an upstream, oldest first."""

    async def live_chains(
        self, upstream: str, *, after: tuple[Timestamp, str] | None, limit: int
    ) -> Sequence[LiveChain]:
        """The live tasks on an upstream with those of their runs that have not ended, oldest
        first; `after` is the (created_at, task_id) of the last one of the page before."""

    async def loose_ends(self, upstream: str, *, limit: int) -> Sequence[LiveChain]:
        """Of the `limit` tasks that ended last, on any upstream, those on this one of which
        something is still to be seen: an earlier run that goes on, or the thread since the last
        run's success, which tells whether it waits for a human."""

    async def ends_asked(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        """(upstream, task id, run id) of the runs that were asked to end for a reason, and have
        not ended in another way: those asked last, the latest last."""

    async def events(self, task_id: str, *, limit: int) -> Sequence[Event]:
        """The newest `limit` events of a task, oldest first."""

    async def open_cancels(self, *, limit: int) -> Sequence[tuple[str, Run]]:
        """Runs that are to be cancelled and of which it is not known that they were, each with
        its upstream; the first asked for first."""

    async def events_after(self, query: EventQuery) -> EventPage:
        """What follows in the record, in the order in which it was committed. Numbers grow in
        that order, so a reader that goes on from `upto` neither misses nor repeats an event."""

    async def newest_events(self, query: EventQuery) -> Sequence[ToldEvent]:
        """The newest `limit` events that fit, oldest first; `after` plays no part. Filters that
        hardly anything fits may find fewer than there are far back."""

    async def last_event(self) -> int:
        """The number of the newest event, 0 where there is none."""

    async def position_at(self, moment: Timestamp) -> int:
        """The number after which the events of `moment` and later come."""

    async def decisions(self, query: DecisionQuery) -> DecisionPage:
        """What spoke against starts: refusals, and what observing rules would have refused."""

    async def starts(self, query: StartQuery) -> StartPage:
        """The runs on record, as a policy can be asked about them once more."""

    async def session(self, supervisor: str, session_id: str) -> Session | None:
        """What a session said of itself; None where it said nothing, whatever tasks it has."""

    async def sessions(self, query: SessionQuery) -> SessionPage:
        """The sessions that are known by their tasks or by what they said."""

    async def leases(self, *, after: SessionKey | None = None, limit: int) -> Sequence[Session]:
        """Of the sessions with a live task those that renewed a lease or were ended, by their
        keys; `after` is the key of the last one of the page before."""

    async def candidates(
        self, upstream: str, *, after: tuple[Timestamp, str] | None, limit: int
    ) -> Sequence[Candidate]:
        """The live tasks on an upstream that have a run, as the reaper sees them, oldest first;
        `after` is the (created_at, task_id) of the last one of the page before."""

    def claim_reaps(self, claims: Sequence[ReapClaim]) -> Future[Sequence[bool]]:
        """Look at what was planned once more, and put it on record where it still holds and nobody
        else has (core.claims), all in one transaction. Whether each is the caller's to carry
        out."""

    async def to_terminate(self, *, limit: int) -> Sequence[tuple[str, str, str]]:
        """(upstream, task id, run id) of tasks that are over and were to be terminated, and of
        which something may be left on their server: no `Terminated` was entered."""

    async def prune(self, before: Timestamp, *, limit: int) -> int:
        """Remove at most `limit` tasks that ended before `before`, the longest ago first, with
        all that is on record about them, and add what they come to up to the sums; then events,
        threads and decisions of no task that are older, and what sessions without a task said
        before. Returns how many it removed, 0 when nothing is left.

        Kept are tasks with a start under way or in doubt, those with a run at large, those whose
        parent or a child is live, and the newest task, event and decision.
        """

    async def sums(self, *, since: str = "") -> Sequence[Sum]:
        """What was pruned of tasks that ended on the day `since` or later, in order."""

    async def open_intents(self, *, before: Timestamp) -> Sequence[Intent]:
        """Intents made before `before` whose outcome is not on record, oldest first."""

    async def check(self) -> str:
        """One sentence on the store's health and version; raises StoreError if it is unusable."""

    async def aclose(self) -> None:
        """Finish what was handed in, then close."""
