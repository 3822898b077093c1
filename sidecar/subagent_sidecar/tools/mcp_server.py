"""The tools, as the official `mcp` package serves them. Imported by `mcp_door` alone, late."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import mcp_types as types
from mcp.server import NotificationOptions, Server, ServerRequestContext
from mcp.server.models import InitializationOptions
from mcp.server.session import ServerSession
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.subscriptions import InMemorySubscriptionBus, ListenHandler, ToolsListChanged
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, MODERN_PROTOCOL_VERSIONS

from .. import __version__
from ..core.credential_names import tells_who
from ..core.principal import Principal
from ..core.storable import name, storable
from ..core.toolset import Tool
from ..core.toolset import tools as all_tools
from ..errors import SidecarError
from ..tasks import spawn
from .catalog import Catalog
from .door import Caller
from .mcp_room import Room
from .mcp_sessions import McpSessions, named
from .service import Tools
from .told import Told, ToolFailed

_MAX_SESSIONS = 1_000
_MAX_LISTENERS = 1_000
_SCHEMAS = {tool.name: tool.parameters for tool in all_tools(())}
_CONTEXT = frozenset({"traceparent", "tracestate"})
_START = "start_async_task"
_DESTRUCTIVE = frozenset({"cancel_async_task", "update_async_task"})
_INSTRUCTIONS = (
    "Delegate work to async subagents that run in the background on other servers: start tasks, "
    "go on with something else, and check or wait for results when you need them."
)

Context = ServerRequestContext[Any, Any]


class _Server(Server[Any]):
    def create_initialization_options(
        self,
        notification_options: NotificationOptions | None = None,
        experimental_capabilities: dict[str, dict[str, Any]] | None = None,
        extensions: dict[str, dict[str, Any]] | None = None,
    ) -> InitializationOptions:
        """Says that the list of tools may change."""
        return super().create_initialization_options(
            notification_options or NotificationOptions(tools_changed=True),
            experimental_capabilities,
            extensions,
        )


class McpServer:
    """`app` serves while `run` does."""

    def __init__(self, tools: Tools, catalog: Catalog, sessions: McpSessions) -> None:
        self._tools = tools
        self._sessions = sessions
        self._bus = InMemorySubscriptionBus()
        self._listeners: dict[str, ServerSession] = {}
        server = _Server(
            "subagent-sidecar",
            version=__version__,
            instructions=_INSTRUCTIONS,
            on_list_tools=self._list_tools,
            on_call_tool=self._call_tool,
            on_subscriptions_listen=ListenHandler(self._bus),
            get_tool_input_schema=_SCHEMAS.get,
        )
        server.add_request_handler("server/discover", types.RequestParams, self._discover(server))
        server.middleware.clear()  # its spans would be about us, not about tasks
        self._manager = StreamableHTTPSessionManager(server, max_sessions=_MAX_SESSIONS)
        self.app = Room(
            self._manager.handle_request,
            most=_MAX_SESSIONS,
            kept=sessions.has_started,
            openers=sessions.openers,
        )
        catalog.on_changed(self._changed)
        logging.getLogger("mcp").setLevel(logging.WARNING)

    async def run(self, ready: asyncio.Event, over: asyncio.Event) -> None:
        """Serve from `ready` until `over`."""
        async with self._manager.run():
            ready.set()
            await over.wait()

    def _discover(self, server: Server[Any]) -> Any:
        """The newest protocol has no sessions, and ours are what tasks belong to and end with. So
        it is for clients that name theirs by header; all others are shown the way to those that
        have sessions, which they take by themselves."""

        async def discover(ctx: Context, params: types.RequestParams | None) -> Any:
            versions = MODERN_PROTOCOL_VERSIONS
            if _header(ctx, "x-subagent-session") is None:
                versions = HANDSHAKE_PROTOCOL_VERSIONS
            return types.DiscoverResult(
                supported_versions=list(versions),
                capabilities=server.get_capabilities(protocol_version=ctx.protocol_version),
                instructions=_INSTRUCTIONS,
            )

        return discover

    async def _list_tools(
        self, ctx: Context, params: types.PaginatedRequestParams | None
    ) -> types.ListToolsResult:
        if (session := _header(ctx, "mcp-session-id")) is not None:
            self._listens(session, ctx.session)
        offered = await self._tools.offered(self._caller(ctx))
        return types.ListToolsResult(tools=[_tool(tool) for tool in offered])

    async def _call_tool(
        self, ctx: Context, params: types.CallToolRequestParams
    ) -> types.CallToolResult:
        caller = self._caller(ctx)
        try:
            told = await self._tools.call(
                params.name,
                params.arguments or {},
                caller,
                progress=ctx.session.report_progress,
            )
        except ToolFailed as failed:
            return _failure(failed.text)
        except SidecarError as error:  # the store's, above all
            return _failure(error.message)
        session = _header(ctx, "mcp-session-id")
        if params.name == _START and session and caller.session == named(session):
            await self._sessions.started(session, caller.supervisor)
        return types.CallToolResult(content=list(_content(told)))

    def _caller(self, ctx: Context) -> Caller:
        session = name(_header(ctx, "x-subagent-session"))
        if session is None and (own := _header(ctx, "mcp-session-id")) is not None:
            session = name(named(own))
        return Caller(
            principal=_principal(ctx),
            session=session,
            fields=tuple(_fields(ctx, tells_who)),
            context=tuple(_fields(ctx, _CONTEXT.__contains__)),
        )

    # The list of tools changes with the agents that are named in it

    def _listens(self, session: str, to: ServerSession) -> None:
        self._listeners.pop(session, None)
        self._listeners[session] = to
        if len(self._listeners) > _MAX_LISTENERS:
            del self._listeners[next(iter(self._listeners))]

    def _changed(self) -> None:
        _ = spawn(self._tell_all(), name="tell that the tools have changed")

    async def _tell_all(self) -> None:
        await self._bus.publish(ToolsListChanged())
        for session, to in list(self._listeners.items()):
            try:
                async with asyncio.timeout(1.0):
                    await to.send_tool_list_changed()
            except Exception:  # noqa: BLE001 - whatever is wrong with this client is its affair
                self._listeners.pop(session, None)


def _principal(ctx: Context) -> Principal:
    """Who asks: see McpDoor."""
    assert ctx.request is not None, "messages come by HTTP"
    principal: Principal = ctx.request.scope["state"]["principal"]
    return principal


def _header(ctx: Context, name: str) -> str | None:
    headers: Mapping[str, str] = getattr(ctx.request, "headers", {})
    return headers.get(name) or None


def _fields(ctx: Context, wanted: Callable[[str], bool]) -> list[tuple[bytes, bytes]]:
    """As they came, for the data plane to judge."""
    scope: Mapping[str, Any] = getattr(ctx.request, "scope", {})
    raw: Iterable[tuple[bytes, bytes]] = scope.get("headers", ())
    return [(name, value) for name, value in raw if wanted(name.decode("latin-1"))]


def _tool(tool: Tool) -> types.Tool:
    return types.Tool(
        name=tool.name,
        description=tool.description,
        input_schema=dict(tool.parameters),
        annotations=types.ToolAnnotations(
            read_only_hint=tool.reads_only,
            destructive_hint=tool.name in _DESTRUCTIVE,
            open_world_hint=True,
        ),
    )


def _failure(text: str) -> types.CallToolResult:
    return types.CallToolResult(content=[types.TextContent(text=storable(text))], is_error=True)


def _content(told: Told) -> Iterable[types.ContentBlock]:
    return [_block(index, block) for index, block in enumerate(told.content)]


def _block(index: int, block: Mapping[str, Any]) -> types.ContentBlock:
    """Whatever stands in it: agent servers pass on what models and people have put there."""
    data, url, mime_type = (_text(block.get(key)) for key in ("base64", "url", "mime_type"))
    match block["type"]:
        case "text":
            return types.TextContent(text=storable(block["text"]))
        case "image" if data is not None:
            return types.ImageContent(data=data, mime_type=mime_type or "image/png")
        case "audio" if data is not None:
            return types.AudioContent(data=data, mime_type=mime_type or "audio/wav")
        case kind if data is not None:
            blob = types.BlobResourceContents(
                uri=f"attachment:{kind}-{index}", blob=data, mime_type=mime_type
            )
            return types.EmbeddedResource(resource=blob)
        case kind if url is not None:
            return types.ResourceLink(uri=url, name=f"{kind}-{index}", mime_type=mime_type)
        case kind:
            return types.TextContent(text=storable(f"[{kind}: {block!r}]"[:500]))


def _text(value: object) -> str | None:
    """What JSON can carry to every client: no lone surrogates."""
    return storable(value) if isinstance(value, str) else None
