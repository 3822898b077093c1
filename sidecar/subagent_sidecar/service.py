"""What the sidecar does, one method each, on top of the store.

The proxy tells it what passed by; the watcher and the reconciler tell it what they read. Starts
wait for the store (they must be durable before they are sent); everything else is posted and
entered behind the answer, in the order in which it happened.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from random import getrandbits
from typing import Any

from .core import lifecycle
from .core.candidates import ReapClaim
from .core.changes import (
    Accepted,
    Adopted,
    BudgetRaised,
    BudgetTold,
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Doubted,
    Frozen,
    NewRun,
    Polled,
    Released,
    RunGone,
    RunSeen,
    Start,
    Terminated,
    ThreadCreated,
    ThreadGone,
    ThreadSeen,
    Told,
    Unfrozen,
    UsagePriced,
    UsageSeen,
    WaitingCancelled,
)
from .core.folding import Folds
from .core.idempotency import Claim, Earlier, Repeated
from .core.matching import Scope
from .core.model import (
    EndedBy,
    Intent,
    Item,
    RunStatus,
    Thread,
    ThreadStatus,
    Timestamp,
    UsageEntry,
    timestamp,
)
from .core.policy import Amounts, Budget, Policy
from .core.recovery import normalised
from .core.refusal import Refused
from .core.signs import Signs
from .core.verdict import Check, Freeze
from .errors import StoreError
from .ports import CancelObserver, Clock, Observer, ServerRun, Store
from .recorder import Recorder
from .sessions import Listener, Sessions

_log = logging.getLogger(__name__)

_FLUSH_S = 2.0
_ROUND_S = 5.0
"""How long refusals that are alike are counted before they go on record together."""
_KNOWN_LIMIT = 50_000


@dataclass(slots=True)
class _Polls:
    times: int = 0
    at: Timestamp = ""


@dataclass(slots=True)
class _Memory:
    """What saves a look at the store: the last status of each run and thread, by who told it,
    and the threads' homes."""

    statuses: dict[tuple[str, str], RunStatus] = field(default_factory=dict)
    threads: dict[tuple[str, str], ThreadStatus] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)

    def trim(self) -> None:
        """Forget the oldest tenth of whatever has grown too large."""
        _trim(self.statuses)
        _trim(self.threads)
        _trim(self.homes)


