"""Polls of runs that one of us ended: the answer says why, so that the supervisor's model learns.

This and nothing else is where an answer is changed. Which runs it may be about is a table in
memory, so other polls pay one look-up; what is true of such a run is read from the books each
time, after what the answer itself tells was entered there.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace

import msgspec

from ..core import lifecycle
from ..core.explain import Explanation, explanation, wants_explaining
from ..core.model import EndedBy, RunStatus, TaskRecord, ThreadStatus
from ..core.splice import with_members
from ..core.wire import Act, Meaning
from ..errors import StoreError
from ..ports import Exchange, Headers, Outgoing, Store
from ..service import Service
from . import peek
from .calls import Call
from .coalescing import Coalescer

_log = logging.getLogger(__name__)

_LIMIT = 10_000
_PATIENCE_S = 2.0
"""How long the books may take to tell the reason."""

_MARK = (b"x-subagent-sidecar", b"explained")

ABOUT_THE_BYTES = frozenset(
    {b"content-encoding", b"etag", b"last-modified", b"digest", b"content-digest"}
    | {b"repr-digest", b"content-md5", b"accept-ranges"}
)
"""What a header says of the body as it was."""

_MAKES_IT_UNREADABLE = frozenset(
    {b"accept-encoding", b"range", b"if-range", b"if-match", b"if-unmodified-since"}
    | {b"if-none-match", b"if-modified-since"}
)
"""What makes a server answer with a part, with nothing, or in an encoding we cannot read."""

Look = Callable[[Call, Exchange, bytes], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """An answer with all of its body: the server's own, or what we made of it."""

    status: int
    reason: bytes
    headers: Headers
    body: bytes
    waited_s: float = 0.0

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    def abort(self) -> None:
        """There is no connection left to drop."""


class Explainer:
    """Knows the runs whose ends may be ours, the newest 10,000, and explains them."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        coalescer: Coalescer,
        patience_s: float = _PATIENCE_S,
    ) -> None:
        self._patience_s = patience_s
        self._service = service
        self._store = store
        self._coalescer = coalescer
        self._asked: dict[tuple[str, str, str], None] = {}

    async def load(self) -> None:
        """Take up what was asked for before this process began. Raises StoreError."""
        for key in await self._store.ends_asked(limit=_LIMIT):
            self._asked[key] = None

    # ports.CancelObserver, ports.Observer

    def cancel_asked(
        self, upstream: str, thread_id: str, run_id: str, *, by: EndedBy, reason: str | None
    ) -> None:
        """See ports.CancelObserver. Answers that were given before are shared no more."""
        if wants_explaining(by, reason):
            self._asked[upstream, thread_id, run_id] = None
            if len(self._asked) > _LIMIT:
                del self._asked[next(iter(self._asked))]
            self._coalescer.forget(thread_id)

    def run_moved(self, upstream: str, thread_id: str, run_id: str, status: RunStatus) -> None:
        """See ports.Observer."""
        if status is not RunStatus.INTERRUPTED and lifecycle.has_ended(status):
            self._asked.pop((upstream, thread_id, run_id), None)

    def thread_moved(self, upstream: str, thread_id: str, status: ThreadStatus) -> None:
        """See ports.Observer."""

    def thread_gone(self, upstream: str, thread_id: str) -> None:
        """See ports.Observer."""

    # Polls

    def concerns(self, upstream: str, poll: Meaning) -> bool:
        """Whether a poll is about a run whose end may have to be explained."""
        return poll.act is Act.RUN_GET and (upstream, poll.thread_id, poll.run_id) in self._asked

    async def explained(
        self, call: Call, outgoing: Outgoing, exchange: Exchange, look: Look
    ) -> Exchange:
        """`exchange`, the answer to the poll `outgoing`, or what the supervisor's model should
        read instead. `look` enters what an answer tells."""
        answer = await whole(exchange)
        if _hides_its_run(answer) and await self._ending(call) is not None:
            answer = await whole(await call.target.client.send(plain_question(outgoing)))
        if not isinstance(answer, Whole):
            return answer
        if answer.status == 404:
            return await self._gone(call, answer)
        if answer.status != 200:
            return answer
        look(call, answer, answer.body)
        plain = peek.readable(answer.body, answer.headers)
        run = None if plain is None else peek.run(plain)
        if plain is None or run is None or run.run_id != call.meaning.run_id:
            return answer
        if lifecycle.run_status(run.status) is not RunStatus.INTERRUPTED:
            return answer
        return await self._interrupted(call, answer, plain)

    async def _interrupted(self, call: Call, answer: Whole, plain: bytes) -> Whole:
        ending = await self._ending(call)
        if ending is None:
            return answer
        _, why = ending
        body = with_members(plain, {"status": why.status, "error": why.error})
        if body == plain:
            return answer  # nothing can be put in, so the header stays true as well
        return replace(answer, body=body, headers=_told_in(answer.headers))

    async def _gone(self, call: Call, answer: Whole) -> Whole:
        """A run that was rolled back is not there any more, and its end has a reason too."""
        ending = await self._ending(call)
        if ending is None:
            return answer
        record, why = ending
        fields = [f for f in _told_in(answer.headers) if f[0].lower() != b"content-type"]
        return Whole(
            status=200,
            reason=b"OK",
            headers=[*fields, (b"content-type", b"application/json")],
            body=_from_record(record, call.meaning.run_id or "", why),
        )

    async def _ending(self, call: Call) -> tuple[TaskRecord, Explanation] | None:
        """What is on record of the run's end, if it is ours. A store in trouble is no reason to
        keep the server's own answer back."""
        try:
            async with asyncio.timeout(self._patience_s):
                await self._service.entered()
                record = await self._store.task(call.meaning.thread_id or "")
        except (StoreError, TimeoutError) as error:
            _log.debug("the end of run %s stays unexplained: %r", call.meaning.run_id, error)
            return None
        if record is None or record.task.upstream != call.target.name:
            return None
        why = explanation(record, call.meaning.run_id or "")
        return None if why is None else (record, why)


