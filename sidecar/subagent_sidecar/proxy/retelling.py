"""Answering a start that was made before, without making it again."""

from collections.abc import Sequence
from urllib.parse import quote

from ..core.idempotency import Answer, Claim, Earlier, Reply, Standing
from ..core.wire import DOORS, Act, Form
from ..errors import AlreadyStarted, KeyReused, StartInDoubt, StartUnderWay, UpstreamError
from ..ports import AgentServer, Exchange, Headers, Outgoing, ServerRun
from . import forwarding, peek
from .calls import Call
from .keeping import Keeper

_TELLING = frozenset({b"content-type", b"content-encoding", b"content-location", b"location"})
"""What is kept of an answer's header: what tells of its body and of its run."""

_NOT_ASKED_WITH = frozenset({b"content-type", b"content-encoding", b"idempotency-key"})
_LISTED = 100


def answer_of(exchange: Exchange, body: bytes) -> Answer:
    """An answer as it can be given again."""
    told = [(name, value) for name, value in exchange.headers if name.lower() in _TELLING]
    return Answer(status=exchange.status, fields=tuple(told), body=body)


def reused() -> KeyReused:
    return KeyReused(
        "this Idempotency-Key was used for another start within the last 24 hours, and this one "
        "has another body; a start of its own needs a key of its own"
    )


def under_way(task_id: str | None) -> StartUnderWay:
    return StartUnderWay(
        f"the same start{_of(task_id)} is being made right now and was not made twice; ask again "
        "in a moment and you are told what became of it",
        task_id=task_id,
    )


def _of(task_id: str | None) -> str:
    return "" if task_id is None else f" of task {task_id}"


async def retell(
    call: Call, claim: Claim, earlier: Earlier, server: AgentServer, keeper: Keeper
) -> Answer | None:
    """The answer to a start that was made before; None where it is certain that it came to
    nothing. Raises what says why there is no answer."""
    reply = earlier.reply
    match earlier.standing:
        case Standing.OTHER:
            raise reused()
        case Standing.UNDER_WAY:
            raise under_way(reply.thread_id)
        case Standing.IN_DOUBT:
            raise _in_doubt(reply)
        case Standing.ANSWERED:
            return reply.answer
        case Standing.TAKEN:
            return await _as_it_is_now(call, claim, reply, keeper)
        case Standing.LOST:
            run = await _found(call, reply, server)
            if run is None:
                return None
            keeper.settle(claim, reply.intent_id, [run], None)
            return await _run_now(call, claim, reply, run, keeper)


def _in_doubt(reply: Reply) -> StartInDoubt:
    return StartInDoubt(
        f"the same start{_of(reply.thread_id)} was sent before, and it is not known yet what "
        "became of it. Nothing was sent again: ask again in a few seconds, or look at its runs",
        task_id=reply.thread_id,
    )


def _unknowable(reply: Reply) -> StartInDoubt:
    return StartInDoubt(
        f"the same start{_of(reply.thread_id)} was sent before, and what became of it cannot be "
        "found out. It is not sent again under this key: see whether it runs, and if it does not, "
        "start it with another key",
        task_id=reply.thread_id,
    )


def _already(reply: Reply, run: ServerRun | None, why: str) -> AlreadyStarted:
    task_id = run.thread_id if run else reply.thread_id
    what = f"run {run.run_id} of task {run.thread_id}" if run else f"the start{_of(task_id)}"
    return AlreadyStarted(
        f"this was started before and was not started again: {what}. {why}",
        task_id=task_id,
        run_id=run.run_id if run else None,
    )


async def _as_it_is_now(call: Call, claim: Claim, reply: Reply, keeper: Keeper) -> Answer:
    """An answer that was not kept: the run as the server shows it."""
    if reply.thread_id is None or reply.run_id is None:
        raise _already(reply, None, "Its answer is not kept")
    run = ServerRun(run_id=reply.run_id, thread_id=reply.thread_id, status="")
    return await _run_now(call, claim, reply, run, keeper)


async def _run_now(
    call: Call, claim: Claim, reply: Reply, run: ServerRun, keeper: Keeper
) -> Answer:
    if call.meaning.act in DOORS:  # what the server tells of a run is none of their messages
        raise _already(reply, run, "Its answer is not kept")
    path = f"/threads/{quote(run.thread_id, safe='')}/runs/{quote(run.run_id, safe='')}"
    if call.meaning.form is not Form.CREATE:
        raise _already(
            reply,
            run,
            f"What it streams cannot be given twice: join it with GET {path}/stream, or wait for "
            f"its result with GET {path}/join",
        )
    exchange = await forwarding.send(call, _question(call, path))
    body = await _whole(exchange)
    if exchange.status != 200 or body is None:
        raise _already(reply, run, f"Asked for it, the agent server answers {exchange.status}")
    answer = answer_of(exchange, body)
    if not any(name.lower() == b"content-location" for name, _ in answer.fields):
        place = (b"content-location", path.encode("ascii"))
        answer = Answer(status=200, fields=(*answer.fields, place), body=body)
    keeper.settle(claim, reply.intent_id, [run], answer)
    return answer


def _question(call: Call, path: str) -> Outgoing:
    fields: Headers = [
        field for field in call.outgoing().headers if field[0].lower() not in _NOT_ASKED_WITH
    ]
    return Outgoing(
        method=b"GET",
        target=call.target.base + path.encode("ascii"),
        headers=fields,
        first_byte_timeout=call.limits.answer_timeout_s,
        replayable=True,
    )


async def _whole(exchange: Exchange) -> bytes | None:
    """The body; None if it is too long to be passed on from memory."""
    if exchange.body is not None:
        return exchange.body
    parts: list[bytes] = []
    size = 0
    try:
        async for part in exchange.chunks():
            parts.append(part)
            size += len(part)
            if size > peek.PEEK_LIMIT:
                exchange.abort()
                return None
    except BaseException:
        exchange.abort()
        raise
    return b"".join(parts)


async def _found(call: Call, reply: Reply, server: AgentServer) -> ServerRun | None:
    """The run of a start nobody looks for any more, by one more look; None where the server shows
    the thread's runs, and it is not among them."""
    if reply.thread_id is None or call.meaning.act is not Act.RUN_START:
        raise _unknowable(reply)
    try:
        listed = await server.runs(reply.thread_id, limit=_LISTED, auth=call.auth)
    except UpstreamError as error:
        raise _in_doubt(reply) from error
    if listed is None:
        raise _unknowable(reply)
    return _matching(reply, listed)


def _matching(reply: Reply, listed: Sequence[ServerRun]) -> ServerRun | None:
    return next((run for run in listed if run.request_id == reply.request_id), None)
