"""What the service needs from the outside, as small protocols.

The classes behind them are chosen in `compose`; the public fakes are in `testing`.
"""

from asyncio import Future
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from .core.admission import NO_RULES
from .core.budgets import BudgetIn
from .core.cancel import TaskEnd, Try
from .core.candidates import Candidate, Planned, ReapClaim, Reaped
from .core.changes import Change, Start
from .core.feed import EventPage, EventQuery, ToldEvent
from .core.ghosts import Adoption, Audit, Ghost, SeenThread
from .core.idempotency import Claim, Earlier, Taken
from .core.matching import Call, Scope
from .core.metrics.meters import StoreMeter
from .core.metrics.record import Census, Stretch, Used
from .core.model import (
    EndedBy,
    Event,
    Intent,
    LiveChain,
    Run,
    RunStatus,
    Task,
    TaskPage,
    TaskQuery,
    TaskRecord,
    Thread,
    ThreadStatus,
    Timestamp,
    UsageEntry,
)
from .core.past import DecisionPage, DecisionQuery, StartPage, StartQuery
from .core.policy import Budget, Policy
from .core.policy_state import PolicyState
from .core.quick import quick
from .core.sessions import Session, SessionKey, SessionPage, SessionQuery
from .core.signs import NO_GLIMPSE, Glimpse
from .core.sums import Sum
from .core.verdict import Allow, Deny, Freeze, Spent

Headers = Sequence[tuple[bytes, bytes]]
"""Raw header fields in wire order: case and duplicates as they came."""


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Wall time, UTC, for records."""

    def monotonic(self) -> float:
        """Seconds on a clock that never jumps, for deadlines inside this process."""


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One request to an upstream, exactly as it goes on the wire.

    `target` is the raw request target (origin form, percent-encoding untouched), base path of the
    upstream included. `headers` are end-to-end fields, `Host` included, without any framing field:
    `Content-Length` and `Transfer-Encoding` are made from `body`. `body` is None (no body, no
    framing), bytes (also b"": `Content-Length: 0`) or a stream, sent chunked unless `length` says
    how many bytes will come. `first_byte_timeout` in seconds (None: wait for ever) runs from the
    moment the request was written. `replayable` marks requests that may be sent a second time when
    a kept-alive connection turns out to be dead.
    """

    method: bytes
    target: bytes
    headers: Headers
    body: bytes | AsyncIterator[bytes] | None = None
    length: int | None = None
    first_byte_timeout: float | None = None
    replayable: bool = False


class Exchange(Protocol):
    """The answer to an `Outgoing`, from its head on.

    `headers` are raw, as received. `body` holds the whole body when it arrived together with the
    head, else None: then iterate `chunks()`, which yields pieces as they come, unbuffered and with
    flow control, and raises `UpstreamBroken` when the server stops before the end. Every exchange
    is either read to its end or aborted. `waited_s` is how long its head was waited for.
    """

    @property
    def waited_s(self) -> float: ...

    @property
    def status(self) -> int: ...

    @property
    def reason(self) -> bytes: ...

    @property
    def headers(self) -> Headers: ...

    @property
    def body(self) -> bytes | None: ...

    def chunks(self) -> AsyncIterator[bytes]: ...

    def abort(self) -> None:
        """Drop the connection at once; the server sees the client go away."""


class Upstream(Protocol):
    """One agent server."""

    async def send(self, request: Outgoing) -> Exchange:
        """Send and wait for the head of the answer (1xx are swallowed).

        Raises UpstreamUnreachable (nothing was sent), UpstreamTimeout, UpstreamBroken. Being
        cancelled drops the connection.
        """

    async def aclose(self) -> None: ...


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRun:
    """A run as an agent server tells it. `status` is the server's own word; `updated_at` of a run
    that has ended is when it did; `marked`: its start went through a sidecar."""

    run_id: str
    thread_id: str
    status: str
    created_at: str | None = None
    request_id: str | None = None
    updated_at: str | None = None
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadState:
    """`messages` as the server writes them; `glimpse` tells one checkpoint from another."""

    messages: Sequence[Any]
    glimpse: Glimpse = NO_GLIMPSE


