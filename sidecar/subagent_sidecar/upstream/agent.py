"""The few calls the sidecar makes to an agent server on its own account.

They go through the same client and connection pool as the traffic. langgraph_sdk would do, but
importing it costs 0.9 s of start-up and 25 MB, and it hides what servers with six routes answer.
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar
from urllib.parse import quote

import msgspec

from ..core.ghosts import SeenThread
from ..core.recovery import normalised
from ..core.signs import Glimpse
from ..errors import UpstreamError, UpstreamRefused
from ..own_fields import OwnFields
from ..ports import Headers, Outgoing, ServerRun, ThreadState, Upstream

T = TypeVar("T")

_MAX_BODY = 32 * 1024 * 1024
_TIMEOUT_S = 10.0
_UNSAID = "unknown"
"""For the status of a thread that is there and does not say."""
_NO_VALUES = (b"null", b"{}")
_SELECTED = ("thread_id", "status")
_LISTED = ("thread_id", "status", "created_at", "updated_at", "metadata")
_ASSISTANTS = 1000
"""So many a server looks through itself for an MCP tool."""
_NO_TOOL = re.compile(r"[^a-zA-Z0-9_\-.]")
_LONGEST_TOOL = 128


class _Configurable(msgspec.Struct):
    langgraph_request_id: str | None = None


class _Config(msgspec.Struct):
    configurable: _Configurable | None = None


class _Kwargs(msgspec.Struct):
    config: _Config | None = None


class _Metadata(msgspec.Struct):
    sidecar_request_id: Any = None
    sidecar_task_id: Any = None


class _Run(msgspec.Struct):
    run_id: str
    status: str
    thread_id: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    kwargs: _Kwargs | None = None
    config: _Config | None = None
    metadata: _Metadata | None = None


class _Given(msgspec.Struct):
    input: Any = None


class _Asked(msgspec.Struct):
    """aegra has the input in the run itself."""

    kwargs: _Given | None = None
    input: Any = None


class _Thread(msgspec.Struct):
    status: str | None = None


class _Made(msgspec.Struct):
    created_at: str | None = None
    updated_at: str | None = None
    values: msgspec.Raw = msgspec.Raw(b"null")


class _Found(msgspec.Struct):
    thread_id: str
    status: str | None = None


class _Listed(msgspec.Struct):
    thread_id: str
    status: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    metadata: dict[str, Any] | None = None


class _Assistant(msgspec.Struct):
    graph_id: str | None = None
    name: str | None = None


class _Values(msgspec.Struct):
    messages: Any = None


class _State(msgspec.Struct):
    """What else is in the values (files, say, which may be large) is not built."""

    values: msgspec.Raw = msgspec.Raw(b"null")
    checkpoint: Any = None
    metadata: Any = None


class _Outcome(msgspec.Struct):
    error: msgspec.Raw = msgspec.field(name="__error__", default=msgspec.Raw())


class AgentClient:
    """ports.AgentServer over ports.Upstream. `base` is the base path of the server's URL, `host`
    its authority, `own` what it is shown of ours."""

    def __init__(self, upstream: Upstream, *, base: bytes, host: bytes, own: OwnFields) -> None:
        self._upstream = upstream
        self._base = base
        self._host = (b"Host", host)
        self._own = own

    def _fields(self, auth: Headers) -> list[tuple[bytes, bytes]]:
        """Whom we ask, as whom, and in which form it is to be answered."""
        return [self._host, *self._own.fields, *auth, (b"accept", b"application/json")]

    async def run(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> ServerRun | None:
        body = await self._get(f"/threads/{_id(thread_id)}/runs/{_id(run_id)}", auth)
        return None if body is None else _server_run(_decode(body, _Run), thread_id)

    async def runs(
        self, thread_id: str, *, limit: int, auth: Headers = ()
    ) -> Sequence[ServerRun] | None:
        body = await self._get(f"/threads/{_id(thread_id)}/runs?limit={limit}&offset=0", auth)
        if body is None:
            return None
        return [_server_run(run, thread_id) for run in _readable(body, _Run)]

    async def thread_status(self, thread_id: str, *, auth: Headers = ()) -> str | None:
        body = await self._get(f"/threads/{_id(thread_id)}", auth)
        return None if body is None else _decode(body, _Thread).status or _UNSAID

    async def blank_since(self, thread_id: str, *, auth: Headers = ()) -> str | None:
        body = await self._get(f"/threads/{_id(thread_id)}", auth)
        if body is None:
            return None
        made = _decode(body, _Made)
        touched = made.updated_at != made.created_at or bytes(made.values) not in _NO_VALUES
        return None if touched else made.created_at

    async def threads(
        self, thread_ids: Sequence[str], *, auth: Headers = ()
    ) -> Mapping[str, str] | None:
        question = {"ids": list(thread_ids), "limit": len(thread_ids), "select": _SELECTED}
        body = await self._post("/threads/search", auth, question, replayable=True)
        if body is None:
            return None
        wanted = set(thread_ids)
        found = _decode(body, list[_Found])
        if any(thread.thread_id not in wanted for thread in found):
            return None  # it does not know `ids`, and lists whatever it likes
        return {thread.thread_id: thread.status for thread in found if thread.status}

    async def run_input(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> Any:
        body = await self._get(f"/threads/{_id(thread_id)}/runs/{_id(run_id)}", auth)
        if body is None:
            return None
        run = _decode(body, _Asked)
        return run.kwargs.input if run.kwargs is not None else run.input

    async def listed_threads(
        self, *, limit: int, offset: int, auth: Headers = ()
    ) -> Sequence[SeenThread] | None:
        order = {"sort_by": "created_at", "sort_order": "desc"}
        page = {"limit": limit, "offset": offset, "select": _LISTED, **order}
        body = await self._post("/threads/search", auth, page, replayable=True)
        return None if body is None else [_seen(each) for each in _readable(body, _Listed)]

    async def state(self, thread_id: str, *, auth: Headers = ()) -> ThreadState | None:
        body = await self._get(f"/threads/{_id(thread_id)}/state", auth)
        if body is None:
            return None
        state = _decode(body, _State)
        try:
            listed = msgspec.json.decode(state.values, type=_Values).messages
        except msgspec.ValidationError:
            listed = None  # a graph's state need not be an object
        messages = listed if isinstance(listed, list) else []
        return ThreadState(messages=messages, glimpse=_glimpse(state))

    async def cancel(
        self, thread_id: str, run_id: str, *, rollback: bool = False, auth: Headers = ()
    ) -> bool:
        action = "rollback" if rollback else "interrupt"
        path = f"/threads/{_id(thread_id)}/runs/{_id(run_id)}/cancel?wait=0&action={action}"
        return await self._post(path, auth, None) is not None

    async def delete_thread(self, thread_id: str, *, auth: Headers = ()) -> bool:
        removed = await self._ask(
            Outgoing(
                method=b"DELETE",
                target=self._base + f"/threads/{_id(thread_id)}".encode("ascii"),
                headers=self._fields(auth),
                first_byte_timeout=_TIMEOUT_S,
                replayable=True,
            )
        )
        return removed is not None

    async def graph_of(self, assistant_id: str, *, auth: Headers = ()) -> str | None:
        body = await self._get(f"/assistants/{_id(assistant_id)}", auth)
        return None if body is None else _decode(body, _Assistant).graph_id

    async def graph_of_tool(self, tool: str, *, auth: Headers = ()) -> str | None:
        question = {"limit": _ASSISTANTS, "offset": 0}
        body = await self._post("/assistants/search", auth, question, replayable=True)
        if body is None:
            return None
        assistants: list[_Assistant] = _decode(body, list[_Assistant])
        found = (each.graph_id for each in assistants if _tool(each.name or "") == tool)
        return next(found, None)

    async def outcome(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> str | None:
        body = await self._get(
            f"/threads/{_id(thread_id)}/runs/{_id(run_id)}/join", auth, deadline_s=None
        )
        if body is None:
            return None
        try:
            return "error" if bytes(_decode(body, _Outcome).error) else "success"
        except UpstreamRefused:
            return "success"  # a graph's output need not be an object

    async def _get(
        self, path: str, auth: Headers, *, deadline_s: float | None = _TIMEOUT_S
    ) -> bytes | None:
        """The body of a 2xx; None for 404, 405, 410 and 422: the server has no such thing."""
        return await self._ask(
            Outgoing(
                method=b"GET",
                target=self._base + path.encode("ascii"),
                headers=self._fields(auth),
                first_byte_timeout=deadline_s,
                replayable=True,
            )
        )

    async def _post(
        self, path: str, auth: Headers, question: Any, *, replayable: bool = False
    ) -> bytes | None:
        """As `_get`; `question` goes as JSON, None as an empty body."""
        headers = self._fields(auth)
        if question is not None:
            headers.append((b"content-type", b"application/json"))
        return await self._ask(
            Outgoing(
                method=b"POST",
                target=self._base + path.encode("ascii"),
                headers=headers,
                body=b"" if question is None else msgspec.json.encode(question),
                first_byte_timeout=_TIMEOUT_S,
                replayable=replayable,
            )
        )

    async def _ask(self, request: Outgoing) -> bytes | None:
        exchange = await self._upstream.send(request)
        body = exchange.body if exchange.body is not None else await _whole(exchange)
        if exchange.status in (404, 405, 410, 422):
            return None
        if not 200 <= exchange.status < 300:
            path = request.target.decode("ascii", "replace").partition("?")[0]
            what = f"{request.method.decode()} {path}"
            raise UpstreamRefused(
                f"the server answered {exchange.status} to {what}", answered=exchange.status
            )
        return body


def _glimpse(state: _State) -> Glimpse:
    return Glimpse(_text(state.checkpoint, "checkpoint_id"), _text(state.metadata, "run_id"))


def _text(holder: Any, key: str) -> str | None:
    value = holder.get(key) if isinstance(holder, dict) else None
    return value if isinstance(value, str) else None


def _tool(assistant: str) -> str:
    """The name of an assistant as langgraph-api makes a tool's of it (api/mcp/_sanitizers.py)."""
    return _NO_TOOL.sub("", re.sub(r"\s+", "_", assistant.strip()))[:_LONGEST_TOOL]


