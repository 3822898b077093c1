"""Starts: durable before they are sent, and settled whoever leaves meanwhile.

    understand -> intent on disk -> send -> (accepted | released | in doubt) -> answer

Until the server has begun to answer, the request is held: a client that goes away must not take
a start with it that the server may already have accepted.
"""

import asyncio
from collections.abc import Sequence

from aiohttp import web

from .. import failpoints
from ..core.model import Intent, IntentKind, Item
from ..core.refusal import Refused
from ..core.wire import Act, Form
from ..errors import (
    SidecarError,
    StoreError,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
    WebhookRefused,
)
from ..ports import Doubts, Exchange, Follower, Outgoing, Remaining, ServerRun, Tidier
from ..service import Service
from ..tasks import spawn
from . import bodies, forwarding, headers, marks
from .assistants import Assistants
from .calls import Call
from .coalescing import Coalescer
from .started import Started
from .unread import refuse_if_unread, refuse_unread, refuse_unread_door
from .unrecorded import Unrecorded
from .webhooks import Webhooks


class Starts:
    """Serves every request that makes the server run something."""

    def __init__(
        self,
        *,
        service: Service,
        doubts: Doubts,
        follower: Follower,
        coalescer: Coalescer,
        tidier: Tidier,
        assistants: Assistants,
        unrecorded: Unrecorded,
        remaining: Remaining,
        webhooks: Webhooks | None,
    ) -> None:
        self._service = service
        self._doubts = doubts
        self._follower = follower
        self._coalescer = coalescer
        self._tidier = tidier
        self._assistants = assistants
        self._unrecorded = unrecorded
        self._remaining = remaining
        self._webhooks = webhooks

    async def serve(self, call: Call) -> web.StreamResponse:
        """Raises StoreError before anything is sent (or sends it on without a record, where the
        policy would rather have that), UpstreamError with `task_id` after."""
        call.request.hold()
        if failpoints.ANY:
            failpoints.hit("start.before_intent")
        try:
            refuse_unread(call, self._service.policy)
            if self._webhooks is not None:
                await self.judge_webhook(call, None, call.meaning.thread_id)
            said = _said(call)
            intent = await self.admit(call, said, call.meaning.thread_id)
        except StoreError as error:
            return await self.unrecorded(call, error)
        if failpoints.ANY:
            failpoints.hit("start.after_intent")
        try:
            exchange = await _send(call, _outgoing(call, intent, said))
        except BaseException as error:
            self.settle_failed(call, intent, error)
            raise
        started = self._started(call, intent, exchange)
        if failpoints.ANY and failpoints.armed("start.after_settle"):
            await self._service.flush()
            failpoints.hit("start.after_settle")
        try:
            call.request.let_go()
        except ConnectionError:
            started.abandon()
            raise
        answer = started.answer_at_once()
        if answer is None:
            answer = await started.answer()
        if failpoints.ANY:
            failpoints.hit("start.after_answer")
        return answer

    def streamed(self, call: Call, piece: bytes) -> None:
        """A piece of an answer that comes while the run is at work."""
        if call.meaning.thread_id is not None:
            self._service.signs.streamed(call.meaning.thread_id, piece)

    def refuse_unread(self, call: Call) -> None:
        """Raises BodyTooLarge, BadBody for a start at another door whose agent nobody can tell."""
        refuse_unread_door(call, self._service.policy)

    async def judge_webhook(self, call: Call, message: bytes | None, thread_id: str | None) -> None:
        """See Webhooks. Raises WebhookRefused, BadBody, BodyTooLarge. `message` is None for the
        request's body."""
        if self._webhooks is None:
            return
        if message is None:
            refuse_if_unread(call)
            message = call.incoming.whole or b""
        try:
            await self._webhooks.judge(message)
        except WebhookRefused:
            if thread_id is not None:
                self._tidier.left_behind(
                    call.target.name, thread_id, supervisor=call.supervisor, auth=call.auth
                )
            raise

    async def unrecorded(self, call: Call, error: StoreError) -> web.StreamResponse:
        """Send on a start that cannot be put on record, where the policy says so; else raise
        `error`."""
        return await self._unrecorded.serve(call, error)

    def _started(self, call: Call, intent: Intent, exchange: Exchange) -> Started:
        if failpoints.ANY:
            failpoints.hit("start.after_head")
        if call.meaning.thread_id is not None:
            self._coalescer.forget(call.meaning.thread_id)
        started = Started(self, call, intent, exchange)
        started.look_at_head()
        return started

    async def admit(
        self, call: Call, body: bodies.RunBody, thread_id: str | None, *, alone: bool = True
    ) -> Intent:
        """Make a start durable, by whatever door it came. Raises Refused, StoreError. One that is
        not `alone` in its request (a WebSocket) does not go by the request's id."""
        act, principal, upstream = call.meaning.act, call.request.principal, call.target.name
        told = call.told
        if self._assistants.concern(body):
            body = await self._assistants.named(
                upstream, body, call.auth, matters=bool(principal.only)
            )
        items = await self._items(call) if act is Act.RUNS_BATCH else ()
        if thread_id is not None and self._tidier.concerns(thread_id):
            await self._tidier.spare(thread_id)  # from here to the intent nobody may come between
        try:
            intent = await self._service.admit(  # in their order: by their names it is dear
                upstream,
                principal.supervisor,
                told.request_id if alone else None,
                thread_id,
                told.session,
                body.session_id,
                body.agent_name,
                body.assistant_id,
                body.strategy,
                body.purpose,
                body.fingerprint,
                items,
                act is Act.RUNS_BATCH,
                act is Act.CRON_CREATE,
                told.trace_parent,
                principal.only,
                principal.every_task,
                call.witness.claim,
            )
        except Refused:
            if thread_id is not None:
                self._tidier.left_behind(
                    upstream, thread_id, supervisor=call.supervisor, auth=call.auth
                )
            raise
        call.witness.admitted(intent)
        call.budget = self._remaining.of_start(intent)
        return intent

    async def _items(self, call: Call) -> Sequence[Item]:
        return await self._assistants.all_named(
            call.target.name,
            bodies.batch_items(call.incoming.whole or b""),
            call.auth,
            matters=bool(call.agents),
        )

    def settle_failed(self, call: Call, intent: Intent, error: BaseException) -> None:
        """Nothing was sent, or it is not known what came of it: of a body that stopped coming, a
        request cut off by our own stop, a connection that broke."""
        unsent = isinstance(error, UpstreamUnreachable) or (
            isinstance(error, UpstreamTimeout) and error.phase == "connect"
        )
        reason = error.message if isinstance(error, SidecarError) else type(error).__name__
        if unsent:
            self.came_to_nothing(call, intent, reason)
            call.witness.came_to_nothing()
            return
        self.doubt(call, intent, reason, answered=False)
        if isinstance(error, UpstreamError):
            error.task_id = intent.thread_id

    def came_to_nothing(self, call: Call, intent: Intent, reason: str) -> None:
        self._service.released(intent, reason)
        if intent.thread_id is not None:
            self._tidier.failed(intent.thread_id, auth=call.auth)

    def doubt(self, call: Call, intent: Intent, reason: str, *, answered: bool) -> None:
        if intent.thread_id is not None:
            self._tidier.failed(intent.thread_id, auth=call.auth)
        self._doubts.doubt(intent, reason, auth=call.auth, answered=answered)

    def accepted(self, call: Call, intent: Intent, runs: Sequence[ServerRun]) -> None:
        if failpoints.ANY:
            failpoints.hit("start.before_settle")
        self._service.accepted(intent, runs)
        call.witness.accepted(runs)
        if auth := call.auth:
            for run in runs:
                self._follower.keep(run.thread_id, auth=auth)
        if call.meaning.form is Form.CREATE and call.meaning.thread_id is None:
            for run in runs:
                self._follower.follow_stateless(
                    call.target.name, run.thread_id, run.run_id, auth=call.auth
                )

    def ended(self, call: Call, intent: Intent, run: ServerRun) -> None:
        """The server's answer was the run's end, and there is nothing left to follow."""
        failpoints.hit("start.before_settle")
        self._service.accepted(intent, [run])
        call.witness.accepted([run])

    def cron_created(self, intent: Intent, cron_id: str) -> None:
        self._service.cron_created(intent, cron_id)

    def released(self, intent: Intent, reason: str) -> None:
        self._service.released(intent, reason)

    def run_over(self, call: Call, run: ServerRun, *, failed: bool, complete: bool) -> None:
        """The stream or wait of `run` is over: learn how the run ended."""
        if call.meaning.thread_id is not None:
            self._follower.follow(call.target.name, run.thread_id, run.run_id, auth=call.auth)
        elif complete:
            # The server deletes a stateless run with its thread; its answer is all there is.
            word = "error" if failed else "success"
            self._service.seen.run(call.target.name, run.thread_id, run.run_id, word)
        elif run.thread_id != run.run_id:
            self._follower.follow_stateless(
                call.target.name, run.thread_id, run.run_id, auth=call.auth
            )