class AgentServer(Protocol):
    """The few calls the sidecar makes on its own account. `auth` are credentials to present.

    All raise UpstreamError; None means the server answered that it has no such thing.
    """

    async def run(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> ServerRun | None: ...

    async def runs(
        self, thread_id: str, *, limit: int, auth: Headers = ()
    ) -> Sequence[ServerRun] | None:
        """The thread's runs, newest first; also None where the server has no such route."""

    async def thread_status(self, thread_id: str, *, auth: Headers = ()) -> str | None: ...

    async def threads(
        self, thread_ids: Sequence[str], *, auth: Headers = ()
    ) -> Mapping[str, str] | None:
        """The status words of those threads that the server has, asked in one request; None where
        it cannot search by ids."""

    async def run_input(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> Any:
        """What a run was given to work on (its `input`), as JSON; None where the server does not
        tell."""

    async def listed_threads(
        self, *, limit: int, offset: int, auth: Headers = ()
    ) -> Sequence[SeenThread] | None:
        """A page of all threads there are, the newest first; None where the server cannot tell."""

    async def state(self, thread_id: str, *, auth: Headers = ()) -> ThreadState | None:
        """The thread's newest checkpoint: also while a run is going on. None where the server does
        not show its state."""

    async def cancel(
        self, thread_id: str, run_id: str, *, rollback: bool = False, auth: Headers = ()
    ) -> bool:
        """Ask the server to cancel one run. Whether it said yes, which proves nothing; no means
        that it has nothing to cancel: the run is over, or was never there."""

    async def blank_since(self, thread_id: str, *, auth: Headers = ()) -> str | None:
        """When a thread was made, as the server writes it. None where it holds something or was
        changed since, and where the server does not tell."""

    async def delete_thread(self, thread_id: str, *, auth: Headers = ()) -> bool:
        """Remove a thread with all that is in it. No means that there was none, or that the server
        has no such route."""

    async def graph_of(self, assistant_id: str, *, auth: Headers = ()) -> str | None:
        """The name of the graph an assistant runs; also None where the server has no such route."""

    async def graph_of_tool(self, tool: str, *, auth: Headers = ()) -> str | None:
        """The same of an MCP tool of the server's, which is an assistant by its name."""

    async def outcome(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> str | None:
        """Wait until the run ends and say how: "success" or "error" (the join route)."""


class Doubts(Protocol):
    """Finds out what became of starts whose answer never came."""

    def doubt(self, intent: Intent, reason: str, *, auth: Headers, answered: bool) -> None:
        """`answered`: the server did answer, so the start cannot still be on its way."""

    def under_way(self, intent: Intent) -> AbstractContextManager[None]:
        """While it lasts somebody waits for the server's answer, which may come only when the run
        is over: the start may be found, and is not given up."""


class Follower(Protocol):
    """Sees tasks through to their end. All return at once. `auth` is what to present upstream when
    asking on this client's behalf; the newest of a task is kept."""

    def follow(
        self, upstream: str, thread_id: str, run_id: str, *, auth: Headers, soon: bool = True
    ) -> None:
        """`soon`: the run's status has just changed or is about to, so look now; without it, the
        run is that of a start that was accepted."""

    def follow_stateless(
        self, upstream: str, thread_id: str, run_id: str, *, auth: Headers
    ) -> None:
        """Wait for the outcome of a run whose thread the server deletes when it ends."""


class Reachability(Protocol):
    """What can be known about tasks at all."""

    def unknown_since(self, upstream: str, task_id: str) -> Timestamp | None:
        """Since when nobody can tell how a live task stands, because its server does not answer
        (us): the status on record is the last one seen. None if it can be told."""


class Canceller(Protocol):
    """Sees to it that a cancel ends its run: verifies, escalates, tells the truth."""

    def verify(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        *,
        auth: Headers,
        how: Try = Try.INTERRUPT,
    ) -> None:
        """The server took a supervisor's cancel, which proves nothing. Returns at once."""


class Tidier(Protocol):
    """Sees to it that refused starts leave no empty threads behind."""

    def left_behind(self, upstream: str, thread_id: str, *, supervisor: str, auth: Headers) -> None:
        """A start on the thread was refused. If it was made for that start alone it is removed,
        with the credentials `auth`. Returns at once."""

    def failed(self, thread_id: str, *, auth: Headers) -> None:
        """A start on the thread was sent and came to nothing, or may yet. If it was made for that
        start alone it is removed some time later, with the credentials `auth`."""

    def concerns(self, thread_id: str) -> bool:
        """Whether the thread may be about to be removed."""

    async def spare(self, thread_id: str) -> None:
        """Somebody wants to start on the thread: it stays, unless its removal is under way; then
        this returns when that is over."""


class Remaining(Protocol):
    """What is left of budgets that are nearly spent, as supervisors are told with every answer;
    None, at no cost, where none is."""

    def of_task(self, task_id: str) -> bytes | None:
        """Of those that the task counts to."""

    def of_start(self, intent: Intent) -> bytes | None:
        """Of those that a start which was let in counts to."""


class TaskEnder(Protocol):
    """Ends whole tasks."""

    async def end_task(
        self,
        task_id: str,
        *,
        by: EndedBy,
        reason: str,
        wait_s: float,
        up_to: str | None = None,
    ) -> TaskEnd:
        """Cancel whatever of the task is live, and say what became of it within `wait_s` seconds;
        what goes on then is still pursued. What began on it after the run `up_to` is left alone,
        for it is not what was judged. Raises TaskNotFound, StoreError."""


class Reaping(Protocol):
    """Ends what lifecycle rules say, by hand. Both raise StoreError."""

    async def planned(self) -> Sequence[Planned]:
        """What would be done now, and would be if every rule were enforced; nothing is."""

    async def reap(self, *, wait_s: float) -> Sequence[Reaped]:
        """Do it, and say what became of it within `wait_s` seconds."""


class PolicyKeeping(Protocol):
    """What is in force, and how to have it read again."""

    @property
    def state(self) -> PolicyState: ...

    async def reload(self, *, why: str) -> PolicyState:
        """Read the policy's files again and put in force what they say, all of it or nothing.
        Raises PolicyInvalid with every problem."""


class Auditor(Protocol):
    """Finds what went around the sidecar."""

    async def audit(self, upstreams: Sequence[str], *, most: int) -> Sequence[Audit]:
        """What each of these servers has that is not on record, at most so many ghosts of each.
        A server that does not answer is a problem in its audit. Raises StoreError."""

    async def adopt(self, chosen: Sequence[tuple[str, Ghost]]) -> Sequence[Adoption]:
        """Put ghosts on record, each with its upstream. Raises StoreError."""


class Observer(Protocol):
    """Who wants to know at once what becomes of runs. Called on the event loop, in the middle of
    requests: methods only take note and never raise. Starts are told as a run that has moved."""

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """A run was accepted, or seen in another status than before."""

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None: ...

    def thread_gone(self, upstream: str, thread_id: str) -> None: ...


class CancelObserver(Protocol):
    """Who wants to know at once that a run is to end. Called as Observer is."""

    def cancel_asked(
        self, upstream: str, thread_id: str, run_id: str, *, by: EndedBy, reason: str | None
    ) -> None: ...


class Replies(Protocol):
    """What was answered to starts that are to be made once (core.idempotency). Every method raises
    StoreError when the store cannot do it."""

    def admit_once(self, start: Start, policy: Policy, claim: Claim) -> Future[Intent | Earlier]:
        """`Store.admit`, unless the start was made before: looked up and put on record in the same
        transaction. Raises Refused where the policy denies; then nothing is kept for `claim`."""

    def settle_reply(self, taken: Taken) -> Future[None]:
        """The server took a start. Nothing happens if another stands under its key by now."""

    def forget_reply(self, key: str, intent_id: str) -> Future[None]:
        """A start came to nothing: the next one under its key is a new one."""

    async def prune_replies(self, upto: Timestamp, *, limit: int) -> int:
        """Remove at most `limit` of those made at `upto` or before, the oldest first; how many."""


class Figures(Protocol):
    """What metrics ask. Every method raises StoreError when the store cannot do it."""

    @property
    def meter(self) -> StoreMeter:
        """Commits and failures of this process."""

    @property
    def waiting(self) -> int:
        """Writes that were handed in and are not done."""

    async def census(self) -> Census:
        """How the books stand. Costs as much as there are live tasks, whatever else there is."""

    async def happened(self, after: int, *, limit: int) -> Stretch:
        """The events with a number above `after`, at most `limit` of them, added up."""

    async def used(self) -> Sequence[Used]:
        """Tokens and cost since the store was made, by upstream, agent and model, in order."""


class SpanPlaces(Protocol):
    """How far the record has been told as spans, by the names of those who tell it. Every method
    raises StoreError when the store cannot do it."""

    async def spans_claimed(self, name: str) -> int | None:
        """The number of the last event that is told, or being told; None before `begin_spans`."""

    async def begin_spans(self, *names: str) -> None:
        """Whoever of `names` has no place yet is told to begin after the newest event, all after
        the same one."""

    async def claim_spans(self, name: str, after: int, upto: int) -> bool:
        """Move a place from `after` to `upto`; whether it stood at `after`. What lies between is
        the caller's to tell then, and nobody else's."""


class Store(Replies, Figures, SpanPlaces, Protocol):
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
        """Those of the tasks that are on record, in any order: read together, at most 500."""

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
