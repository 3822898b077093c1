"""A start that the server has begun to answer: which runs it named, and how they end."""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from ..core.model import Intent
from ..core.wire import Act, Form
from ..ports import Exchange, ServerRun
from . import answering, forwarding, peek
from .calls import Call

if TYPE_CHECKING:
    from .starts import Starts

_STREAM_HEAD = 8 * 1024
_ERROR_EVENT = b"event: error"
_LATER_ERROR_EVENT = b"\n" + _ERROR_EVENT


class Started:
    """A start the server has begun to answer."""

    __slots__ = (
        "_call",
        "_exchange",
        "_failed",
        "_head",
        "_intent",
        "_runs",
        "_settled",
        "_starts",
    )

    def __init__(self, starts: "Starts", call: Call, intent: Intent, exchange: Exchange) -> None:
        self._starts = starts
        self._call = call
        self._intent = intent
        self._exchange = exchange
        self._settled = False
        self._runs: Sequence[ServerRun] = ()
        self._head = b""
        self._failed = False

    def look_at_head(self) -> None:
        """Settle with what has arrived: status, header, and the body if it is here."""
        exchange = self._exchange
        if 200 <= exchange.status < 300:
            if exchange.body is not None:
                self._settle(exchange.body)
            else:
                self._accept(_from_headers(self._call, exchange))
        elif exchange.status < 500:
            self._settled = True
            reason = f"the server answered {exchange.status}"
            self._starts.came_to_nothing(self._call, self._intent, reason)
            self._call.witness.came_to_nothing()
        else:
            # Also a gateway's 504: what is behind it may take the start a moment later.
            self._doubt(f"the server answered {exchange.status}", answered=False)
        if exchange.body is not None:
            self._call.witness.answered(exchange, exchange.body)

    def answer_at_once(self) -> answering.Sent | None:
        """Pass the answer on if all of it is here and there is nothing more to learn, as usual."""
        body = self._exchange.body
        if body is None or not self._settled or self._call.meaning.form is not Form.CREATE:
            return None
        return forwarding.give_whole(self._call, self._exchange, body)

    async def answer(self) -> answering.Sent:
        """Pass the answer on, and learn from its body what its head did not tell."""
        complete = False
        try:
            sent = await forwarding.give_back(
                self._call, self._exchange, self._ended, tap=self._tap
            )
            complete = sent.whole
            return sent
        finally:
            self._over(complete=complete)

    def abandon(self) -> None:
        """The client left before its answer: what the server would still send is not wanted."""
        self._exchange.abort()
        self._over(complete=False)

    def _over(self, *, complete: bool) -> None:
        if not self._settled:
            self._doubt("the answer broke off before it named a run")
        if self._call.meaning.form is not Form.CREATE:
            for run in self._runs:
                self._starts.run_over(self._call, run, failed=self._failed, complete=complete)

    def _tap(self, piece: bytes) -> None:
        self._starts.streamed(self._call, piece)
        if len(self._head) < _STREAM_HEAD:
            self._head += piece[:_STREAM_HEAD]
            if not self._settled and (run_id := peek.run_id_in_stream(self._head)):
                self._accept([_named(self._call, run_id)])
        if piece.startswith(_ERROR_EVENT) or piece.find(_LATER_ERROR_EVENT) >= 0:
            self._failed = True

    def _ended(self, body: bytes | None) -> None:
        if not self._settled and body is not None:
            self._settle(body)
        if body is not None:
            self._call.witness.answered(self._exchange, body)
        if body is not None and body.find(b'"__error__"', 0, _STREAM_HEAD) >= 0:
            self._failed = True

    def _settle(self, body: bytes) -> None:
        meaning = self._call.meaning
        if meaning.act is Act.RUN_START and meaning.form is Form.CREATE:
            run = peek.run_in(body, self._exchange.headers)
            if run is not None:
                if run.thread_id != meaning.thread_id:
                    run = _placed(self._call, run)
                self._accept([run])
                return
        self._settle_unusual(body)

    def _settle_unusual(self, body: bytes) -> None:
        plain = peek.readable(body, self._exchange.headers) or b""
        if self._call.meaning.act is Act.CRON_CREATE:
            cron_id = peek.cron_id(plain)
            if cron_id is not None:
                self._settled = True
                self._starts.cron_created(self._intent, cron_id)
                self._call.witness.accepted(())
            else:
                self._doubt("the answer named no cron")
            return
        runs: Sequence[ServerRun] = ()
        if self._call.meaning.act is Act.RUNS_BATCH:
            runs = [_placed(self._call, run) for run in peek.runs(plain)]
        if runs or (runs := _from_headers(self._call, self._exchange)):
            self._accept(runs)
        elif (run_id := peek.run_id_in_stream(plain[:_STREAM_HEAD])) is not None:
            self._accept([_named(self._call, run_id)])
        else:
            self._doubt("the answer named no run")

    def _accept(self, runs: Sequence[ServerRun]) -> None:
        if runs and not self._settled:
            self._settled = True
            self._runs = runs
            self._starts.accepted(self._call, self._intent, runs)

    def _doubt(self, reason: str, *, answered: bool = True) -> None:
        self._settled = True
        self._starts.doubt(self._call, self._intent, reason, answered=answered)


def _from_headers(call: Call, exchange: Exchange) -> Sequence[ServerRun]:
    thread_id, run_id = peek.run_in_headers(exchange.headers)
    return [] if run_id is None else [_named(call, run_id, thread_id)]


def _placed(call: Call, run: ServerRun) -> ServerRun:
    """`run` on the thread it was asked for, whatever thread the answer names."""
    thread_id = call.meaning.thread_id or run.thread_id or run.run_id
    return run if thread_id == run.thread_id else replace(run, thread_id=thread_id)


def _named(call: Call, run_id: str, thread_id: str | None = None) -> ServerRun:
    """A run of which only ids are known. A stateless stream does not name its thread: then the
    run's own id stands for the task."""
    thread = call.meaning.thread_id or thread_id or run_id
    return ServerRun(run_id=run_id, thread_id=thread, status="pending")
