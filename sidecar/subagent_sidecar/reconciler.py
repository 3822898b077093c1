"""Finds out what became of starts whose outcome is not on record, and enters it.

Runs at start-up (for what a crash left behind), whenever a start falls into doubt, and every few
seconds while any intent is open. It never cancels and never sends a start again.
"""

import asyncio
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

from .core import recovery
from .core.model import Intent, IntentKind, timestamp
from .errors import StoreError, UpstreamError, UpstreamRefused
from .ports import AgentServer, Clock, Headers, ServerRun, Store
from .service import Service

_log = logging.getLogger(__name__)

_LISTED = 100
_LONGEST_PAUSE_S = 30.0
_IN_FLIGHT = timedelta(seconds=5)
_SOON_S = 0.5
_IDLE_S = 30.0
"""Between looks while nothing is known to be open: another process on the same store may die."""

_EVER = timestamp(datetime.max.replace(tzinfo=UTC))
_CREDENTIALS_LIMIT = 1_000


class Reconciler:
    """One loop, ports.Doubts. `patience` is how long a start may be on its way."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        clock: Clock,
        servers: Mapping[str, AgentServer],
        patience: timedelta,
        interval_s: float = 1.0,
    ) -> None:
        self._service = service
        self._store = store
        self._clock = clock
        self._servers = servers
        self._patience = patience
        self._interval_s = interval_s
        self._wake = asyncio.Event()
        self._auth: dict[str, Headers] = {}
        self._answered: set[str] = set()
        self._under_way: set[str] = set()
        self._told: set[str] = set()
        self._paused: dict[str, tuple[float, float]] = {}
        self._born = timestamp(clock.now())

    def doubt(self, intent: Intent, reason: str, *, auth: Headers, answered: bool) -> None:
        """A start just fell into doubt; `auth` is what its sender would present to ask.

        Credentials are kept in memory only, until the doubt is resolved.
        """
        self._service.doubted(intent, reason)
        if len(self._auth) < _CREDENTIALS_LIMIT:
            self._auth[intent.intent_id] = auth
        if answered:
            self._answered.add(intent.intent_id)
        self._wake.set()

    @contextmanager
    def under_way(self, intent: Intent) -> Iterator[None]:
        """See ports.Doubts. Whoever waits for long is worth a look meanwhile."""
        self._under_way.add(intent.intent_id)
        delay = _IN_FLIGHT.total_seconds()
        look = asyncio.get_running_loop().call_later(delay, self._wake.set)
        try:
            yield
        finally:
            look.cancel()
            self._under_way.discard(intent.intent_id)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            self._wake.clear()  # before the look: a doubt may come while it lasts
            try:
                open_left = await self.sweep()
            except StoreError as error:
                _log.warning("cannot look for open starts: %s", error)
                open_left = 1
            try:
                async with asyncio.timeout(self._interval_s if open_left else _IDLE_S):
                    await self._wake.wait()
                await asyncio.sleep(_SOON_S)
            except TimeoutError:
                continue

    async def sweep(self) -> int:
        """One look at every open intent. Returns how many are still open.

        Left alone are young intents nobody doubts: their requests are in flight, of this process
        or of another on the same store. What an earlier process left behind is never young.
        """
        known = self._auth.keys() | self._answered | self._told
        await self._service.flush()
        old = max(timestamp(self._clock.now() - _IN_FLIGHT), self._born)
        by_upstream: dict[str, list[Intent]] = {}
        for intent in await self._store.open_intents(before=_EVER):
            if intent.in_doubt or intent.created_at < old:
                by_upstream.setdefault(intent.upstream, []).append(intent)
        async with asyncio.TaskGroup() as group:
            for upstream, intents in by_upstream.items():
                if self._clock.monotonic() >= self._paused.get(upstream, (0.0, 0.0))[0]:
                    group.create_task(self._ask(upstream, intents))
        await self._service.flush()
        left = {intent.intent_id for intent in await self._store.open_intents(before=_EVER)}
        for settled in known - left:
            self._auth.pop(settled, None)
            self._answered.discard(settled)
            self._told.discard(settled)
        return len(left)

    async def _ask(self, upstream: str, intents: Sequence[Intent]) -> None:
        """Resolve what is open on one upstream, one by one: each match must know the last one's.
        A server that does not answer is left alone for longer and longer."""
        for intent in intents:
            try:
                await self._resolve(intent)
            except UpstreamError as error:
                self._tell_once(intent, error.message)
                if not isinstance(error, UpstreamRefused):
                    _, pause = self._paused.get(upstream, (0.0, _SOON_S))
                    pause = min(pause * 2, _LONGEST_PAUSE_S)
                    self._paused[upstream] = (self._clock.monotonic() + pause, pause)
                    return
            else:
                self._paused.pop(upstream, None)
            await self._service.entered()

    async def _resolve(self, intent: Intent) -> None:
        server = self._servers.get(intent.upstream)
        if server is None:
            self._tell_once(intent, f"upstream '{intent.upstream}' is not configured any more")
            return
        if intent.thread_id is None or intent.kind is IntentKind.CRON:
            self._give_up_when_old(intent, f"a {intent.kind} start cannot be looked up")
            return
        auth = self._auth.get(intent.intent_id, ())
        listed = await server.runs(intent.thread_id, limit=_LISTED, auth=auth)
        if listed is None:
            self._give_up_when_old(intent, "the server does not show the thread's runs")
            return
        record = await self._store.task(intent.thread_id)
        known = {run.run_id for run in record.runs} if record else set()
        found = recovery.match(intent, _candidates(listed), known)
        if found is not None:
            run = next(run for run in listed if run.run_id == found.run_id)
            self._service.accepted(intent, [run])
            _log.info(
                "found the run of a start in doubt: task %s run %s",
                intent.thread_id,
                run.run_id,
                extra={"action": "intent_adopted"},
            )
        elif any(run.request_id == intent.request_id for run in listed):
            self._service.released(intent, "already on record")
        else:
            self._give_up_when_old(intent, "the server has no run for it")

    def _give_up_when_old(self, intent: Intent, why: str) -> None:
        if intent.intent_id in self._under_way:
            return
        now = timestamp(self._clock.now())
        answered = intent.intent_id in self._answered
        if answered or recovery.may_release(intent, now, self._patience):
            self._service.released(intent, why)
            _log.warning(
                "a start is given up: %s (agent %s, task %s)",
                why,
                intent.agent_name,
                intent.thread_id,
                extra={"action": "intent_released"},
            )

    def _tell_once(self, intent: Intent, why: str) -> None:
        """Say why it stays open; in the record too, so that the task can be seen and its run be
        recognised when somebody with credentials asks after it."""
        if intent.in_doubt is None:
            self._service.doubted(intent, why)
        if intent.intent_id not in self._told:
            self._told.add(intent.intent_id)
            _log.warning(
                "cannot find out what became of a start yet: %s",
                why,
                extra={"action": "intent_open"},
            )


def _candidates(listed: Sequence[ServerRun]) -> list[recovery.Candidate]:
    return [recovery.Candidate(run.run_id, run.created_at, run.request_id) for run in listed]
