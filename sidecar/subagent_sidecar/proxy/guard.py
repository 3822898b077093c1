"""Requests of those who do not see every task: one place that all of them pass.

What must hold says `core.access`, whose things are `owners`. What is another's is answered as what
is not there: the same status, the same words, the same work.
"""

import json
from collections.abc import Awaitable, Callable, Mapping
from contextlib import ExitStack
from typing import Any

import msgspec
from aiohttp import web

from ..core.access import Rule, spelt
from ..core.owners import Owner
from ..core.wire import Act
from ..errors import (
    BadBody,
    BodyTooLarge,
    NeedsEveryTask,
    RunNotFound,
    StoreError,
    ThreadExists,
    ThreadNotFound,
    UpstreamRefused,
)
from ..ports import AgentServer, Exchange
from ..service import Service
from . import forwarding, named_threads, peek
from .calls import Call
from .explaining import ABOUT_THE_BYTES, Whole, plain_question, whole
from .owners import Owners

Serve = Callable[[Call], Awaitable[web.StreamResponse]]

_SEARCHED = 1_000
"""So many of their newest tasks are looked among."""
READ_BY_GUARD = frozenset({Rule.LIST, Rule.OWN, Rule.COPY, Rule.START})
"""Rules by which bodies are read that nobody else needs to understand."""
_TELLING = ABOUT_THE_BYTES | {b"x-pagination-total"}
_NO_ID = frozenset({400, 422})
"""What servers answer who take nothing but UUIDs for ids: they have no such thread."""


class _Listed(msgspec.Struct):
    thread_id: Any = None
    status: Any = None


