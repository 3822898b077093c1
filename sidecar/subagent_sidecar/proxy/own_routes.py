"""What the sidecar answers itself on the data plane: everything under /sidecar."""

import json

from aiohttp import web

from .. import __version__
from ..errors import NoSuchRoute
from . import answering
from .foreign_pages import ForeignPages
from .gate import HEALTH
from .mcp_routes import PATH as MCP
from .mcp_routes import McpRoutes
from .otlp_routes import PREFIX as OTLP
from .otlp_routes import OtlpRoutes
from .request import DataRequest
from .session_routes import PREFIX as SESSIONS
from .session_routes import SessionRoutes
from .tool_routes import PATH as TOOLS
from .tool_routes import ToolRoutes

_JSON = [(b"content-type", b"application/json")]


class OwnRoutes:
    """`keyed`: supervisors need keys. No page of a stranger has one; without keys, none may ask.
    What is passed on to agent servers is theirs to guard."""

    def __init__(
        self,
        *,
        sessions: SessionRoutes,
        otlp: OtlpRoutes,
        tools: ToolRoutes,
        mcp: McpRoutes,
        pages: ForeignPages,
        keyed: bool,
    ) -> None:
        self._sessions = sessions
        self._otlp = otlp
        self.tools = tools
        self._mcp = mcp
        self._pages = pages
        self._keyed = keyed

    def stop(self) -> None:
        """Nothing is waited for any more."""
        self.tools.stop()
        self._mcp.stop()

    async def serve(self, request: DataRequest, path: str) -> web.StreamResponse:
        if not self._keyed:
            self._pages.refuse(request)
        if path == HEALTH and request.method in ("GET", "HEAD"):
            return answering.send(request, 200, _JSON, json.dumps(self._health()).encode())
        if path.startswith(SESSIONS):
            return await self._sessions.serve(request, path)
        if path.startswith(OTLP):
            return await self._otlp.serve(request, path)
        if path == TOOLS or path.startswith(TOOLS + "/"):
            return await self.tools.serve(request, path)
        if path == MCP:
            return await self._mcp.serve(request)
        raise NoSuchRoute(
            f"the sidecar has no {request.method} {path[:200]}; paths under /sidecar/ are its own "
            "and are not passed on"
        )

    def _health(self) -> dict[str, str]:
        """Strangers need not know how old it is."""
        return {"status": "ok"} if self._keyed else {"status": "ok", "version": __version__}
