"""Everything about threads and runs that is neither a start nor a poll."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from .. import failpoints
from ..core import wire
from ..core.cancel import Try
from ..core.model import EndedBy
from ..core.splice import with_metadata
from ..core.wire import Act
from ..errors import StoreError
from ..ports import Canceller, Follower, Store
from ..service import Service
from . import bodies, forwarding, peek
from .calls import Call
from .coalescing import Coalescer
from .guard import Guard

Serve = Callable[[Call], Awaitable[web.StreamResponse]]

_BULK_LIMIT = 5_000


class Threads:
    """Forwards, and notes what the answers tell."""

    def __init__(
        self,
        *,
        service: Service,
        store: Store,
        follower: Follower,
        canceller: Canceller,
        coalescer: Coalescer,
        guard: Guard,
    ) -> None:
        self._guard = guard
        self._service = service
        self._store = store
        self._follower = follower
        self._canceller = canceller
        self._coalescer = coalescer
        self.routes: dict[Act, Serve] = {
            Act.THREAD_CREATE: self.create,
            Act.THREAD_SEARCH: self.search,
            Act.THREAD_DELETE: self.delete,
            Act.RUN_LIST: self.list_runs,
            Act.RUN_JOIN: self.join,
            Act.RUN_STREAM: self.join,
            Act.THREAD_STREAM: self.stream,
            Act.RUN_CANCEL: self.cancel,
            Act.RUNS_CANCEL: self.cancel_many,
            Act.RUN_DELETE: self.delete_run,
        }

    async def create(self, call: Call) -> web.StreamResponse:
        whole = call.incoming.whole
        said = bodies.thread_body(whole or b"")
        session = call.told.session or said.session_id
        body = None
        if whole is not None and call.target.inject and session is not None:
            depth = await self._service.depth_under(session, call.request.principal)
            extra = {"sidecar_session_id": session, "sidecar_depth": str(depth)}
            body = with_metadata(whole, extra)
        exchange = await forwarding.send(call, call.outgoing(body=body))
        failpoints.hit("thread.after_head")

        def note(thread_id: str) -> None:
            self._service.seen.thread_made(
                thread_id,
                upstream=call.target.name,
                supervisor=call.supervisor,
                session_id=session,
                agent_name=said.agent_name,
            )

        if not call.request.principal.every_task:
            return await forwarding.give_back(call, await self._guard.made(call, exchange, note))

        def on_end(answer: bytes | None) -> None:
            if answer is None or not 200 <= exchange.status < 300:
                return
            thread = peek.thread(peek.readable(answer, exchange.headers) or b"")
            if thread is not None:
                note(thread[0])

        return await forwarding.give_back(call, exchange, on_end)

    async def search(self, call: Call) -> web.StreamResponse:
        exchange = await forwarding.send(call, call.outgoing())

        def on_end(answer: bytes | None) -> None:
            if answer is not None and exchange.status == 200:
                for thread_id, word in peek.threads(peek.readable(answer, exchange.headers) or b""):
                    self._service.seen.thread(call.target.name, thread_id, word)

        return await forwarding.give_back(call, exchange, on_end)

    async def list_runs(self, call: Call) -> web.StreamResponse:
        exchange = await forwarding.send(call, call.outgoing())

        def on_end(answer: bytes | None) -> None:
            if answer is None or exchange.status != 200:
                return
            listed = peek.runs(peek.readable(answer, exchange.headers) or b"")
            for run in reversed(listed):  # oldest first, as they came to be
                self._service.seen.run(
                    call.target.name,
                    call.meaning.thread_id or "",
                    run.run_id,
                    run.status,
                    created_at=run.created_at,
                )

        return await forwarding.give_back(call, exchange, on_end)

    async def join(self, call: Call) -> web.StreamResponse:
        try:
            return await self.stream(call)
        finally:
            self._follow(call, call.meaning.run_id)

    async def stream(self, call: Call) -> web.StreamResponse:
        thread_id, streamed = call.meaning.thread_id or "", self._service.signs.streamed
        return await forwarding.through(call, tap=lambda piece: streamed(thread_id, piece))

    async def cancel(self, call: Call) -> web.StreamResponse:
        run_id, thread_id = call.meaning.run_id or "", call.meaning.thread_id or ""
        failpoints.hit("cancel.before_send")
        self._coalescer.forget(thread_id)
        exchange = await forwarding.send(call, call.outgoing())
        failpoints.hit("cancel.after_head")
        accepted = 200 <= exchange.status < 300
        if accepted:
            self._service.cancels.asked(call.target.name, thread_id, run_id, by=EndedBy.SUPERVISOR)
        try:
            return await forwarding.give_back(call, exchange)
        finally:
            self._coalescer.forget(thread_id)
            if accepted:
                self._see_to_it(call, thread_id, run_id)
            else:
                self._follow(call, run_id)

    async def cancel_many(self, call: Call) -> web.StreamResponse:
        thread_id, run_ids, status = bodies.cancelled_runs(call.incoming.whole or b"")
        exchange = await forwarding.send(call, call.outgoing())
        if 200 <= exchange.status < 300:
            for task_id, run_id in await self._named(call, thread_id, run_ids, status):
                self._coalescer.forget(task_id)
                self._service.cancels.asked(
                    call.target.name, task_id, run_id, by=EndedBy.SUPERVISOR
                )
                self._see_to_it(call, task_id, run_id)
        return await forwarding.give_back(call, exchange)

    async def _named(
        self, call: Call, thread_id: str | None, run_ids: object, status: str | None
    ) -> list[tuple[str, str]]:
        """(task, run) pairs a bulk cancel means. By status it acts on every thread there is."""
        if thread_id is not None and isinstance(run_ids, list):
            return [(thread_id, run_id) for run_id in run_ids]
        if status is None:
            return []
        try:
            live = await self._store.live_tasks(call.target.name, limit=_BULK_LIMIT)
        except StoreError:
            return []
        return [
            (task.task_id, task.run_id)
            for task in live
            if task.run_id is not None and status in ("all", task.status.value)
        ]

    async def delete_run(self, call: Call) -> web.StreamResponse:
        thread_id, run_id = call.meaning.thread_id or "", call.meaning.run_id or ""
        exchange = await forwarding.send(call, call.outgoing())
        if 200 <= exchange.status < 300:
            self._coalescer.forget(thread_id)
            self._service.seen.run_gone(
                call.target.name,
                thread_id,
                run_id,
                by=EndedBy.SUPERVISOR,
                reason="the run was deleted",
            )
        return await forwarding.give_back(call, exchange)

    async def delete(self, call: Call) -> web.StreamResponse:
        thread_id = call.meaning.thread_id or ""
        exchange = await forwarding.send(call, call.outgoing())
        if 200 <= exchange.status < 300:
            self._coalescer.forget(thread_id)
            self._service.seen.thread_gone(
                call.target.name, thread_id, by=EndedBy.SUPERVISOR, reason="the thread was deleted"
            )
        return await forwarding.give_back(call, exchange)

    def _see_to_it(self, call: Call, thread_id: str, run_id: str) -> None:
        """A cancel was accepted, which proves nothing."""
        how = Try.ROLLBACK if wire.rolls_back(call.raw_target) else Try.INTERRUPT
        self._canceller.verify(call.target.name, thread_id, run_id, auth=call.auth, how=how)

    def _follow(self, call: Call, run_id: str | None) -> None:
        thread_id = call.meaning.thread_id
        if run_id is not None and thread_id is not None:
            self._follower.follow(call.target.name, thread_id, run_id, auth=call.auth)
