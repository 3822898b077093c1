"""`SessionLease`: a LangChain agent middleware that keeps the lease of the agent's conversation."""

import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from langchain.agents.middleware import AgentMiddleware
from langchain.agents.middleware.types import ModelRequest, ModelResponse
from langgraph.config import get_config

from .blocks import checked_lease, sidecar_url
from .exits import keeper_of

_log = logging.getLogger("subagent_sidecar.client")


class SessionLease(AgentMiddleware[Any, Any, Any]):
    """Keeps the lease of every conversation the agent is used in, while this process lives.

    `url` is the sidecar's (SUBAGENT_SIDECAR_URL, else http://127.0.0.1:8460); that of a subagent
    will do. The session is the agent's own thread id, as deepagents sends it, unless `session_id`
    says what the subagents' `x-subagent-session` header says. `lease_s` (10 to 86,400) is the
    lease to ask for; without it the policy says, or it is 15 minutes. With `end_at_exit=False`
    sessions are not ended when the process exits: for services that are restarted under
    conversations that go on. `headers` are sent along; `ssl_context` is for an https sidecar whose
    authority this machine does not know, or that wants a client certificate. Raises ValueError at
    once for a `url` or a lease that is none, and nothing afterwards.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        session_id: str | None = None,
        lease_s: int | None = None,
        end_at_exit: bool = True,
        headers: Mapping[str, str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        super().__init__()
        self._keeper = keeper_of(
            sidecar_url(url), dict(headers or {}), end_at_exit=end_at_exit, ssl_context=ssl_context
        )
        self._session_id = session_id
        self._lease_s = checked_lease(lease_s)
        self._told = False

    # Around the model's calls, not before them: hooks of their own would be steps of the graph,
    # which count towards its recursion limit and are written to its checkpoints.

    def wrap_model_call(
        self, request: ModelRequest[Any], handler: Callable[[ModelRequest[Any]], ModelResponse[Any]]
    ) -> ModelResponse[Any]:
        self._use()
        return handler(request)

    async def awrap_model_call(
        self,
        request: ModelRequest[Any],
        handler: Callable[[ModelRequest[Any]], Awaitable[ModelResponse[Any]]],
    ) -> ModelResponse[Any]:
        self._use()
        return await handler(request)

    def _use(self) -> None:
        session_id = self._session_id or _thread_id()
        if session_id is not None:
            self._keeper.use(session_id, lease_s=self._lease_s)
        elif not self._told:
            self._told = True
            _log.warning(
                "this agent is used without a thread_id, so its conversation has no name: no lease "
                "is kept. Give it a checkpointer and a thread_id, or SessionLease a session_id."
            )


def _thread_id() -> str | None:
    """Of the conversation this runs in, as deepagents writes it."""
    try:
        configurable = get_config().get("configurable") or {}
    except RuntimeError:
        return None
    thread_id = configurable.get("thread_id")
    return None if thread_id is None else str(thread_id)
