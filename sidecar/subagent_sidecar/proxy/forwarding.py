"""Sending a request on and its answer back; reading what the answer tells on the way."""

import logging
from collections.abc import Callable

from aiohttp import web

from ..core.wire import Act
from ..credentials import Credentials
from ..ports import Exchange, Outgoing, Remaining, ServerRun
from ..service import Service
from . import answering, headers, peek
from .calls import Call
from .coalescing import Answer, Coalescer
from .explaining import Explainer, Whole

_log = logging.getLogger(__name__)

OnEnd = Callable[[bytes | None], None]
"""Called when an answer was passed on to its end, with its body if it was short enough to keep;
None when it was too long. Not called for answers that broke off."""


async def send(call: Call, outgoing: Outgoing) -> Exchange:
    """The head of the answer, and whatever of the body came with it."""
    exchange = await call.target.client.send(outgoing)
    call.request.waited_s += exchange.waited_s
    if call.target.denials is not None:
        note_denial(call, exchange.status)
    return exchange


def note_denial(call: Call, status: int) -> None:
    """With credentials of ours, who is refused is the sidecar, whoever asked."""
    if status in (401, 403) and call.target.denials is not None:
        call.target.denials.denied(call.target.name, status)


async def give_back(
    call: Call,
    exchange: Exchange,
    on_end: OnEnd | None = None,
    *,
    tap: Callable[[bytes], None] | None = None,
) -> answering.Sent:
    """Pass an answer on as it comes. A client that leaves drops the upstream connection.

    `tap` is shown each piece of a body that comes in pieces; `on_end` the whole of a short one.
    """
    if exchange.body is not None:
        sent = give_whole(call, exchange, exchange.body)
        if on_end is not None:
            on_end(exchange.body)
        return sent
    fields, length = call.answer_fields(exchange)
    kept = _Kept(tap) if on_end is not None or tap is not None else None
    call.request.timed = False
    call.target.meter.streams += 1
    try:
        sent = await answering.stream(
            call.request,
            exchange.status,
            exchange.reason,
            fields,
            exchange.chunks(),
            length=length,
            tap=kept.add if kept else None,
        )
    except BaseException:
        exchange.abort()
        raise
    finally:
        call.target.meter.streams -= 1
    if on_end is not None and kept is not None and sent.whole:
        on_end(kept.body)
    return sent


def give_whole(call: Call, exchange: Exchange, body: bytes) -> answering.Sent:
    """`give_back` of an answer whose `body` is all here."""
    fields, length = call.answer_fields(exchange)
    return answering.send(
        call.request, exchange.status, fields, body, reason=exchange.reason, length=length
    )


class _Kept:
    """A copy of a passing body, given up when it grows too long to be read."""

    def __init__(self, tap: Callable[[bytes], None] | None) -> None:
        self._tap = tap
        self._parts: list[bytes] = []
        self._size = 0

    def add(self, piece: bytes) -> None:
        if self._tap is not None:
            self._tap(piece)
        self._size += len(piece)
        if self._size <= peek.PEEK_LIMIT:
            self._parts.append(piece)
        elif self._parts:
            self._parts.clear()

    @property
    def body(self) -> bytes | None:
        return b"".join(self._parts) if self._size <= peek.PEEK_LIMIT else None


_TRIES = 3


class Polls:
    """Reads of a run or a thread: shared between identical ones, and looked into. Without an
    `explainer` every answer is passed on as it came."""

    def __init__(
        self,
        service: Service,
        coalescer: Coalescer,
        credentials: Credentials,
        explainer: Explainer | None = None,
        remaining: Remaining | None = None,
    ) -> None:
        self._credentials = credentials
        self._service = service
        self._coalescer = coalescer
        self._explainer = explainer
        self._remaining = remaining

    async def serve(self, call: Call) -> web.StreamResponse:
        thread_id = call.meaning.thread_id
        assert thread_id is not None
        outgoing = call.outgoing(timeout=call.limits.answer_timeout_s)
        if self._remaining is not None:
            call.budget = self._remaining.of_task(thread_id)
        if call.meaning.act is Act.RUN_GET:
            self._service.polls.polled(thread_id)
        if not self._coalescer.enabled or call.incoming.body is not None:
            return await self._alone(call, outgoing)
        key = (call.target.name, outgoing.target, call.prefix, *call.sharing)
        unshared: list[Exchange] = []

        async def ask() -> Answer | None:
            exchange = await self._ask(call, outgoing)
            if exchange.body is None or _is_personal(exchange):
                unshared.append(exchange)
                return None
            if _has_news(exchange):
                self._look(call, exchange, exchange.body)
            fields, _ = call.answer_fields(exchange)
            return Answer(exchange.status, exchange.reason, fields, exchange.body)

        for _ in range(_TRIES):
            answer = await self._coalescer.share(key, thread_id, ask)
            if not call.request.waited_s:
                call.request.timed = False  # somebody else asked
            if answer is not None:
                return answering.send(
                    call.request, answer.status, answer.fields, answer.body, reason=answer.reason
                )
            if unshared:
                return await self._pass_on(call, unshared[0])
            # Whoever asked for all left before the answer came: one of those left asks again.
        return await self._alone(call, outgoing)

    async def _alone(self, call: Call, outgoing: Outgoing) -> web.StreamResponse:
        return await self._pass_on(call, await self._ask(call, outgoing))

    async def _ask(self, call: Call, outgoing: Outgoing) -> Exchange:
        exchange = await send(call, outgoing)
        explainer = self._explainer
        if explainer is not None and explainer.concerns(call.target.name, call.meaning):
            return await explainer.explained(call, outgoing, exchange, self._look)
        return exchange

    async def _pass_on(self, call: Call, exchange: Exchange) -> web.StreamResponse:
        def on_end(body: bytes | None) -> None:
            if body is not None and _has_news(exchange):
                self._look(call, exchange, body)

        if exchange.body is None:
            return await give_back(call, exchange, on_end)
        sent = give_whole(call, exchange, exchange.body)
        on_end(exchange.body)
        return sent

    def _look(self, call: Call, exchange: Exchange, body: bytes) -> None:
        if call.meaning.act is Act.RUN_GET:
            run = peek.run_in(body, exchange.headers)
            if run is not None and run.run_id == call.meaning.run_id:
                self._run_seen(call, call.meaning.thread_id or "", run)
            return
        plain = peek.readable(body, exchange.headers)
        if plain is not None and (thread := peek.thread(plain)) is not None:
            self._service.seen.thread(call.target.name, *thread)

    def _run_seen(self, call: Call, thread_id: str, run: ServerRun) -> None:
        upstream, seen = call.target.name, self._service.seen
        if seen.is_news(upstream, run.run_id, run.status):
            seen.run(upstream, thread_id, run.run_id, run.status, created_at=run.created_at)
            self._credentials.keep(thread_id, call.auth)


def _has_news(exchange: Exchange) -> bool:
    """Whether an answer is to be looked into; the explainer's were, before they were changed."""
    return exchange.status == 200 and not isinstance(exchange, Whole)


def _is_personal(exchange: Exchange) -> bool:
    return headers.first(exchange.headers, b"set-cookie") is not None


async def through(
    call: Call, on_end: OnEnd | None = None, *, tap: Callable[[bytes], None] | None = None
) -> web.StreamResponse:
    """Forward a request as it is. No deadline: nobody knows how long a custom route may take,
    and a client that has waited enough leaves."""
    return await give_back(call, await send(call, call.outgoing()), on_end, tap=tap)
