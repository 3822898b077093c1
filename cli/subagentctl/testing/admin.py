"""A fake admin plane over HTTP, in threads of this process."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from subagentctl.client import JsonObject
from subagentctl.listing import LIVE


@dataclass(frozen=True, slots=True)
class Request:
    """What the fake was asked, and from which port of the client's machine."""

    path: str
    query: dict[str, str]
    headers: dict[str, str]
    port: int
    method: str = "GET"
    body: Any = None


@dataclass(frozen=True, slots=True)
class Reply:
    """What the fake answers; `body` bytes go out as they are, anything else as JSON."""

    status: int = 200
    body: Any = b""
    content_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)

    def payload(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Script = Callable[[Request], Reply | None]
"""Says how to answer; None means: the way an admin plane does."""


class _Server(ThreadingHTTPServer):
    """Hangs up on everybody when it stops, as a process that ends does."""

    daemon_threads = False

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        super().__init__(address, handler)
        self._connections: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that went away is its own business."""

    def hang_up(self) -> None:
        for connection in tuple(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


_NO_RULES = {"version": 1, "limits": [], "budgets": [], "lifecycle": []}


class FakeAdmin:
    """The task routes of the admin plane over a list of records, and scripted answers."""

    def __init__(self, port: int = 0) -> None:
        self.tasks: list[JsonObject] = []
        self.events: dict[str, list[JsonObject]] = {}
        self.feed: list[JsonObject] = []
        self.requests: list[Request] = []
        self.script: Script = lambda request: None
        self.page_cap = 1_000
        self.policy: JsonObject = {"files": [], "policy": _NO_RULES, "origins": {}}
        self.changed = True
        self._server = _Server(("127.0.0.1", port), _handler(self))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @contextmanager
    def running(self) -> Iterator["FakeAdmin"]:
        """Answer until the block ends; the socket listens from construction on."""
        thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.hang_up()
            self._server.server_close()

    def answer(self, request: Request) -> Reply:
        """Scripted, or what an admin plane with these tasks would say."""
        self.requests.append(request)
        if (scripted := self.script(request)) is not None:
            return scripted
        if request.method == "POST" and request.path == "/v1/cancel":
            return self._cancel(request.body["task_ids"])
        if request.path == "/v1/tasks":
            return self._page(request.query)
        if request.path == "/v1/policy":
            return Reply(body=self.policy)
        if request.path == "/v1/policy/reload":
            return Reply(body={**self.policy, "changed": self.changed})
        if request.path == "/v1/events":
            return self._feed(request)
        if request.path.startswith("/v1/traces/"):
            return self._trace(unquote(request.path.removeprefix("/v1/traces/")), request.query)
        if request.path.startswith("/v1/tasks/"):
            return self._one(unquote(request.path.removeprefix("/v1/tasks/")))
        return problem(404, "not_found", "No such route.")

    def _page(self, query: dict[str, str]) -> Reply:
        fits = [task for task in self.tasks if _fits(task, query)]
        recent = [task for task in fits if query.get("all") == "true" or _recent(task)]
        start = int(query.get("cursor", "0"))
        size = min(int(query.get("limit", "50")), self.page_cap)
        end = start + size
        return Reply(
            body={
                "tasks": recent[start:end],
                "next_cursor": str(end) if end < len(recent) else None,
                "hidden": len(fits) - len(recent),
            }
        )

    def _cancel(self, task_ids: list[str]) -> Reply:
        ends = [_end(task) for task in self.tasks if task["task_id"] in task_ids]
        return Reply(body={"tasks": ends, "more": False})

    def _feed(self, request: Request) -> Reply:
        """A page; or a stream, which ends after the last event there is."""
        query = request.query
        if "json" not in request.headers["Accept"]:
            after = int(request.headers.get("Last-Event-ID", query.get("after", "0")))
            body = "".join(_message(event) for event in self.feed if event["seq"] > after)
            return Reply(body=body.encode(), content_type="text/event-stream")
        after = int(query.get("after", "0"))
        fits = [event for event in self.feed if event["seq"] > after]
        if "last" in query:
            fits = fits[max(len(fits) - int(query["last"]), 0) :]
        page = fits[: self.page_cap]
        upto = page[-1]["seq"] if page else len(self.feed)
        more = len(page) < len(fits)
        return Reply(body={"events": page, "after": upto, "more": more, "gap": None})

    def _one(self, part: str) -> Reply:
        ids = [task["task_id"] for task in self.tasks]
        hits = [each for each in ids if each.startswith(part) or each.endswith(part)]
        if not hits:
            return problem(404, "task_not_found", f"No task on record has the id {part!r}.")
        if len(hits) > 1:
            message = f"{part!r} fits {len(hits)} tasks."
            return problem(409, "ambiguous_task", message, candidates=hits)
        task = self.tasks[ids.index(hits[0])]
        return Reply(body={"task": task, "events": self.events.get(hits[0], [])})

    def _trace(self, part: str, query: dict[str, str]) -> Reply:
        """All tasks there are, as one tree, oldest first."""
        found = self._one(part)
        if found.status != 200:
            return found
        asked = found.body["task"]
        start, size = int(query.get("cursor", "0")), min(int(query["limit"]), self.page_cap)
        oldest_first = self.tasks[::-1]
        page = oldest_first[start : start + size]
        if not start and asked not in page:
            page = [*page, asked]
        end = start + size
        return Reply(
            body={
                "trace_id": asked.get("trace_id"),
                "task_id": asked["task_id"],
                "now": None,
                "tasks": page,
                "total": len(self.tasks),
                "events": [event for task in page for event in self._events_of(task)],
                "refusals": [],
                "spans": [],
                "links": {},
                "next_cursor": str(end) if end < len(self.tasks) else None,
            }
        )

    def _events_of(self, task: JsonObject) -> list[JsonObject]:
        return self.events.get(task["task_id"], [])


def _end(task: JsonObject) -> JsonObject:
    """Cancels the task, unless it is over."""
    live = task["status"] in LIVE
    outcome = "cancelled" if live else f"already {task['status']}"
    if live:
        task |= {"status": "cancelled", "ended_by": "operator"}
    return {
        "task_id": task["task_id"],
        "outcome": outcome,
        "over": True,
        "status": task["status"],
        "run_id": task["run_id"],
        "detail": "the server confirms that it is over" if live else "it was over before",
    }


def _fits(task: JsonObject, query: dict[str, str]) -> bool:
    names = {"session": "session_id", "agent": "agent_name"}
    wanted = {names.get(key, key): query[key] for key in _FILTERS if query.get(key)}
    statuses = query.get("status", "")
    return (
        (not statuses or task["status"] in statuses.split(","))
        and task["created_at"] >= query.get("since", "")
        and all(task[key] == value for key, value in wanted.items())
    )


def _message(event: JsonObject) -> str:
    return f"id: {event['seq']}\nevent: {event['kind']}\ndata: {json.dumps(event)}\n\n"


_FILTERS = ("session", "agent", "upstream", "supervisor")


def _recent(task: JsonObject) -> bool:
    return task["status"] in LIVE or task.get("recent", True)


def problem(status: int, code: str, message: str, **more: Any) -> Reply:
    """An error in the sidecar's shape."""
    body = {"error": code, "message": message, "detail": message, "code": code, **more}
    return Reply(status=status, body={"request_id": "req-1", **body})


def _handler(fake: FakeAdmin) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(None)

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._answer(json.loads(self.rfile.read(length)))

        def _answer(self, body: Any) -> None:
            parts = urlsplit(self.path)
            query = dict(parse_qsl(parts.query, keep_blank_values=True))
            headers, port = dict(self.headers.items()), self.client_address[1]
            asked = Request(parts.path, query, headers, port, self.command, body)
            reply = fake.answer(asked)
            payload = reply.payload()
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(len(payload)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    return Handler
