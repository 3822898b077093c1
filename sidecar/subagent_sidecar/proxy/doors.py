"""Starts by other doors than the run routes: v2 commands, A2A, MCP.

Whether a request starts something stands in its body. If it does, it goes the way of all starts
(see `starts`): on record before it is sent, settled by what is answered, in doubt where nothing is.
A refusal is told in the door's own protocol.
"""

from collections.abc import Awaitable, Callable

from aiohttp import web

from ..core.model import Intent
from ..core.refusal import Refused
from ..core.trace_ids import sent_with
from ..core.wire import Act
from ..errors import Draining, KeyTooNarrow, StoreError
from ..ports import Doubts, Exchange, Outgoing
from . import answering, door_answers, forwarding, headers, peek, problems
from .assistants import Assistants
from .bodies import RunBody
from .calls import Call
from .door_answers import Declined, Taken, Unclear
from .door_bodies import Asked, asked
from .idempotency import Once
from .marks import marked
from .starts import Starts
from .telling import Telling

Serve = Callable[[Call], Awaitable[web.StreamResponse]]

_FIRST_EVENT = 1024 * 1024
"""The first event of an A2A stream holds the message that was sent."""


class Doors:
    """Serves `wire.DOORS`. While `draining` it starts nothing."""

    def __init__(
        self,
        *,
        starts: Starts,
        assistants: Assistants,
        doubts: Doubts,
        telling: Telling,
        once: Callable[[Serve], Once],
    ) -> None:
        self.starts = starts
        self._once = once(self._made)
        self._assistants = assistants
        self._doubts = doubts
        self._telling = telling
        self.draining = False

    async def serve(self, call: Call) -> web.StreamResponse:
        """Raises as Starts.serve does, but for refusals: those are answers."""
        if call.incoming.body is None:
            return await forwarding.through(call)
        start = asked(call.meaning, call.incoming.whole)
        if start is None:
            return await forwarding.through(call)
        self.admits()
        self.starts.refuse_unread(call)
        await self.starts.judge_webhook(call, None, start.thread_id)
        if "idempotency-key" in call.request.headers:
            return await self._once.serve(call)
        return await self._make(call, start)

    async def _made(self, call: Call) -> web.StreamResponse:
        """A start that may have been made before."""
        start = asked(call.meaning, call.incoming.whole)
        assert start is not None, "whoever starts nothing has no claim"
        return await self._make(call, start)

    async def _make(self, call: Call, start: Asked) -> web.StreamResponse:
        call.request.hold()
        try:
            said = await self._said(call, start)
            intent = await self.starts.admit(call, said, start.thread_id)
        except Refused as refused:
            call.request.let_go()
            return self._refusal(call, start, refused)
        except StoreError as error:
            return await self.starts.unrecorded(call, error)
        with self._doubts.under_way(intent):
            answered = _Answered(self, call, start, intent, await self._send(call, start, intent))
        try:
            call.request.let_go()
        except ConnectionError:
            answered.abandon()
            raise
        return await answered.pass_on()

    async def change_assistant(self, call: Call) -> web.StreamResponse:
        """Before it is sent and after: who asks meanwhile may be told either. Raises
        KeyTooNarrow: who may start some agents only could have one of these names stand for
        another graph."""
        if call.agents:
            raise KeyTooNarrow(
                "this key is for some agents only, and by changing assistants any of them could be "
                "made another: an operator can make a key for all agents"
            )
        self._assistants.changed()
        try:
            return await forwarding.through(call)
        finally:
            self._assistants.changed()

    async def change_cron(self, call: Call) -> web.StreamResponse:
        """Starts nothing, but may say where what it starts is told of."""
        await self.starts.judge_webhook(call, None, None)
        return await forwarding.through(call)

    async def _said(self, call: Call, start: Asked) -> RunBody:
        if call.meaning.act is not Act.MCP:
            return start.said
        return await self._assistants.tool_named(
            call.target.name, start.said, call.auth, matters=bool(call.agents)
        )

    def admits(self) -> None:
        """Raises Draining once nothing new is to be started."""
        if self.draining:
            raise Draining("the sidecar is stopping and starts nothing new; try again shortly")

    async def _send(self, call: Call, start: Asked, intent: Intent) -> Exchange:
        try:
            return await forwarding.send(call, _outgoing(call, start, intent))
        except BaseException as error:
            self.starts.settle_failed(call, intent, error)
            raise

    def _refusal(self, call: Call, start: Asked, refused: Refused) -> web.StreamResponse:
        self._telling.tell(refused, method=call.request.method, target=call.request.raw_target)
        request_id = headers.text(call.request.headers.get("x-request-id"), limit=128)
        _, fields, body = problems.problem(refused, request_id=request_id)
        kind, answer = door_answers.refusal(call.meaning.act, start, body)
        others = [field for field in fields if field[0] != b"content-type"]
        return answering.send(call.request, 200, [(b"content-type", kind), *others], answer)

    def settle(self, call: Call, start: Asked, intent: Intent, answer: bytes) -> None:
        """Enter what `answer`, a message in plain, tells of the start."""
        self.enter(call, intent, door_answers.outcome(call.meaning.act, start, intent, answer))

    def enter(self, call: Call, intent: Intent, outcome: door_answers.Outcome) -> None:
        """Put on record what became of a start that the server has answered."""
        match outcome:
            case Taken(run, over=True):
                self.starts.ended(call, intent, run)
            case Taken(run):
                self.starts.accepted(call, intent, [run])
            case Declined(reason):
                self.starts.released(intent, reason)
                call.witness.came_to_nothing()
            case Unclear(reason):
                self.starts.doubt(call, intent, reason, answered=True)