async def whole(exchange: Exchange) -> Exchange:
    """`exchange` with its body read, unless that is too long (peek.PEEK_LIMIT)."""
    body = exchange.body
    if body is None:
        parts: list[bytes] = []
        size = 0
        chunks = exchange.chunks()
        try:
            async for part in chunks:
                parts.append(part)
                size += len(part)
                if size > peek.PEEK_LIMIT:
                    return _Begun(exchange, parts, chunks)
        except BaseException:
            exchange.abort()
            raise
        body = b"".join(parts)
    return Whole(
        status=exchange.status, reason=exchange.reason, headers=exchange.headers, body=body
    )


@dataclass(slots=True)
class _Begun:
    """An exchange whose body was read in part."""

    _exchange: Exchange
    _parts: list[bytes]
    _rest: AsyncIterator[bytes]
    body: None = None

    @property
    def waited_s(self) -> float:
        return self._exchange.waited_s

    @property
    def status(self) -> int:
        return self._exchange.status

    @property
    def reason(self) -> bytes:
        return self._exchange.reason

    @property
    def headers(self) -> Headers:
        return self._exchange.headers

    async def chunks(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            yield part
        async for part in self._rest:
            yield part

    def abort(self) -> None:
        self._exchange.abort()


def _hides_its_run(answer: Exchange) -> bool:
    """Whether the run cannot be read from an answer that has something to say about it."""
    if answer.status == 200 and answer.body is not None:
        return peek.readable(answer.body, answer.headers) is None
    return answer.status in (206, 304)


def plain_question(outgoing: Outgoing) -> Outgoing:
    """The same question, so that the answer is whole and readable."""
    kept = [f for f in outgoing.headers if f[0].lower() not in _MAKES_IT_UNREADABLE]
    return replace(outgoing, headers=[*kept, (b"Accept-Encoding", b"identity")], written=None)


def _told_in(fields: Headers) -> Headers:
    """The header of an answer that we wrote into."""
    return [*(field for field in fields if field[0].lower() not in ABOUT_THE_BYTES), _MARK]


def _from_record(record: TaskRecord, run_id: str, why: Explanation) -> bytes:
    """A run as servers write one, as far as we know it."""
    run = next(run for run in record.runs if run.run_id == run_id)
    return msgspec.json.encode(
        {
            "run_id": run.run_id,
            "thread_id": record.task.task_id,
            "assistant_id": run.assistant_id or record.task.assistant_id,
            "created_at": run.created_at,
            "updated_at": run.ended_at,
            "status": why.status,
            "error": why.error,
            "metadata": {},
            "kwargs": {},
            "multitask_strategy": run.strategy,
        }
    )