def _id(given: str) -> str:
    """An id as one path segment, whatever a client or a server put into it."""
    quoted = quote(given, safe="")
    if quoted in (".", ".."):
        raise UpstreamError("an id that is a dot segment is not asked for")
    return quoted


async def _whole(exchange: Any) -> bytes:
    parts: list[bytes] = []
    size = 0
    async for chunk in exchange.chunks():
        size += len(chunk)
        if size > _MAX_BODY:
            exchange.abort()
            raise UpstreamRefused("the server's answer is too large to read", answered=200)
        parts.append(chunk)
    return b"".join(parts)


def _decode(body: bytes, shape: Any) -> Any:
    try:
        return msgspec.json.decode(body, type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _of_another_shape() from error


def _of_another_shape() -> UpstreamRefused:
    """It is there and answers, so it is not broken; but it does not know this route as we do."""
    return UpstreamRefused("the server's answer is not what this route answers", answered=200)


def _readable(body: bytes, kind: type[T]) -> list[T]:
    """What a listing holds. One that cannot be read (a NaN in its metadata) hides no other."""
    try:
        found: list[T] = msgspec.json.decode(body, type=list[kind])  # type: ignore[valid-type]
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        found = [one for each in _loosely(body) if (one := _converted(each, kind)) is not None]
    return found


def _loosely(body: bytes) -> list[Any]:
    try:
        listed = json.loads(body)
    except (ValueError, RecursionError):
        listed = None
    if not isinstance(listed, list):
        raise _of_another_shape()
    return listed


def _converted(item: Any, kind: type[T]) -> T | None:
    try:
        return msgspec.convert(item, kind)
    except msgspec.ValidationError:
        return None


def _seen(listed: _Listed) -> SeenThread:
    return SeenThread(
        thread_id=listed.thread_id,
        status=listed.status,
        created_at=normalised(listed.created_at) if listed.created_at else None,
        updated_at=normalised(listed.updated_at) if listed.updated_at else None,
        metadata=listed.metadata or {},
    )


def _server_run(run: _Run, thread_id: str) -> ServerRun:
    config = (run.kwargs.config if run.kwargs else None) or run.config
    configurable = config.configurable if config else None
    return ServerRun(
        run_id=run.run_id,
        thread_id=run.thread_id or thread_id,
        status=run.status,
        created_at=run.created_at,
        updated_at=run.updated_at,
        request_id=(configurable.langgraph_request_id if configurable else None) or _marked(run),
        marked=run.metadata is not None and run.metadata.sidecar_task_id is not None,
    )


def _marked(run: _Run) -> str | None:
    """The request id that the sidecar puts into a start's metadata where no header carries it."""
    given = run.metadata.sidecar_request_id if run.metadata else None
    return given if isinstance(given, str) else None
