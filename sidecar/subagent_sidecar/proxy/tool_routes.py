"""The tools over HTTP: what there is, and calls."""

import json
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs

from aiohttp import web

from ..core.toolset import SHAPES
from ..errors import BadBody, BadQuery, NoSuchRoute, NotJson, SidecarError
from ..tools import Caller, ToolFailed, Tools
from . import answering, headers
from .headers import Field
from .idempotency import key_of
from .incoming import Limits, read
from .request import DataRequest
from .tool_json import failure, told_json

PATH = "/sidecar/tools"

_JSON: list[Field] = [(b"content-type", b"application/json")]
_MAX_BODY = 8 * 1024 * 1024
_TRACE = frozenset({b"traceparent", b"tracestate"})


class ToolRoutes:
    """`GET /sidecar/tools` and `POST /sidecar/tools/<tool>`."""

    def __init__(self, *, tools: Tools, limits: Limits) -> None:
        self.tools = tools
        self._limits = replace(limits, max_body=_MAX_BODY, inspect_limit=_MAX_BODY)

    def stop(self) -> None:
        """See Tools."""
        self.tools.stop()

    async def serve(self, request: DataRequest, path: str) -> web.StreamResponse:
        """`path` begins with PATH. Raises what `_call` does not answer itself."""
        tool = path.removeprefix(PATH).removeprefix("/")
        if not tool and request.method in ("GET", "HEAD"):
            return await self._listed(request)
        if not tool or request.method != "POST":
            raise NoSuchRoute(
                f"the sidecar has no {request.method} {path[:200]}; there are GET {PATH} and "
                f"POST {PATH}/TOOL"
            )
        return await self._call(request, tool)

    async def _listed(self, request: DataRequest) -> web.StreamResponse:
        query = parse_qs(request.raw_target.partition("?")[2])
        [shape] = query.get("format", ["openai"])[-1:]
        if shape not in SHAPES:
            raise BadQuery(f"format: must be one of: {', '.join(SHAPES)}")
        tools = await self.tools.offered(caller_of(request))
        told = {"tools": [SHAPES[shape](tool) for tool in tools]}
        return answering.send(request, 200, _JSON, json.dumps(told).encode())

    async def _call(self, request: DataRequest, tool: str) -> web.StreamResponse:
        try:
            given = await self._arguments(request)
            request.timed = False  # most of it is spent with agent servers
            told = await self.tools.call(tool, given, caller_of(request))
        except ToolFailed as failed:
            request_id = headers.text(request.headers.get("x-request-id"), limit=128)
            status, fields, body = failure(failed, request_id=request_id)
            return answering.send(request, status, fields, json.dumps(body).encode())
        return answering.send(request, 200, _JSON, json.dumps(told_json(tool, told)).encode())

    async def _arguments(self, request: DataRequest) -> Any:
        body = (await read(request, self._limits, understand=True)).whole or b"{}"
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        if kind != "application/json" and request.body_exists:
            raise _misread(
                NotJson("send the tool's arguments as JSON, with Content-Type: application/json")
            )
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise _misread(BadBody("the tool's arguments are not JSON")) from error


def _misread(error: SidecarError) -> ToolFailed:
    """What a harness that gives its model `text`, whatever comes, can give it here, too."""
    return ToolFailed(error.message, error)


def caller_of(request: DataRequest) -> Caller:
    """Who calls, by the headers of a request. Raises BadHeader."""
    return Caller(
        principal=request.principal,
        session=headers.text(request.headers.get("x-subagent-session")),
        fields=tuple(headers.credentials(request.raw_headers)),
        context=tuple(field for field in request.raw_headers if field[0].lower() in _TRACE),
        key=key_of(request),
    )
