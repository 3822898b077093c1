"""The tools, which go in by the data plane's door like everybody else."""

from contextlib import AsyncExitStack
from dataclasses import dataclass

from ..tools import Catalog, Door, Interrupts, McpDoor, McpSessions, Tools, Waits
from .background import Background
from .base import Base


@dataclass(frozen=True, kw_only=True)
class Toolbox:
    """The tools, and what is made of them for MCP."""

    tools: Tools
    mcp: McpDoor


def make(stack: AsyncExitStack, base: Base, background: Background, door: Door) -> Toolbox:
    waits = Waits()
    base.service.observe(waits, began=waits.runs_began)
    interrupts = Interrupts(door, background.ender)
    stack.push_async_callback(interrupts.aclose)
    settings = base.settings
    catalog = Catalog(
        door,
        declared=settings.agents,
        upstreams=[upstream.name for upstream in settings.upstreams],
        listed={upstream.name: upstream.agents for upstream in settings.upstreams},
        now=base.clock.monotonic,
    )
    tools = Tools(
        door=door,
        catalog=catalog,
        service=base.service,
        store=base.store,
        ender=background.ender,
        interrupts=interrupts,
        waits=waits,
        result_limit=settings.tool_result_limit,
        now=base.clock.monotonic,
    )
    sessions = McpSessions(base.service, now=base.clock.monotonic)
    mcp = McpDoor(tools, catalog, sessions)
    stack.push_async_callback(mcp.aclose)
    return Toolbox(tools=tools, mcp=mcp)