def _said(call: Call) -> bodies.RunBody:
    whole = call.incoming.whole or b""
    if call.meaning.act is Act.RUNS_BATCH:
        return bodies.batch_body(whole)
    return bodies.run_body(whole)


def _outgoing(call: Call, intent: Intent, said: bodies.RunBody) -> Outgoing:
    timeout = call.limits.start_timeout_s if call.meaning.form is Form.CREATE else None
    extra: list[headers.Field] = []
    if intent.request_id == intent.intent_id:  # the client named none that will do
        extra.append((b"x-request-id", intent.request_id.encode()))
    body = call.incoming.whole
    if body is not None and call.target.inject and intent.kind in _INJECTED:
        body, context = marks.sent(body, intent, bare=said.bare)
        if context is not None and call.target.traced:
            extra.append((b"traceparent", context.encode()))
    return call.outgoing(body=body, timeout=timeout, extra=extra)


_INJECTED = frozenset({IntentKind.START, IntentKind.UPDATE, IntentKind.STATELESS})


async def _die_after_send(call: Call, outgoing: Outgoing) -> Exchange:
    sending = spawn(forwarding.send(call, outgoing), name="failpoint", awaited=True)
    await asyncio.sleep(0.1)
    failpoints.hit("start.after_send")
    return await sending


_send = _die_after_send if failpoints.armed("start.after_send") else forwarding.send
