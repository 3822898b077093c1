"""Keeps the leases of this process's sessions, on one daemon thread for each sidecar.

What must hold, whatever the sidecar does: nothing here raises into the supervisor or makes it wait,
but for the two seconds that ending sessions may take. So callers leave a note on a queue, which
never blocks, and the thread does the rest: a server that hangs, or a name that is looked up for
ever, keeps that thread waiting and nobody else. It is alive until the very end of the process, so
that the exit needs no thread of its own, which it could not start any more.

A signal handler may interrupt any of it on the main thread: the lock is reentrant and held for
moments, and so is the queue's `put`.
"""

import logging
import signal
import ssl
import threading
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from .calls import Caller, Failed, Over, Place, Renewed

_log = logging.getLogger("subagent_sidecar.client")

_TIMEOUT_S = 5.0
_HEARTBEAT_S = 60.0
_RETRY_S = (1.0, 2.0, 5.0, 10.0, 30.0)
_ROUNDS_S = 0.2
"""The least time between two rounds that nobody asked for: many sessions share one."""

IDLE_S = 600.0
"""A session that was not used for so long, and has no live task, is not kept any longer."""

LEASE_S = 900
"""The lease that is asked for where the policy has none and nobody has said."""

END_S = 2.0
"""How long anybody waits for sessions to be ended."""

LEAVE_S = 0.5
"""And how long a process that winds up by itself is kept from it."""

_OF_THE_THREAD = ("SIGABRT", "SIGBUS", "SIGFPE", "SIGILL", "SIGSEGV", "SIGSYS", "SIGTRAP")
"""Signals that a thread brings about by itself."""


@dataclass(slots=True)
class _Lease:
    """One session. `holders`: blocks that hold it whether it is used or not. `greeted`: the sidecar
    knows that it is open. Times in seconds of the monotonic clock."""

    lease_s: int | None
    due: float
    used: float
    holders: int = 0
    greeted: bool = False


@dataclass(frozen=True, slots=True)
class _End:
    """A note to end some sessions, and to say when that is done."""

    sessions: tuple[str, ...]
    reason: str
    until: float
    done: "SimpleQueue[None]" = field(default_factory=SimpleQueue)


