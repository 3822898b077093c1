"""An agent server as the sidecar asks it on its own account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from ..core.ghosts import SeenThread
from ..core.quick import quick
from ..core.signs import NO_GLIMPSE, Glimpse
from .upstream import Headers


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class ServerRun:
    """A run as an agent server tells it. `status` is the server's own word; `updated_at` of a run
    that has ended is when it did; `marked`: its start went through a sidecar."""

    run_id: str
    thread_id: str
    status: str
    created_at: str | None = None
    request_id: str | None = None
    updated_at: str | None = None
    marked: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ThreadState:
    """`messages` as the server writes them; `glimpse` tells one checkpoint from another."""

    messages: Sequence[Any]
    glimpse: Glimpse = NO_GLIMPSE


class AgentServer(Protocol):
    """The few calls the sidecar makes on its own account. `auth` are credentials to present.

    All raise UpstreamError; None means the server answered that it has no such thing.
    """

    async def run(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> ServerRun | None: ...

    async def runs(
        self, thread_id: str, *, limit: int, auth: Headers = ()
    ) -> Sequence[ServerRun] | None:
        """The thread's runs, newest first; also None where the server has no such route."""

    async def thread_status(self, thread_id: str, *, auth: Headers = ()) -> str | None: ...

    async def threads(
        self, thread_ids: Sequence[str], *, auth: Headers = ()
    ) -> Mapping[str, str] | None:
        """The status words of those threads that the server has, asked in one request; None where
        it cannot search by ids."""

    async def run_input(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> Any:
        """What a run was given to work on (its `input`), as JSON; None where the server does not
        tell."""

    async def listed_threads(
        self, *, limit: int, offset: int, auth: Headers = ()
    ) -> Sequence[SeenThread] | None:
        """A page of all threads there are, the newest first; None where the server cannot tell."""

    async def state(self, thread_id: str, *, auth: Headers = ()) -> ThreadState | None:
        """The thread's newest checkpoint: also while a run is going on. None where the server does
        not show its state."""

    async def cancel(
        self, thread_id: str, run_id: str, *, rollback: bool = False, auth: Headers = ()
    ) -> bool:
        """Ask the server to cancel one run. Whether it said yes, which proves nothing; no means
        that it has nothing to cancel: the run is over, or was never there."""

    async def blank_since(self, thread_id: str, *, auth: Headers = ()) -> str | None:
        """When a thread was made, as the server writes it. None where it holds something or was
        changed since, and where the server does not tell."""

    async def delete_thread(self, thread_id: str, *, auth: Headers = ()) -> bool:
        """Remove a thread with all that is in it. No means that there was none, or that the server
        has no such route."""

    async def graph_of(self, assistant_id: str, *, auth: Headers = ()) -> str | None:
        """The name of the graph an assistant runs; also None where the server has no such route."""

    async def graph_of_tool(self, tool: str, *, auth: Headers = ()) -> str | None:
        """The same of an MCP tool of the server's, which is an assistant by its name."""

    async def outcome(self, thread_id: str, run_id: str, *, auth: Headers = ()) -> str | None:
        """Wait until the run ends and say how: "success" or "error" (the join route)."""
