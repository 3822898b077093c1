"""A sidecar in this process, in front of servers that a test scripts byte by byte."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.integration.http.wire import Wire
from tests.integration.upstream.raw_server import OK, Peer, Script, serving

from subagent_sidecar import compose
from subagent_sidecar.config import Settings, settings
from subagent_sidecar.ports import Clock

LOCAL = "127.0.0.1"
ENVIRON = {"TEAM_KEY": "secret"}
"""What `${VAR}` in settings stands for."""
_OWN_ACCORD = re.compile(rb"(?s)(?!.*\r\n(?i:x-forwarded-for):).*\r\naccept: application/json\r\n")
"""What the sidecar asks says nothing of a client, and wants JSON. What a client has smuggled past
it would say neither, and counts."""


@dataclass(frozen=True)
class Front:
    """Where clients connect."""

    port: int
    admin_port: int

    def wire(self) -> Wire:
        return Wire(self.port)

    def admin(self) -> Wire:
        return Wire(self.admin_port)


def settings_for(*upstreams: str, **values: object) -> Settings:
    """Settings from `[NAME=]URL`s and config values; both ports are free ones. No policy unless one
    is named: tests start more than any supervisor should."""
    usual = {"listen": f"{LOCAL}:0", "admin_listen": f"{LOCAL}:0", "store": "memory:"}
    flags = {**usual, "policy": "none", **values}
    return settings(file=None, flags=flags, upstream_flags=upstreams, environ=ENVIRON)


@asynccontextmanager
async def sidecar(*upstreams: str, **values: object) -> AsyncIterator[Front]:
    """A sidecar in front of `[NAME=]URL`s; `values` are config keys."""
    async with sidecar_by(None, *upstreams, **values) as front:
        yield front


@asynccontextmanager
async def sidecar_by(
    clock: Clock | None, *upstreams: str, **values: object
) -> AsyncIterator[Front]:
    """Likewise, by a clock of the test's own: what the sidecar does by itself is done when that
    says so."""
    found = settings_for(*upstreams, **{"drain_timeout": "100ms", **values})
    listeners = compose.bind(found)
    async with compose.running(found, listeners, clock=clock):
        yield Front(listeners.data.getsockname()[1], listeners.admin.getsockname()[1])


@dataclass
class Recorder:
    """A server that keeps each request exactly as it came, and answers all with `answer`. What the
    sidecar asks of its own accord may come at any time, and is kept apart."""

    answer: bytes = OK
    requests: list[bytes] = field(default_factory=list)
    own_accord: list[bytes] = field(default_factory=list)
    port: int = 0
    connections: int = 0
    open: int = 0

    @property
    def url(self) -> str:
        return f"http://{LOCAL}:{self.port}"

    @property
    def last(self) -> bytes:
        return self.requests[-1]

    async def script(self, peer: Peer) -> None:
        self.connections += 1
        self.open += 1
        try:
            while True:
                request = await peer.request()
                own = _OWN_ACCORD.match(request.partition(b"\r\n\r\n")[0] + b"\r\n")
                (self.own_accord if own else self.requests).append(request)
                await peer.send(self.answer)
        finally:
            self.open -= 1


@asynccontextmanager
async def recording(answer: bytes = OK) -> AsyncIterator[Recorder]:
    recorder = Recorder(answer)
    async with serving(recorder.script) as server:
        recorder.port = server.port
        yield recorder


@asynccontextmanager
async def scripted(script: Script, **values: object) -> AsyncIterator[Front]:
    """A sidecar in front of one server that runs `script` on each connection."""
    async with (
        serving(script) as server,
        sidecar(f"http://{LOCAL}:{server.port}", **values) as front,
    ):
        yield front


@asynccontextmanager
async def recorded(
    answer: bytes = OK, /, **values: object
) -> AsyncIterator[tuple[Recorder, Front]]:
    async with recording(answer) as recorder, sidecar(recorder.url, **values) as front:
        yield recorder, front


def open_files() -> int:
    """File descriptors of this process: of the sidecar, its clients and its servers."""
    return len(list(Path("/proc/self/fd").iterdir()))


_FORWARDED = re.compile(rb"(?im)^x-forwarded-(for|host|proto):[^\r]*\r\n")
_PLACE = re.compile(rb"(?im)^(host|connection|content-length|transfer-encoding):([^\r]*)\r\n")


def end_to_end(request: bytes) -> bytes:
    """A recorded request without what a proxy must change: hop fields and X-Forwarded-*."""
    head, blank, body = request.partition(b"\r\n\r\n")
    head = _PLACE.sub(b"", _FORWARDED.sub(b"", head + b"\r\n"))
    return head + blank[2:] + body
