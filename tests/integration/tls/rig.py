"""A sidecar whose settings are those of a file, since certificates are named there alone."""

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from tests.integration.http.rig import LOCAL
from tests.integration.http.wire import Wire

from subagent_sidecar import compose
from subagent_sidecar.config import settings

GET = b"GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@dataclass(frozen=True)
class Place:
    """A sidecar's two ports, by URL, and the event that asks for its certificates anew."""

    data_url: str
    admin_url: str
    port: int
    admin_port: int
    renewal_asked: asyncio.Event


class TlsWire(Wire):
    """A client's connection with TLS to 127.0.0.1, where it expects `localhost`."""

    def __init__(self, port: int, context: ssl.SSLContext, name: str = "localhost") -> None:
        super().__init__(port)
        self._context, self._name = context, name

    async def __aenter__(self) -> "TlsWire":
        self.reader, self.writer = await asyncio.open_connection(
            LOCAL, self._port, ssl=self._context, server_hostname=self._name
        )
        return self

    @property
    def tls(self) -> ssl.SSLObject:
        found = self.writer.get_extra_info("ssl_object")
        assert isinstance(found, ssl.SSLObject)
        return found


@asynccontextmanager
async def sidecar(folder: Path, **said: Any) -> AsyncIterator[Place]:
    """`said` are config keys; without `upstreams` there is one nobody answers at."""
    usual: Mapping[str, Any] = {
        "listen": f"{LOCAL}:0",
        "admin_listen": f"{LOCAL}:0",
        "store": "memory:",
        "policy": "none",
        "drain_timeout": "100ms",
        "upstreams": {"main": f"http://{LOCAL}:1"},
    }
    file = folder / "sidecar.yaml"
    file.write_text(yaml.safe_dump({**usual, **said}), "utf-8")
    found = settings(file=file, flags={}, upstream_flags=(), environ={})
    listeners = compose.bind(found)
    asked = asyncio.Event()
    async with compose.running(found, listeners, renewal_asked=asked):
        ports = (listeners.data.getsockname()[1], listeners.admin.getsockname()[1])
        yield Place(listeners.data_url, listeners.admin_url, *ports, asked)
