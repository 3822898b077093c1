"""Sockets, and what serves on them."""

import asyncio
import socket
from collections.abc import Awaitable, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from functools import partial
from typing import Any

from aiohttp import web

from ..config import Settings
from ..config_values import Address
from ..errors import ConfigError
from ..proxy.admin_routes import AdminPlane
from ..proxy.admin_server import AdminServer
from ..proxy.agent_routes import DataPlane
from ..proxy.server import DataServer
from ..renewals import renew_certificates
from ..tls import BadFile, Renewable, ServerFiles
from .lifetimes import spawned
from .renewing import Renewing

_BACKLOG = 2_048
_GOODBYE_S = 1.0


@dataclass(frozen=True)
class Listeners:
    """Bound sockets, passed in so that tests choose their own."""

    data: socket.socket
    admin: socket.socket
    schemes: tuple[str, str] = ("http", "http")
    """What is spoken at the first, and at the second."""

    @property
    def data_url(self) -> str:
        return self._url(self.data, self.schemes[0])

    @property
    def admin_url(self) -> str:
        return self._url(self.admin, self.schemes[1])

    def _url(self, sock: socket.socket, scheme: str) -> str:
        return Address(*sock.getsockname()[:2]).url_as(scheme)


def bind(settings: Settings) -> Listeners:
    """Bind both ports. Raises ConfigError naming the one that is taken."""
    return Listeners(
        data=_bind(settings.listen, "--listen"),
        admin=_bind(settings.admin_listen, "--admin-listen"),
        schemes=(_scheme(settings.tls), _scheme(settings.admin_tls)),
    )


def _scheme(files: ServerFiles | None) -> str:
    return "http" if files is None else "https"


def _bind(address: Address, flag: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind((address.host, address.port))
    except OSError as error:
        sock.close()
        raise ConfigError(
            [f"{flag} {address.host}:{address.port}: {error.strerror}; choose another with {flag}"]
        ) from error
    return sock


@dataclass(frozen=True)
class Secured:
    """The contexts of both listeners; None: no TLS there."""

    data: Renewable | None
    admin: Renewable | None


def secured(settings: Settings, renewing: Renewing) -> Secured:
    """Contexts that are made anew when their files change or when it is asked. Raises ConfigError:
    files may have changed since the settings were read."""
    try:
        found = Secured(
            data=None if settings.tls is None else Renewable(settings.tls),
            admin=None if settings.admin_tls is None else Renewable(settings.admin_tls),
        )
    except BadFile as error:
        raise ConfigError([str(error)]) from error
    kept = [each for each in (found.data, found.admin) if each is not None]
    if kept:
        files = [file for each in kept for file in each.files.all]
        renewing.keep(files, partial(renew_certificates, kept), name="certificates")
    return found


def _tls(secured: Renewable | None, settings: Settings) -> Mapping[str, Any]:
    """What a listener is made with. A client that shakes hands slowly is as late as one that is
    slow with its request, and is not waited for when it does not say good-bye."""
    if secured is None:
        return {}
    return {
        "ssl": secured.context,
        "ssl_handshake_timeout": settings.header_timeout.total_seconds(),
        "ssl_shutdown_timeout": _GOODBYE_S,
    }


async def serve_admin(
    stack: AsyncExitStack,
    admin: AdminPlane,
    settings: Settings,
    sock: socket.socket,
    secured: Renewable | None = None,
) -> None:
    runner = web.AppRunner(admin.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    assert runner.server is not None
    stack.push_async_callback(_end_admin, runner)
    server = AdminServer(
        runner.server,
        header_timeout_s=settings.header_timeout.total_seconds(),
        max_connections=settings.max_connections,
    )
    spawned(stack, server.sweep(), name="close overdue admin connections")
    listener = await asyncio.get_running_loop().create_server(
        server, sock=sock, backlog=_BACKLOG, **_tls(secured, settings)
    )
    stack.callback(listener.close)


async def _end_admin(runner: web.AppRunner) -> None:
    assert runner.server is not None
    await _end([each.transport for each in runner.server.connections], runner.cleanup())


async def serve_data(
    stack: AsyncExitStack,
    plane: DataPlane,
    settings: Settings,
    sock: socket.socket,
    secured: Renewable | None = None,
) -> None:
    server = DataServer(
        plane.handle,
        header_timeout_s=settings.header_timeout.total_seconds(),
        max_connections=settings.max_connections,
        max_client_connections=settings.max_client_connections,
        max_body=settings.max_body,
        opens=None if plane.gate is None else plane.gate.opens,
    )
    listener = await asyncio.get_running_loop().create_server(
        server, sock=sock, backlog=_BACKLOG, **_tls(secured, settings)
    )
    server.start_sweeping()
    stack.push_async_callback(_drain, listener, server, settings.drain_timeout.total_seconds())


async def _drain(listener: asyncio.Server, server: DataServer, timeout_s: float) -> None:
    """Stop accepting, let requests finish, cut what is left at the deadline."""
    listener.close()
    server.stop_sweeping()
    server.pre_shutdown()
    await _end(server.transports, server.shutdown(timeout_s))


async def _end(open_ones: Sequence[asyncio.Transport | None], shut_down: Awaitable[None]) -> None:
    """Shut down, and do not wait for the good-byes of clients: over TLS they may never come."""
    await shut_down
    for transport in open_ones:
        with suppress(AttributeError):  # asyncio's own TLS transport, where it is gone
            if transport is not None and not transport.get_write_buffer_size():
                transport.abort()
