"""Starts that are sent more than once and made only once; the rules are core.idempotency's.

    a key? -> is it being made here? -> wait for what becomes of it, and answer the same
                                  no -> be the first: the store admits it, or says what there is
                                        -> answer that again, ask the server, or say it is in doubt

Requests of this process that come together wait for the first of them and share its answer,
whatever it is, so fifty at once are one start and one look at the store. Where another process is
the first, the store is asked again until it knows. Nobody waits longer than a start may take.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from aiohttp import web

from ..core.idempotency import (
    LONGEST_KEY,
    Answer,
    Asked,
    Claim,
    Repeated,
    Standing,
    claim_by_key,
    claim_by_request_id,
)
from ..core.model import Intent
from ..core.wire import DOORS, Form
from ..errors import BadHeader, BodyTooLarge, SidecarError
from ..ports import AgentServer, Clock, Exchange, ServerRun
from . import answering, headers
from .calls import Call
from .explaining import Whole
from .keeping import Keeper
from .request import DataRequest
from .retelling import answer_of, retell, reused, under_way
from .unread import is_unread

_log = logging.getLogger(__name__)

REPLAYED = (b"x-subagent-replayed", b"true")

_LOOK_AGAIN_S = 0.1


class Once:
    """Serves starts as `make` does, those with a key once."""

    def __init__(
        self,
        make: Callable[[Call], Awaitable[web.StreamResponse]],
        *,
        keeper: Keeper,
        servers: Mapping[str, AgentServer],
        clock: Clock,
    ) -> None:
        self._make_it = make
        self._keeper = keeper
        self._servers = servers
        self._clock = clock
        self._firsts: dict[str, _First] = {}

    def serve(self, call: Call) -> Awaitable[web.StreamResponse]:
        """Raises what `make` does, BadHeader for a key that is none, and what says that a
        start was made before and cannot be answered again."""
        claim = claim_of(call)
        return self._make_it(call) if claim is None else self._serve(call, claim)

    async def _serve(self, call: Call, claim: Claim) -> web.StreamResponse:
        give_up = self._clock.monotonic() + call.limits.start_timeout_s
        while (first := self._firsts.get(claim.key)) is not None:
            if first.claim.fingerprint != claim.fingerprint:
                raise reused()
            answer = await self._outcome(first, give_up)
            if answer is not None:
                return _replay(call, answer)
        return await self._be_first(call, claim, give_up)

    async def _outcome(self, first: "_First", give_up: float) -> Answer | None:
        try:
            async with asyncio.timeout(max(0.0, give_up - self._clock.monotonic())):
                return await asyncio.shield(first.outcome)
        except TimeoutError:
            raise under_way(first.task_id) from None

    async def _be_first(self, call: Call, claim: Claim, give_up: float) -> web.StreamResponse:
        streams = call.meaning.form is not Form.CREATE and call.meaning.act not in DOORS
        first = _First(claim, streams, self._keeper, lambda: self._leave(claim.key))
        self._firsts[claim.key] = first
        call.witness = first
        try:
            return await self._make(call, first, give_up)
        except SidecarError as error:
            first.fail(error)
            raise
        finally:
            first.close()

    def _leave(self, key: str) -> None:
        self._firsts.pop(key, None)

    async def _make(self, call: Call, first: "_First", give_up: float) -> web.StreamResponse:
        while True:
            try:
                sent = await self._make_it(call)
            except Repeated as repeated:
                earlier = repeated.earlier
            else:
                first.passed_on(whole=isinstance(sent, answering.Sent) and sent.whole)
                return sent
            call.request.let_go()
            if earlier.standing is Standing.UNDER_WAY and self._clock.monotonic() < give_up:
                await asyncio.sleep(_LOOK_AGAIN_S)
                continue
            server = self._servers[call.target.name]
            answer = await retell(call, first.claim, earlier, server, self._keeper)
            if answer is not None:
                first.tell(answer)
                return _replay(call, answer)
            first.claim = replace(first.claim, instead_of=earlier.reply.intent_id)


class _First:
    """The request that makes a start: calls.Witness of it, and what the others wait for.

    `outcome` is the answer they share, or None where they must see for themselves. What `streams`
    is answered with cannot be given again.
    """

    def __init__(
        self, claim: Claim, streams: bool, keeper: Keeper, leave: Callable[[], None]
    ) -> None:
        self.claim = claim
        self.outcome: asyncio.Future[Answer | None] = asyncio.get_running_loop().create_future()
        self._streams = streams
        self._keeper = keeper
        self._leave = leave
        self._intent: Intent | None = None
        self._runs: Sequence[ServerRun] | None = None
        self._nothing = False
        self._settled = False

    @property
    def task_id(self) -> str | None:
        return self._intent.thread_id if self._intent else None

    # calls.Witness

    def admitted(self, intent: Intent) -> None:
        self._intent = intent

    def accepted(self, runs: Sequence[ServerRun]) -> None:
        self._runs = runs
        if self._streams:  # its answer ends with the run: nobody waits for that
            self._settle(None)
            self.tell(None)

    def came_to_nothing(self) -> None:
        self._nothing = True
        if self._intent is not None:
            self._keeper.forget(self.claim, self._intent)

    def answered(self, exchange: Exchange, body: bytes) -> None:
        if self.outcome.done() or (self._runs is None and not self._nothing):
            return
        answer = answer_of(exchange, body)
        if not self._nothing:
            self._settle(answer)
        self.tell(answer)

    # Once

    def tell(self, answer: Answer | None) -> None:
        """What the others are to do; from here on they need not wait for this request."""
        if not self.outcome.done():
            self.outcome.set_result(answer)
            self._leave()

    def fail(self, error: SidecarError) -> None:
        """The others fail likewise: it is one start."""
        if not self.outcome.done():
            self.outcome.set_exception(error)
            self.outcome.exception()  # there may be nobody to see it
            self._leave()

    def passed_on(self, *, whole: bool) -> None:
        """The client has its answer. Of a stream it has the run's end, so the same words under
        the same request id are new ones."""
        if whole and self.claim.passing and self._streams and self._intent:
            self._keeper.forget(self.claim, self._intent)

    def close(self) -> None:
        """The request is over, however it went."""
        if self._runs is not None and not self._settled:
            self._settle(None)
        self.tell(None)

    def _settle(self, answer: Answer | None) -> None:
        if self._intent is not None:
            self._settled = True
            self._keeper.settle(self.claim, self._intent.intent_id, self._runs or (), answer)


def claim_of(call: Call) -> Claim | None:
    """What a start says about being the same as another one; None for most."""
    told = call.told
    if told.keyed and (key := key_of(call.request)) is not None:
        if is_unread(call):
            raise BodyTooLarge(
                f"a start with an Idempotency-Key has at most {call.limits.inspect_limit} bytes "
                "(inspect_limit): a longer body is not read before it is sent on"
            )
        return claim_by_key(key, _asked(call))
    if told.request_id is None or is_unread(call):
        return None
    return claim_by_request_id(told.request_id, _asked(call))


def key_of(request: DataRequest) -> str | None:
    """The Idempotency-Key of a request. Raises BadHeader for one that is none."""
    keys = request.headers.getall("idempotency-key", ())
    if not keys:
        return None
    if len(keys) > 1 or not _is_key(keys[0]):
        raise BadHeader(
            f"an Idempotency-Key is one value of 1 to {LONGEST_KEY} printable ASCII characters"
        )
    return keys[0]


def _asked(call: Call) -> Asked:
    return Asked(
        supervisor=call.supervisor,
        upstream=call.target.name,
        credentials=headers.credentials(call.fields),
        meaning=call.meaning,
        query=call.raw_target.partition("?")[2],
        body=call.incoming.whole or b"",
    )


def _is_key(value: str) -> bool:
    return 0 < len(value) <= LONGEST_KEY and value.isascii() and value.isprintable()


def _replay(call: Call, answer: Answer) -> web.StreamResponse:
    _log.debug(
        "a start sent again is answered with what the first one was: %s",
        call.meaning.thread_id or call.meaning.act,
        extra={"action": "start_replayed"},
    )
    again = Whole(status=answer.status, reason=b"", headers=answer.fields, body=answer.body)
    fields, _ = call.answer_fields(again)
    return answering.send(call.request, answer.status, [*fields, REPLAYED], answer.body)