def _trim(table: dict[Any, Any]) -> None:
    if len(table) > _KNOWN_LIMIT:
        for key in list(table)[: len(table) - _KNOWN_LIMIT * 9 // 10]:
            del table[key]


class Service:
    """The one place where traffic becomes records."""

    def __init__(self, *, store: Store, clock: Clock, keep_purpose: bool = True) -> None:
        self._store = store
        self._clock = clock
        self._keep_purpose = keep_purpose
        self.policy = Policy()
        """What starts are held against. Assigning another is a reload: a start sees one or the
        other, whole."""
        self.signs = Signs()
        """What is seen of runs while they are at work; told by those who see it."""
        self._second = self._next_second = datetime.min.replace(tzinfo=UTC)
        self._head = ""
        self._memory = _Memory()
        self._polls: dict[str, _Polls] = {}
        self._flush: asyncio.TimerHandle | None = None
        self._refusals = Folds()
        self._round: asyncio.TimerHandle | None = None
        self._recorder = Recorder(store)
        self.sessions = Sessions(
            store=store, recorder=self._recorder, now=self.now, monotonic=clock.monotonic
        )
        self._observers: list[Observer] = []
        self._cancel_observers: list[CancelObserver] = []
        self._usage_observers: list[Callable[[str], None]] = []

    def observe(self, observer: Observer) -> None:
        """Tell `observer` of everything that moves from now on."""
        self._observers.append(observer)

    def observe_cancels(self, observer: CancelObserver) -> None:
        """Tell `observer` of every cancel from now on."""
        self._cancel_observers.append(observer)

    def observe_usage(self, observer: Callable[[str], None]) -> None:
        """Tell `observer`, as ports.Observer is told, of every task whose usage moves."""
        self._usage_observers.append(observer)

    def on_session_ended(self, listener: Listener) -> None:
        """Call `listener` with the supervisor and the id of every session whose end is on
        record from now on."""
        self.sessions.on_ended(listener)

    def on_entered(self, listener: Callable[[], None]) -> None:
        """Call `listener`, which must not raise, whenever something more is on record."""
        self._recorder.on_entered(listener)

    @property
    def unrecorded(self) -> tuple[int, int]:
        """Changes that are not on record yet, and those that were given up."""
        return self._recorder.waiting, self._recorder.dropped

    def now(self) -> Timestamp:
        """The time as the books write it. Its head is written once a second."""
        moment = self._clock.now()
        if not self._second <= moment < self._next_second:
            self._second = moment.replace(microsecond=0)
            self._next_second = self._second + timedelta(seconds=1)
            self._head = timestamp(self._second)[:-7]
        return f"{self._head}{moment.microsecond:06d}Z"

    # Starts

    async def admit(
        self,
        *,
        upstream: str,
        supervisor: str,
        thread_id: str | None = None,
        request_id: str | None = None,
        header_session: str | None = None,
        body_session: str | None = None,
        agent_name: str | None = None,
        assistant_id: str | None = None,
        strategy: str | None = None,
        purpose: str | None = None,
        batch: bool = False,
        cron: bool = False,
        fingerprint: str | None = None,
        items: Sequence[Item] = (),
        trace_parent: str | None = None,
        claim: Claim | None = None,
    ) -> Intent:
        """Hold a start against the policy, and make it durable before it is sent. Raises Refused,
        or StoreError: then it must not be sent.

        The arguments are what the request says about itself, None where it is silent;
        `fingerprint` is equal for equal instructions, `items` are the runs of a batch, and
        `trace_parent` is the context of a trace that is recorded. With a `claim` it raises
        Repeated where the start was made before.
        """
        intent_id = f"{getrandbits(128):032x}"  # unique, not secret; urandom would yield the GIL
        start = Start(
            intent_id=intent_id,
            request_id=request_id or intent_id,
            upstream=upstream,
            supervisor=supervisor,
            at=self.now(),
            thread_id=thread_id,
            header_session=header_session,
            body_session=body_session,
            agent_name=agent_name,
            assistant_id=assistant_id,
            strategy=strategy,
            purpose=purpose if self._keep_purpose else None,
            batch=batch,
            cron=cron,
            fingerprint=fingerprint,
            items=tuple(_kept(item, self._keep_purpose) for item in items),
            trace_parent=trace_parent,
        )
        self._recorder.enter_about(thread_id, header_session, body_session)
        try:
            if claim is None:
                return await self._store.admit(start, self.policy)
            self._recorder.enter()  # whether the run that may be meant has ended
            admitted = await self._store.admit_once(start, self.policy, claim)
        except Refused as refused:
            self._refused(refused)
            raise
        if isinstance(admitted, Earlier):
            raise Repeated(admitted)
        return admitted

    def _refused(self, refused: Refused) -> None:
        """On record at once, unless its like was there just now: then a little later, counted."""
        if refused.record is not None and (first := self._refusals.refused(refused.record)):
            self._recorder.post(first)
        if self._round is None:
            self._round = asyncio.get_running_loop().call_later(_ROUND_S, self._round_over)

    def _round_over(self) -> None:
        for repeats in self._refusals.round_over():
            self._recorder.post(repeats)
        self._round = None
        if self._refusals:
            self._round = asyncio.get_running_loop().call_later(_ROUND_S, self._round_over)

    def accepted(self, intent: Intent, runs: Sequence[ServerRun]) -> None:
        """The server answered a start with these runs."""
        new = tuple([_new_run(run) for run in runs])
        upstream, memory = intent.upstream, self._memory
        for run in new:
            memory.homes.setdefault(run.thread_id, upstream)
            memory.statuses[upstream, run.run_id] = run.status
            memory.threads.pop((upstream, run.thread_id), None)
        accepted = Accepted(intent=intent, at=self.now(), runs=new)
        self._recorder.post(accepted, about=[run.thread_id for run in new])
        for run in new:
            for observer in self._observers:
                observer.run_moved(upstream, run.thread_id, run.run_id, run.status)

    async def adopt(self, change: Adopted) -> None:
        """Put a task on record that was started past us. There when this returns, or StoreError."""
        if not self._keep_purpose:
            change = replace(change, start=replace(change.start, purpose=None))
        await self._recorder.enter_now([change])
        thread_id, upstream = change.thread_id, change.start.upstream
        self._memory.homes.setdefault(thread_id, upstream)
        for run in change.runs:
            self._memory.statuses[upstream, run.run_id] = run.status
            for observer in self._observers:
                observer.run_moved(upstream, thread_id, run.run_id, run.status)

    def cron_created(self, intent: Intent, cron_id: str) -> None:
        self._recorder.post(Accepted(intent=intent, at=self.now(), cron_id=cron_id))

    def released(self, intent: Intent, reason: str) -> None:
        """The start came to nothing."""
        self._recorder.post(Released(intent=intent, at=self.now(), reason=reason))

    def doubted(self, intent: Intent, reason: str) -> None:
        """The start was sent, and nobody knows yet what became of it."""
        self._recorder.post(Doubted(intent=intent, at=self.now(), reason=reason))

    # What passes by

    def thread_created(
        self,
        thread_id: str,
        *,
        upstream: str,
        supervisor: str,
        session_id: str | None,
        agent_name: str | None,
    ) -> None:
        self._memory.homes.setdefault(thread_id, upstream)
        thread = Thread(
            thread_id=thread_id,
            upstream=upstream,
            created_at=self.now(),
            supervisor=supervisor,
            session_id=session_id,
            agent_name=agent_name,
        )
        self._recorder.post(ThreadCreated(thread=thread), about=(thread_id,))

    def run_seen(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        word: object,
        *,
        created_at: str | None = None,
    ) -> RunStatus | None:
        """A status in an answer; `created_at` as the server wrote it. Costs next to nothing when
        the status is the one already known."""
        status = lifecycle.run_status(word)
        if status is None or self._memory.statuses.get((upstream, run_id)) is status:
            return status
        self._memory.statuses[upstream, run_id] = status
        self._memory.threads.pop((upstream, thread_id), None)
        self._recorder.post(
            RunSeen(
                thread_id=thread_id,
                run_id=run_id,
                status=status,
                at=self.now(),
                created_at=None if created_at is None else normalised(created_at),
                upstream=upstream,
            )
        )
        for observer in self._observers:
            observer.run_moved(upstream, thread_id, run_id, status)
        return status

    def last_seen(self, upstream: str, run_id: str) -> RunStatus | None:
        """The status this process last saw a run in."""
        return self._memory.statuses.get((upstream, run_id))

    def thread_seen(self, upstream: str, thread_id: str, word: object) -> ThreadStatus | None:
        """A thread's status in an answer; cheap when it is the one already known."""
        status = lifecycle.thread_status(word)
        if status is not None and self._memory.threads.get((upstream, thread_id)) is not status:
            self._memory.threads[upstream, thread_id] = status
            self._recorder.post(
                ThreadSeen(thread_id=thread_id, status=status, at=self.now(), upstream=upstream)
            )
            for observer in self._observers:
                observer.thread_moved(upstream, thread_id, status)
        return status

    def polled(self, task_id: str) -> None:
        """A client asked after a task; written down a little later, many at a time."""
        polls = self._polls.get(task_id)
        if polls is None:
            polls = self._polls[task_id] = _Polls()
        polls.times += 1
        if self._flush is None:
            self._flush = asyncio.get_running_loop().call_later(_FLUSH_S, self._flush_polls)

    def cancel_asked(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        *,
        by: EndedBy,
        reason: str | None = None,
    ) -> None:
        """A cancel is on its way. `reason` is for the supervisor's model: None for its own."""
        self._recorder.post(
            CancelAsked(
                thread_id=thread_id,
                run_id=run_id,
                by=by,
                at=self.now(),
                reason=reason,
                upstream=upstream,
            )
        )
        for observer in self._cancel_observers:
            observer.cancel_asked(upstream, thread_id, run_id, by=by, reason=reason)

    def cancel_unconfirmed(self, thread_id: str, run_id: str, tried: Sequence[str]) -> None:
        """The server took the cancel, and the run goes on whatever was `tried`."""
        self._recorder.post(
            CancelUnconfirmed(thread_id=thread_id, run_id=run_id, at=self.now(), tried=tuple(tried))
        )

    def cancel_confirmed(self, thread_id: str, run_id: str, *, lost: bool = False) -> None:
        """The run that was to be cancelled is over indeed, or `lost` with its thread. Its end must
        have been told before: of a live run this says nothing."""
        self._recorder.post(
            CancelConfirmed(thread_id=thread_id, run_id=run_id, at=self.now(), lost=lost)
        )

    def waiting_cancelled(self, thread_id: str, *, by: EndedBy, reason: str) -> None:
        """A task that waits for a human is not to go on; nobody has to be asked for that."""
        self._recorder.post(
            WaitingCancelled(thread_id=thread_id, by=by, at=self.now(), reason=reason)
        )

    def usage_seen(
        self,
        thread_id: str,
        run_id: str,
        entries: Sequence[UsageEntry],
        *,
        settled: Sequence[str] = (),
    ) -> None:
        """Tokens that a thread's messages tell of, read while `run_id` was its current run;
        `settled` are runs that were over before."""
        if entries or settled:
            seen = UsageSeen(
                thread_id=thread_id,
                run_id=run_id,
                entries=tuple(entries),
                settled=tuple(settled),
            )
            self._recorder.post(seen)
            if entries:
                self.signs.changed(thread_id, self._clock.monotonic())
            for observer in self._usage_observers:
                observer(thread_id)

    async def usage_priced(self, entries: Sequence[UsageEntry]) -> None:
        """Prices for messages on record that had none. On record when it returns, or StoreError."""
        await self._recorder.enter_now([UsagePriced(entries=tuple(entries))])
        for task_id in dict.fromkeys(entry.task_id for entry in entries):
            for observer in self._usage_observers:
                observer(task_id)

    def run_gone(
        self, upstream: str, thread_id: str, run_id: str, *, by: EndedBy, reason: str
    ) -> None:
        """The server does not have the run any more."""
        gone = RunGone(
            thread_id=thread_id,
            run_id=run_id,
            by=by,
            at=self.now(),
            reason=reason,
            upstream=upstream,
        )
        self._recorder.post(gone)
        for observer in self._observers:
            observer.run_moved(upstream, thread_id, run_id, RunStatus.INTERRUPTED)

    def thread_gone(self, upstream: str, thread_id: str, *, by: EndedBy, reason: str) -> None:
        """The server does not have the thread any more."""
        gone = ThreadGone(
            thread_id=thread_id, by=by, at=self.now(), reason=reason, upstream=upstream
        )
        self._recorder.post(gone)
        for observer in self._observers:
            observer.thread_gone(upstream, thread_id)

    # Budgets, and what operators do by hand: on record when these return, or StoreError

    def budget_told(self, told: Told, check: Check, *, tasks: Sequence[str] = ()) -> None:
        """A budget is past a threshold; posted like what passes by."""
        self._recorder.post(BudgetTold(told=told, check=check, at=self.now(), tasks=tuple(tasks)))

    async def freeze(self, scope: Scope, scope_id: str, reason: str | None) -> Freeze:
        """The very next start there is refused, follow-ups included."""
        freeze = Freeze(scope=scope, scope_id=scope_id, reason=reason, at=self.now())
        await self._recorder.enter_now([Frozen(freeze=freeze, at=freeze.at)])
        return freeze

    async def unfreeze(self, scope: Scope, scope_id: str) -> None:
        """Nothing happens where nothing is frozen."""
        await self._recorder.enter_now([Unfrozen(scope=scope, scope_id=scope_id, at=self.now())])

    async def raise_budget(self, budget: Budget, scope_id: str, amounts: Amounts) -> None:
        """Add `amounts` to what the budget allows in one scope, for good."""
        raised = BudgetRaised(
            raise_id=f"{getrandbits(128):032x}",
            budget=budget.name,
            scope=budget.per,
            scope_id=scope_id,
            amounts=amounts,
            at=self.now(),
        )
        await self._recorder.enter_now([raised])

    # What the reaper does

    async def claim_reaps(self, claims: Sequence[ReapClaim]) -> Sequence[bool]:
        """See ports.Store.claim_reaps; what was told before is on record first."""
        if not claims:
            return ()
        self._recorder.enter()
        mine = await self._store.claim_reaps(claims)
        self._recorder.notify()
        return mine

    def terminated(self, task_id: str, run_id: str) -> None:
        """Nothing is left on its server of a task that was to be terminated."""
        self._recorder.post(Terminated(task_id=task_id, run_id=run_id, at=self.now()))

    async def home(self, thread_id: str) -> str | None:
        """The upstream a thread lives on, if it is known. A store in trouble is no reason to
        fail a request that may not need it."""
        home = self._memory.homes.get(thread_id)
        if home is None:
            try:
                thread = await self._store.thread(thread_id)
                record = None if thread else await self._store.task(thread_id)
            except StoreError:
                return None
            if thread is not None:
                home = thread.upstream
            elif record is not None:
                home = record.task.upstream
            if home is not None:
                self._memory.homes[thread_id] = home
        return home

    async def guards_agents(self) -> bool:
        """Whether a start may be refused because of whose it is. Raises StoreError."""
        if self.policy.guards_agents:
            return True
        return any(freeze.scope is Scope.AGENT for freeze in await self._store.freezes())

    async def depth_under(self, session_id: str | None) -> int:
        """The depth of a task that `session_id` starts."""
        if session_id is None:
            return 0
        try:
            parent = await self._store.task(session_id)
        except StoreError:
            return 0
        return 0 if parent is None else parent.task.depth + 1

    def _flush_polls(self) -> None:
        self._flush = None
        at = self.now()
        polls, self._polls = self._polls, {}
        self._memory.trim()
        if polls:
            for task_id, poll in polls.items():
                self._recorder.post(Polled(task_id=task_id, times=poll.times, at=at))

    async def flush(self) -> None:
        """Wait until everything told so far is on record (or the store has refused it)."""
        if self._flush is not None:
            self._flush.cancel()
        self._flush_polls()
        self.sessions.hand_in()
        self._tell_repeats()
        await self._recorder.flush()

    async def entered(self) -> None:
        """`flush`, without polls and repeated refusals: cheap enough to call before reading."""
        self.sessions.hand_in()
        await self._recorder.entered()

    async def refusals_entered(self) -> None:
        """`entered`, with the refusals that are still being counted: for who is about to read
        them."""
        self._tell_repeats()
        await self.entered()

    def _tell_repeats(self) -> None:
        for repeats in self._refusals.pending():
            self._recorder.post(repeats)


def _kept(item: Item, purpose: bool) -> Item:
    return item if purpose or item.purpose is None else replace(item, purpose=None)


def _new_run(run: ServerRun) -> NewRun:
    return NewRun(
        run_id=run.run_id,
        thread_id=run.thread_id,
        status=lifecycle.run_status(run.status) or RunStatus.PENDING,
    )
