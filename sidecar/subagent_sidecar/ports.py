"""What the service needs from the outside, as small protocols.

The classes behind them are chosen in `compose.py`; the public fakes are in `testing`.
"""

from asyncio import Future
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from .core.changes import Change, Start
from .core.model import (
    Event,
    Intent,
    RunStatus,
    Task,
    TaskPage,
    TaskQuery,
    TaskRecord,
    Thread,
    ThreadStatus,
    Timestamp,
)
from .core.quick import quick

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
    is either read to its end or aborted.
    """

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
    """A run as an agent server tells it. `status` is the server's own word."""

    run_id: str
    thread_id: str
    status: str
    created_at: str | None = None
    request_id: str | None = None


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

    async def messages(self, thread_id: str, *, auth: Headers = ()) -> Sequence[Any] | None:
        """The messages of the thread's newest checkpoint, as the server writes them: also while
        a run is going on. None where the server does not show its state."""

    async def cancel(
        self, thread_id: str, run_id: str, *, rollback: bool = False, auth: Headers = ()
    ) -> bool:
        """Ask the server to cancel one run. Whether it said yes, which proves nothing; no means
        that it has nothing to cancel: the run is over, or was never there."""

    async def outcome(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> str | None:
        """Wait until the run ends and say how: "success" or "error" (the join route)."""


class Doubts(Protocol):
    """Finds out what became of starts whose answer never came."""

    def doubt(self, intent: Intent, reason: str, *, auth: Headers, answered: bool) -> None:
        """`answered`: the server did answer, so the start cannot still be on its way."""


class Follower(Protocol):
    """Sees a run whose end is near through to it. Both return at once."""

    def follow(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        *,
        auth: Headers,
        cancelled: bool = False,
        patiently: bool = False,
    ) -> None:
        """Read the run until it has ended. `cancelled`: a cancel was accepted, so a run that is
        gone was rolled back. `patiently`: its end may be far away."""

    def follow_stateless(
        self, upstream: str, thread_id: str, run_id: str, *, auth: Headers
    ) -> None:
        """Wait for the outcome of a run whose thread the server deletes when it ends."""


class Observer(Protocol):
    """Who wants to know at once what becomes of runs. Called on the event loop, in the middle of
    requests: methods only take note and never raise. Starts are told as a run that has moved."""

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """A run was accepted, or seen in another status than before."""

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None: ...

    def thread_gone(self, upstream: str, thread_id: str) -> None: ...


class Store(Protocol):
    """The books. Every method raises StoreError when the store cannot do it."""

    def admit(self, start: Start) -> Future[Intent]:
        """Decide and reserve in one transaction; durable when the future resolves."""

    def apply(self, changes: Sequence[Change]) -> Future[None]:
        """Enter `changes`, all or none, in order; durable when the future resolves.

        `admit` and `apply` take effect in the order in which they were called, whether or not
        the caller awaits what they return.
        """

    async def thread(self, thread_id: str) -> Thread | None: ...

    async def task(self, task_id: str) -> TaskRecord | None: ...

    async def tasks_named(self, fragment: str, *, limit: int) -> Sequence[str]:
        """At most `limit` ids of tasks that begin or end with `fragment`, or else whose last 8
        characters begin with it."""

    async def tasks(self, query: TaskQuery) -> TaskPage: ...

    async def live_tasks(self, upstream: str, *, limit: int) -> Sequence[Task]:
        """The live tasks on an upstream, oldest first."""

    async def events(self, task_id: str, *, limit: int) -> Sequence[Event]:
        """The newest `limit` events of a task, oldest first."""

    async def open_intents(self, *, before: Timestamp) -> Sequence[Intent]:
        """Intents made before `before` whose outcome is not on record, oldest first."""

    async def check(self) -> str:
        """One sentence on the store's health and version; raises StoreError if it is unusable."""

    async def aclose(self) -> None:
        """Finish what was handed in, then close."""
