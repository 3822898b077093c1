"""Sockets, and what serves on them."""

import asyncio
import socket
from contextlib import AsyncExitStack
from dataclasses import dataclass

from aiohttp import web

from ..config import Settings
from ..config_values import Address
from ..errors import ConfigError
from ..proxy.admin_routes import AdminPlane
from ..proxy.agent_routes import DataPlane
from ..proxy.server import DataServer

_BACKLOG = 2_048


@dataclass(frozen=True)
class Listeners:
    """Bound sockets, passed in so that tests choose their own."""

    data: socket.socket
    admin: socket.socket

    @property
    def data_url(self) -> str:
        return Address(*self.data.getsockname()[:2]).url

    @property
    def admin_url(self) -> str:
        return Address(*self.admin.getsockname()[:2]).url


def bind(settings: Settings) -> Listeners:
    """Bind both ports. Raises ConfigError naming the one that is taken."""
    return Listeners(
        data=_bind(settings.listen, "--listen"),
        admin=_bind(settings.admin_listen, "--admin-listen"),
    )


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


async def serve_admin(stack: AsyncExitStack, admin: AdminPlane, sock: socket.socket) -> None:
    runner = web.AppRunner(admin.application(), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.SockSite(runner, sock).start()


async def serve_data(
    stack: AsyncExitStack, plane: DataPlane, settings: Settings, sock: socket.socket
) -> None:
    server = DataServer(
        plane.handle,
        header_timeout_s=settings.header_timeout.total_seconds(),
        max_connections=settings.max_connections,
    )
    listener = await asyncio.get_running_loop().create_server(server, sock=sock, backlog=_BACKLOG)
    server.start_sweeping()
    stack.push_async_callback(_drain, listener, server, settings.drain_timeout.total_seconds())


async def _drain(listener: asyncio.Server, server: DataServer, timeout_s: float) -> None:
    """Stop accepting, let requests finish, cut what is left at the deadline."""
    listener.close()
    server.stop_sweeping()
    server.pre_shutdown()
    await server.shutdown(timeout_s)
