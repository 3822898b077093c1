"""A sidecar as far as sessions go, in threads of this process: it keeps what it was told."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from tests.support.ports import free_port


@dataclass(frozen=True, slots=True)
class Said:
    """A request: what (`heartbeat`, `end`, `` for a question), of which session."""

    what: str
    session: str
    body: Any
    headers: dict[str, str]


Answer = tuple[int, Any]


def _usual(said: Said) -> Answer:
    if said.what == "heartbeat":
        return 200, {"heartbeat_s": 0.05, "lease_s": 300.0}
    return 200, {"live_tasks": 0, "tasks": []}


@dataclass
class SessionSidecar:
    """`answer` says what is answered; `hanging`: nothing, until it is set to False."""

    said: list[Said] = field(default_factory=list)
    answer: Callable[[Said], Answer] = _usual
    port: int = field(default_factory=free_port)
    connections: int = 0
    answered: int = 0
    open: set[Any] = field(default_factory=set)
    _hang: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._hang.set()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def hanging(self) -> bool:
        return not self._hang.is_set()

    @hanging.setter
    def hanging(self, value: bool) -> None:
        if value:
            self._hang.clear()
        else:
            self._hang.set()

    def of(self, what: str, session: str | None = None) -> list[Said]:
        return [s for s in self.said if s.what == what and session in (None, s.session)]

    def take(self, said: Said) -> Answer:
        self.said.append(said)
        self._hang.wait()
        answer = self.answer(said)
        self.answered += 1
        return answer

    @contextmanager
    def running(self) -> Iterator["SessionSidecar"]:
        """On the port it had before."""
        server = ThreadingHTTPServer(("127.0.0.1", self.port), _handler(self))
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield self
        finally:
            self.hanging = False
            server.shutdown()
            thread.join()
            server.server_close()
            for connection in tuple(self.open):
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)


def _handler(sidecar: SessionSidecar) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self) -> None:
            sidecar.connections += 1
            sidecar.open.add(self.request)
            super().setup()

        def finish(self) -> None:
            sidecar.open.discard(self.request)
            with suppress(OSError):
                super().finish()

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def _answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            session, _, what = self.path.partition("/sidecar/sessions/")[2].partition("/")
            said = Said(
                what, unquote(session), json.loads(body) if body else None, dict(self.headers)
            )
            status, told = sidecar.take(said)
            payload = json.dumps(told).encode()
            with suppress(OSError):  # whoever asked is gone
                self.send_response(status)
                self.send_header("Content-Length", str(len(payload)))
                self.end_headers()
                self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:
            """Tests are quiet."""

    return Handler