class Guard:
    """`servers` are asked whether they have a thread of which nothing is on record."""

    def __init__(
        self, *, owners: Owners, service: Service, servers: Mapping[str, AgentServer]
    ) -> None:
        self._owners = owners
        self._service = service
        self._servers = servers

    async def home(self, supervisor: str, thread_id: str) -> str | None:
        """The upstream on which a thread is the supervisor's."""
        return await self._owners.home(supervisor, thread_id)

    async def serve(self, call: Call, rule: Rule, serve: Serve) -> web.StreamResponse:
        """`serve(call)`, if it may be. Raises what says that it may not."""
        match rule:
            case Rule.OPEN:
                return await serve(call)
            case Rule.OWN:
                await self._own(call)
                return await serve(call)
            case Rule.START:
                thread_id = call.meaning.thread_id
                await self._own_beside(call)
                return await self._start(call, [] if thread_id is None else [thread_id], serve)
            case Rule.CREATE:
                return await self._create(call, serve)
            case Rule.COPY:
                await self._own(call)
                return await self._copy(call)
            case Rule.LIST:
                return await self._list(call)
            case Rule.CANCEL:
                await self._cancelled(call)
                return await serve(call)
            case Rule.A2A:
                named = named_threads.contexts(named_threads.body_of(call))
                for thread_id in named.there:
                    await self._own_thread(call, thread_id)
                return await self._start(call, sorted(named.perhaps), serve)
            case Rule.MCP:
                named_threads.only_harmless(named_threads.body_of(call))
                return await serve(call)
            case Rule.CLOSED:
                raise closed(call.request.method, call.raw_target)

    # What is there

    async def _own(self, call: Call) -> None:
        thread_id, run_id = call.meaning.thread_id or "", call.meaning.run_id
        await self._own_thread(call, thread_id)
        await self._own_beside(call)
        if run_id is not None and not await self._owners.has_run(thread_id, run_id):
            raise RunNotFound("Run not found")

    async def _own_beside(self, call: Call) -> None:
        """What a request names beside the thread in its path must be there already."""
        for thread_id in named_threads.beside(call) - {call.meaning.thread_id}:
            await self._own_thread(call, thread_id)

    async def _own_thread(self, call: Call, thread_id: str) -> None:
        if await self._owners.of(thread_id, _caller(call)) != _caller(call):
            raise _not_found(thread_id)

    async def _cancelled(self, call: Call) -> None:
        thread_id, run_ids = named_threads.cancelled(named_threads.body_of(call))
        own = await self._owners.of(thread_id, _caller(call)) == _caller(call)
        for run_id in run_ids:
            if not (own and await self._owners.has_run(thread_id, run_id)):
                raise RunNotFound("No runs found to cancel.")
        if not own:
            raise RunNotFound("No runs found to cancel.")

    # What may be new

    async def _start(self, call: Call, threads: list[str], serve: Serve) -> web.StreamResponse:
        """Threads that are not there are the caller's from here on: nobody else may come between
        the look and the start's being on record."""
        with ExitStack() as claims:
            for thread_id in threads:
                mine = claims.enter_context(self._owners.claim(thread_id, _caller(call)))
                if not mine or not await self._may_be(call, thread_id):
                    raise _not_found(thread_id)
            return await serve(call)

    async def _may_be(self, call: Call, thread_id: str) -> bool:
        """Whether a thread is the caller's, or nobody's: neither on record nor on the server. One
        that was made past the sidecar is not for the first who names it."""
        owner = await self._owners.of(thread_id, _caller(call))
        if owner is not None:
            return owner == _caller(call)
        if call.meaning.act is Act.RUN_START and not named_threads.creates(call):
            return False  # its server would say so in words of its own
        try:
            server = self._servers[call.target.name]
            return await server.thread_status(thread_id, auth=call.auth) is None
        except UpstreamRefused as refused:
            if refused.answered not in _NO_ID:
                raise
            return True

    async def _create(self, call: Call, serve: Serve) -> web.StreamResponse:
        thread_id = named_threads.made_as(named_threads.body_of(call))
        if thread_id is None:
            return await serve(call)
        with self._owners.claim(thread_id, _caller(call)) as mine:
            if not mine or not await self._may_be(call, thread_id):
                raise _exists(thread_id)
            return await serve(call)

    async def made(self, call: Call, exchange: Exchange, note: Callable[[str], None]) -> Exchange:
        """The answer to the making of a thread, before it is given: the thread is the caller's, and
        `note`d for the record. Raises ThreadExists where it is somebody else's, whatever the
        request seemed to say."""
        exchange = await whole(exchange)
        if exchange.body is None or not 200 <= exchange.status < 300:
            return exchange
        thread = peek.thread(peek.readable(exchange.body, exchange.headers) or b"")
        if thread is not None:
            await self._made(call, thread[0], note)
        return exchange

    async def _made(self, call: Call, thread_id: str, note: Callable[[str], None]) -> None:
        caller, noted = _caller(call), False
        try:
            if await self._owners.of(thread_id, caller) not in (None, caller):
                raise _exists(thread_id)
            noted = True
            note(thread_id)
            if not await self._owners.made(caller, thread_id):
                raise _exists(thread_id)
        except StoreError:
            if named_threads.made_as(named_threads.body_of(call)) is not None:
                raise
            # An id of the server's own choice is nobody else's: the record learns of it in time.
            self._owners.remember(caller, thread_id)
            if not noted:
                note(thread_id)

    async def _copy(self, call: Call) -> web.StreamResponse:
        def note(thread_id: str) -> None:
            self._service.seen.thread_made(
                thread_id,
                upstream=call.target.name,
                supervisor=call.supervisor,
                session_id=None,
                agent_name=None,
            )

        sent = await forwarding.send(call, call.outgoing())
        return await forwarding.give_back(call, await self.made(call, sent, note))

    # What is listed

    async def _list(self, call: Call) -> web.StreamResponse:
        """A search, among the caller's own threads. The server is told which they are, so that
        pages and counts are as if there were no others; what it finds is looked through all the
        same, for not every server heeds it."""
        body = named_threads.body_of(call)
        if not isinstance(body, dict):
            raise BadBody("a search is a JSON object")
        ids = await self._among(call, body.get("ids"))
        if not ids:
            return await forwarding.give_back(call, _found(200, (), b"[]"))
        asked = json.dumps({**body, "ids": ids}).encode()
        outgoing = plain_question(call.outgoing(body=asked))
        exchange = await whole(await forwarding.send(call, outgoing))
        if exchange.status != 200:
            return await forwarding.give_back(call, exchange)
        if exchange.body is None:
            exchange.abort()
            raise BodyTooLarge(
                f"this search finds more than {peek.PEEK_LIMIT} bytes; ask for fewer (limit), or "
                "for less of each (select)"
            )
        shown = await self._own_of(call, peek.readable(exchange.body, exchange.headers) or b"")
        return await forwarding.give_back(call, _found(200, exchange.headers, shown))

    async def _among(self, call: Call, ids: object) -> list[str]:
        caller = _caller(call)
        if ids is None:
            return list(await self._owners.newest(caller, limit=_SEARCHED))
        asked = [spelt(one) for one in ids if isinstance(one, str)] if isinstance(ids, list) else []
        theirs = await self._owners.of_all(asked[:_SEARCHED], caller)
        return [one for one in asked if theirs.get(one) == caller]

    async def _own_of(self, call: Call, body: bytes) -> bytes:
        try:
            found = _LIST.decode(body)
            heads = [_HEAD.decode(each) for each in found]
        except (msgspec.DecodeError, UnicodeError, RecursionError):
            return b"[]"
        ids = [head.thread_id for head in heads if isinstance(head.thread_id, str)]
        theirs = await self._owners.of_all(ids, _caller(call))
        kept: list[bytes] = []
        for head, raw in zip(heads, found, strict=True):
            if isinstance(head.thread_id, str) and theirs.get(head.thread_id) == _caller(call):
                self._service.seen.thread(call.target.name, head.thread_id, head.status)
                kept.append(bytes(raw))
        return b"[" + b",".join(kept) + b"]"


_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_HEAD = msgspec.json.Decoder(_Listed)


def closed(method: str, target: str) -> NeedsEveryTask:
    """What is said of a request that would reach beyond the caller's own tasks, or may."""
    return NeedsEveryTask(
        f"{method} {target.partition('?')[0][:200]} is closed to supervisors that see only their "
        "own tasks: it is about everybody's, or nobody can tell whose it is about. A key made with "
        "--every-task may ask for it"
    )


def _caller(call: Call) -> Owner:
    return Owner(call.target.name, call.supervisor)


def _not_found(thread_id: str) -> ThreadNotFound:
    return ThreadNotFound(f"Thread with ID {thread_id[:80]} not found")


def _exists(thread_id: str) -> ThreadExists:
    return ThreadExists(f"Thread with ID {thread_id[:80]} already exists")


def _found(status: int, fields: Any, body: bytes) -> Whole:
    kept = [field for field in fields if field[0].lower() not in _TELLING]
    if not kept:
        kept = [(b"content-type", b"application/json")]
    return Whole(status=status, reason=b"OK", headers=kept, body=body)
