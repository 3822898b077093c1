"""The tools for operators: as models use them, on the admin plane."""

from collections.abc import Callable
from typing import Any

from aiohttp import web

from ..core.principal import ANONYMOUS
from ..core.storable import name
from ..errors import BadBody
from ..ports import Headers
from ..tools import Caller, ToolFailed, Tools
from .admin_about import came_to
from .admin_json import answer, json_body
from .tool_json import failure, told_json


class AdminToolRoutes:
    """Handlers; `register` adds them. `credentials` are the newest that were presented for a task:
    an operator has none of the agent servers' own."""

    def __init__(self, *, tools: Tools, credentials: Callable[[str], Headers]) -> None:
        self._tools = tools
        self._credentials = credentials

    def register(self, app: web.Application) -> None:
        app.router.add_post("/v1/tools/{tool}", self.call)

    async def call(self, request: web.Request) -> web.Response:
        """One call, with its arguments, in a session if it names one."""
        body = await json_body(request, frozenset({"arguments", "session"}))
        session = body.get("session")
        if session is not None and name(session) is None:
            raise BadBody("session: must be a name, not empty")
        arguments = body.get("arguments", {})
        caller = Caller(
            principal=ANONYMOUS, session=name(session), fields=self._presented(arguments)
        )
        tool = request.match_info["tool"]
        try:
            done = await self._tools.call(tool, arguments, caller)
            if done.task is not None and "task_id" in done.task:
                came_to(request, task_id=done.task["task_id"])
            return answer(told_json(tool, done))
        except ToolFailed as failed:
            status, fields, told = failure(failed, request_id=request.headers.get("x-request-id"))
            refused = answer(told, status=status)
            for field, value in fields:
                refused.headers[field.decode("latin-1")] = value.decode("latin-1")
            return refused

    def _presented(self, arguments: Any) -> Headers:
        task_id = arguments.get("task_id") if isinstance(arguments, dict) else None
        return tuple(self._credentials(task_id)) if isinstance(task_id, str) else ()
