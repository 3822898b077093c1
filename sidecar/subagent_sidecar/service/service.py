"""Starts, and what stands around them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from random import getrandbits

from ..core import lifecycle
from ..core.changes import Accepted, Adopted, Doubted, NewRun, Released, Start
from ..core.idempotency import Claim, Earlier, Repeated
from ..core.matching import Scope
from ..core.model import Intent, Item, RunStatus, Timestamp, timestamp
from ..core.policy import Policy
from ..core.principal import ANONYMOUS, Principal
from ..core.quick import made
from ..core.refusal import Refused
from ..core.signs import Signs
from ..errors import StoreError
from ..ports import Began, Clock, Observer, ServerRun, Store
from ..recorder import EASING, Recorder
from ..sessions import Listener, Sessions
from .cancels import Cancels
from .levers import Levers
from .memory import Memory
from .polls import Polls
from .refusals import Refusals
from .sightings import Sightings
from .usage import Usage

_new_run, _new_accepted = made(NewRun), made(Accepted)


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
        self._second = -1
        self._head = ""
        self._memory = Memory()
        self._observers: list[Observer] = []
        self._began: list[Began] = []
        recorder = self._recorder = Recorder(store)
        self._refusals = Refusals(recorder)
        self.sessions = Sessions(
            store=store, recorder=recorder, now=self.now, monotonic=clock.monotonic
        )
        self.seen = Sightings(
            recorder=recorder, memory=self._memory, observers=self._observers, now=self.now
        )
        self.polls = Polls(recorder=recorder, memory=self._memory, now=self.now)
        self.cancels = Cancels(store=store, recorder=recorder, now=self.now)
        self.usage = Usage(recorder=recorder, signs=self.signs, monotonic=clock.monotonic)
        self.levers = Levers(recorder=recorder, now=self.now)

    def observe(
        self, observer: Observer, *, began: Began | None = None, ends_only: bool = False
    ) -> None:
        """Tell `observer` of everything that moves from now on; of starts by way of `began` if it
        has one, and not at all where it is there for ends only."""
        self._observers.append(observer)
        if not ends_only:
            self._began.append(began or partial(_tell_one_by_one, observer))

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
        second, micros = divmod(self._clock.unix_us(), 1_000_000)
        if second != self._second:
            self._second = second
            self._head = timestamp(datetime.fromtimestamp(second, UTC))[:-7]
        return f"{self._head}{str(1_000_000 + micros)[1:]}Z"

    # Starts

    async def admit(
        self,
        upstream: str,
        supervisor: str,
        request_id: str | None = None,
        thread_id: str | None = None,
        header_session: str | None = None,
        body_session: str | None = None,
        agent_name: str | None = None,
        assistant_id: str | None = None,
        strategy: str | None = None,
        purpose: str | None = None,
        fingerprint: str | None = None,
        items: Sequence[Item] = (),
        batch: bool = False,
        cron: bool = False,
        trace_parent: str | None = None,
        agents: tuple[str, ...] = (),
        every_task: bool = True,
        claim: Claim | None = None,
    ) -> Intent:
        """Hold a start against the policy, and make it durable before it is sent. Raises Refused,
        or StoreError: then it must not be sent.

        The arguments are what the request says about itself, None where it is silent;
        `fingerprint` is equal for equal instructions, `items` are the runs of a batch, and
        `trace_parent` is the context of a trace that is recorded. `agents` are what the caller may
        start, empty for all. With a `claim` it raises
        Repeated where the start was made before.
        """
        # Unique, not secret; urandom would yield the GIL.
        intent_id = getrandbits(128).to_bytes(16, "big").hex()
        start = Start(  # in their order: by their names it takes three times as long
            request_id or intent_id,
            intent_id,
            upstream,
            supervisor,
            self.now(),
            thread_id,
            header_session,
            body_session,
            agent_name,
            assistant_id,
            strategy,
            purpose if self._keep_purpose else None,
            fingerprint,
            tuple([_kept(item, self._keep_purpose) for item in items]) if items else (),
            batch,
            cron,
            trace_parent,
            agents,
            every_task,
        )
        self._recorder.enter_about(thread_id, header_session, body_session)
        unentered = self._recorder.unentered
        try:
            if claim is None:
                return await self._store.admit(start, self.policy)
            return await self._admit_once(start, claim)
        except Refused as refused:
            if not any(isinstance(change, EASING) for change in unentered):
                self._refusals.tell(refused)
                raise
        self._recorder.enter()  # what was seen to end by now may be just what was in the way
        try:
            return await self._admit_once(start, claim)
        except Refused as refused:
            self._refusals.tell(refused)
            raise

    async def _admit_once(self, start: Start, claim: Claim | None) -> Intent:
        if claim is None:
            return await self._store.admit(start, self.policy)
        self._recorder.enter()  # whether the run that may be meant has ended
        admitted = await self._store.admit_once(start, self.policy, claim)
        if isinstance(admitted, Earlier):
            raise Repeated(admitted)
        return admitted

    def accepted(self, intent: Intent, runs: Sequence[ServerRun]) -> None:
        """The server answered a start with these runs."""
        upstream, memory = intent.upstream, self._memory
        new, over, threads = [], [], []
        for run in runs:
            run_id, thread_id = run.run_id, run.thread_id
            status = lifecycle.RUN_WORDS.get(run.status, RunStatus.PENDING)
            memory.homes.setdefault(thread_id, upstream)
            memory.statuses[upstream, run_id] = status
            memory.threads.pop((upstream, thread_id), None)
            began = _new_run(run_id=run_id, thread_id=thread_id, status=status)
            new.append(began)
            threads.append(thread_id)
            if status in lifecycle.ENDS:
                over.append(began)
        accepted = _new_accepted(intent=intent, at=self.now(), runs=tuple(new))
        self._recorder.post(accepted, about=threads)
        if over:
            for observer in self._observers:
                _tell_one_by_one(observer, upstream, over)
            new = [run for run in new if run not in over]
        if new:
            for tell in self._began:
                tell(upstream, new)

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

    # What is known of threads and agents

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

    async def depth_under(self, session_id: str | None, principal: Principal = ANONYMOUS) -> int:
        """The depth of a task that `principal` starts in the session."""
        if session_id is None:
            return 0
        try:
            parent = await self._store.task(session_id)
        except StoreError:
            return 0
        if parent is None or not principal.sees(parent.task.supervisor):
            return 0
        return parent.task.depth + 1

    # What is told, and on record

    async def flush(self) -> None:
        """Wait until everything told so far is on record (or the store has refused it)."""
        self.polls.hand_in()
        self.sessions.hand_in()
        self._refusals.hand_in()
        await self._recorder.flush()

    async def entered(self) -> None:
        """`flush`, without polls and repeated refusals: cheap enough to call before reading."""
        self.sessions.hand_in()
        await self._recorder.entered()

    async def refusals_entered(self) -> None:
        """`entered`, with the refusals that are still being counted: for who is about to read
        them."""
        self._refusals.hand_in()
        await self.entered()


def _kept(item: Item, purpose: bool) -> Item:
    return item if purpose or item.purpose is None else replace(item, purpose=None)


def _tell_one_by_one(observer: Observer, upstream: str, runs: Sequence[NewRun]) -> None:
    for run in runs:
        observer.run_moved(upstream, run.thread_id, run.run_id, run.status)