class _Answered:
    """A start at a door whose server has begun to answer. Settled exactly once."""

    def __init__(
        self, doors: Doors, call: Call, start: Asked, intent: Intent, exchange: Exchange
    ) -> None:
        self._doors = doors
        self._call = call
        self._start = start
        self._intent = intent
        self._exchange = exchange
        self._settled = False
        self._head = b""
        self._look_at_status()

    def _look_at_status(self) -> None:
        status, starts = self._exchange.status, self._doors.starts
        if 200 <= status < 300:
            if self._exchange.body is not None and not self._is_stream():
                self._settle(self._exchange.body)
            return
        self._settled = True
        if status < 500:
            starts.released(self._intent, f"the server answered {status}")
            self._call.witness.came_to_nothing()
        else:
            reason = f"the server answered {status}"
            starts.doubt(self._call, self._intent, reason, answered=False)

    def _answered(self, body: bytes) -> None:
        """All of the answer is there: it may be given again."""
        self._call.witness.answered(self._exchange, body)

    async def pass_on(self) -> web.StreamResponse:
        """The answer goes to the client, and is read on its way."""
        try:
            return await forwarding.give_back(
                self._call, self._exchange, self._ended, tap=self._tap
            )
        finally:
            self._over()

    def abandon(self) -> None:
        """The client left before its answer: what the server would still send is not wanted."""
        self._exchange.abort()
        self._over()

    def _tap(self, piece: bytes) -> None:
        if self._settled or not self._is_stream() or len(self._head) > _FIRST_EVENT:
            return
        self._head += piece
        if (message := door_answers.first_answer(self._head)) is not None:
            self._settle(message)

    def _ended(self, body: bytes | None) -> None:
        if body is None:
            return
        if not self._settled and self._is_stream():
            self._tap(b"" if self._head else body)
        elif not self._settled:
            self._settle(body)
        self._answered(body)

    def _settle(self, body: bytes) -> None:
        self._settled = True
        plain = peek.readable(body, self._exchange.headers) or b""
        self._doors.settle(self._call, self._start, self._intent, plain)

    def _over(self) -> None:
        if not self._settled:
            self._settled = True
            reason = "the answer broke off before it named a run"
            self._doors.starts.doubt(self._call, self._intent, reason, answered=True)

    def _is_stream(self) -> bool:
        kind = headers.first(self._exchange.headers, b"content-type") or b""
        return kind.lower().startswith(b"text/event-stream")


def _outgoing(call: Call, start: Asked, intent: Intent) -> Outgoing:
    """A command is marked as other starts are; A2A and MCP have no place for it. Those two are
    answered when the run is over, whenever that may be."""
    extra: list[headers.Field] = []
    if intent.request_id == intent.intent_id:  # the client named none that will do
        extra.append((b"x-request-id", intent.request_id.encode()))
    command = call.meaning.act is Act.COMMAND
    body = call.incoming.whole
    if body is not None and command and start.readable and call.target.inject:
        body = marked(body, intent)
        if call.target.traced and (context := sent_with(intent)) is not None:
            extra.append((b"traceparent", context.encode()))
    timeout = call.limits.start_timeout_s if command else None
    return call.outgoing(body=body, timeout=timeout, extra=extra)