class Keeper:
    """The sessions of one sidecar. The times are for tests."""

    def __init__(
        self,
        place: Place,
        headers: Mapping[str, str],
        *,
        ssl_context: ssl.SSLContext | None = None,
        idle_s: float = IDLE_S,
        retry_s: tuple[float, ...] = _RETRY_S,
        end_s: float = END_S,
    ) -> None:
        self._place = place
        self._headers = dict(headers)
        self._ssl_context = ssl_context
        self._idle_s = idle_s
        self._retry_s = retry_s
        self._end_s = end_s
        self._begin()

    def _begin(self) -> None:
        self._lock = threading.RLock()
        self._leases: dict[str, _Lease] = {}
        self._notes: SimpleQueue[_End | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._failures = 0
        self._retry_at = 0.0
        self._closed = False
        self._leaving: _End | None = None

    def after_fork(self) -> None:
        """A child has no thread of ours, and no business with its parent's sessions."""
        self._begin()

    @property
    def sessions(self) -> tuple[str, ...]:
        """Those whose leases are kept."""
        with self._lock:
            return tuple(self._leases)

    def use(self, session_id: str, *, lease_s: int | None = None, hold: bool = False) -> None:
        """The session is at work right now: from now on its lease is kept. `hold` it until as
        many `release`."""
        now = time.monotonic()
        with self._lock:
            if self._closed:
                return
            lease = self._leases.get(session_id)
            if lease is None:
                lease = self._leases[session_id] = _Lease(lease_s, now, now)
                self._notes.put(None)
            lease.used = now
            lease.holders += hold
            self._run()

    def release(self, session_id: str, reason: str) -> None:
        """Let go of a session that was held; the last one to do so ends it."""
        with self._lock:
            lease = self._leases.get(session_id)
            if lease is None:
                return
            lease.holders -= 1
            if lease.holders > 0:
                return
            del self._leases[session_id]
        self._end((session_id,), reason)

    def leave(self, reason: str) -> None:
        """End all sessions, and wait a moment for it. What is used afterwards is open again."""
        with self._lock:
            sessions = tuple(self._leases)
            self._leases.clear()
        if sessions:
            note = _End(sessions, reason, time.monotonic() + self._end_s)
            self._notes.put(note)
            self._leaving = None if self._said(note, at_most=LEAVE_S) else note

    def close(self, reason: str, *, end: bool = True) -> None:
        """Keep nothing any longer and, if they are to `end`, say so of all sessions."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            sessions = tuple(self._leases)
            self._leases.clear()
        if self._leaving is not None:
            self._said(self._leaving)
        if end and sessions:
            self._end(sessions, reason)

    def _end(self, sessions: tuple[str, ...], reason: str) -> None:
        """Returns when it is said, or when it took too long."""
        note = _End(sessions, reason, time.monotonic() + self._end_s)
        self._notes.put(note)
        self._said(note)

    def _said(self, note: _End, *, at_most: float = END_S) -> bool:
        """Wait for it; whether it is."""
        left = min(note.until - time.monotonic(), at_most)
        try:
            note.done.get(timeout=max(0.0, left))
        except Empty:
            return False
        return True

    def _run(self) -> None:
        """Start the thread, unless it runs."""
        if self._thread is not None and self._thread.is_alive():
            return
        self._thread = threading.Thread(
            target=self._main, args=(self._notes,), name="subagent-sidecar-leases", daemon=True
        )
        with suppress(RuntimeError):  # no more threads: the process is at its end
            self._thread.start()

    # On the thread

    def _main(self, notes: "SimpleQueue[_End | None]") -> None:
        _leave_signals_to_others()
        caller = Caller(self._place, self._headers, self._ssl_context)
        while True:
            note = None
            with suppress(Empty):
                note = notes.get(timeout=self._pause())
            try:
                if note is not None:
                    self._say(caller, note)
                self._round(caller)
            except Exception:  # noqa: BLE001 - whatever it is, the supervisor goes on
                caller.close()
                self._failed("cannot be asked", trace=True)

    def _pause(self) -> float | None:
        """How long there is nothing to do; None: until there is a note."""
        with self._lock:
            due = min((lease.due for lease in self._leases.values()), default=None)
        if due is None:
            return None
        return max(_ROUNDS_S, max(due, self._retry_at) - time.monotonic())

    def _say(self, caller: Caller, note: _End) -> None:
        try:
            for session_id in note.sessions:
                left = note.until - time.monotonic()
                if left <= 0:
                    raise Failed("takes too long")
                caller.end(session_id, note.reason, timeout_s=left)
        except (Failed, Over) as error:
            self._failed(str(error), what="not all sessions were ended")
        finally:
            note.done.put(None)

    def _round(self, caller: Caller) -> None:
        """Renew what is due; after a failure the rest waits for the next try."""
        now = time.monotonic()
        if now < self._retry_at:
            return
        with self._lock:
            due = [(name, lease) for name, lease in self._leases.items() if lease.due <= now]
        for session_id, lease in due:
            try:
                if not self._forgotten(caller, session_id, lease):
                    self._renew(caller, session_id, lease)
            except Failed as error:
                self._failed(str(error))
                return
            self._answered()

    def _forgotten(self, caller: Caller, session_id: str, lease: _Lease) -> bool:
        """Forget a session that nobody uses and that has nothing running. It is not ended, for it
        may be taken up again; and a lease that has lapsed harms nothing that is started later."""
        if not self._idle(lease) or caller.live_tasks(session_id, timeout_s=_TIMEOUT_S):
            return False
        with self._lock:
            return self._idle(lease) and self._leases.pop(session_id, None) is not None

    def _idle(self, lease: _Lease) -> bool:
        return lease.holders <= 0 and time.monotonic() - lease.used >= self._idle_s

    def _renew(self, caller: Caller, session_id: str, lease: _Lease) -> None:
        with self._lock:
            if self._leases.get(session_id) is not lease:
                return  # it was ended meanwhile: a heartbeat would open it again
        try:
            renewed = self._beat(caller, session_id, lease)
        except Over as over:
            lease.greeted = False
            _log.warning("%s; this process goes on with it, and says so", over)
            renewed = self._beat(caller, session_id, lease)
        if not renewed.held and lease.lease_s is None:
            lease.lease_s = LEASE_S
            renewed = self._beat(caller, session_id, lease)
        lease.due = time.monotonic() + (renewed.every_s or _HEARTBEAT_S)

    def _beat(self, caller: Caller, session_id: str, lease: _Lease) -> Renewed:
        renewed = caller.heartbeat(
            session_id, lease_s=lease.lease_s, reopen=not lease.greeted, timeout_s=_TIMEOUT_S
        )
        lease.greeted = True
        return renewed

    def _failed(
        self, how: str, *, what: str = "leases are not renewed meanwhile", trace: bool = False
    ) -> None:
        """One line an outage."""
        if self._failures == 0:
            _log.warning(
                "the sidecar at %s %s: %s", self._place, how, what, exc_info=True if trace else None
            )
        pause = self._retry_s[min(self._failures, len(self._retry_s) - 1)]
        self._failures += 1
        self._retry_at = time.monotonic() + pause

    def _answered(self) -> None:
        if self._failures:
            _log.info("the sidecar at %s is back: leases are renewed", self._place)
        self._failures, self._retry_at = 0, 0.0


def _leave_signals_to_others() -> None:
    """The system hands a signal to any thread that takes it, and then the main thread, which is to
    handle it, may sleep on: a Ctrl-C that came to us would do nothing."""
    if hasattr(signal, "pthread_sigmask"):
        own = {number for number in signal.valid_signals() if _name(number) in _OF_THE_THREAD}
        signal.pthread_sigmask(signal.SIG_BLOCK, signal.valid_signals() - own)


def _name(number: int) -> str:
    return getattr(number, "name", "")  # real-time signals have none
