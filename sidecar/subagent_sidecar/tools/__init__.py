"""The tools with which any harness delegates in the background, whatever door it comes by."""

from .catalog import Catalog
from .door import Answered, Caller, Door
from .interrupting import Interrupts
from .mcp_door import McpDoor
from .mcp_sessions import McpSessions
from .service import Tools
from .told import Told, ToolFailed
from .waits import Waits

__all__ = [
    "Answered",
    "Caller",
    "Catalog",
    "Door",
    "Interrupts",
    "McpDoor",
    "McpSessions",
    "Told",
    "ToolFailed",
    "Tools",
    "Waits",
]
