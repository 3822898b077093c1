"""Who may ask the sidecar itself: programs, not web pages opened on the same machine.

A page of any site can have its own host name resolve to 127.0.0.1 (DNS rebinding), and is then of
one origin with the sidecar: its browser lets it read every answer and send any header. It cannot
help to say in `Host`, and where it writes in `Origin`, what name it was loaded from. An IP address,
`localhost`, or a name without a dot, as machines and containers have it in their own network,
cannot be had by a stranger; all other names are refused, unless the settings allow them.

This is no authentication, and nothing else is ever decided by a `Host`.
"""

import re
from collections.abc import Collection
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from ..errors import ForeignOrigin
from .request import DataRequest

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:\d*)?")
"""A name or an address, and a port; what parsers could read in two ways is none."""

_OF_THIS_MACHINE = frozenset({"host.docker.internal", "host.containers.internal"})
"""What containers call the machine they run on: under `.internal` nobody can register a name."""


class ForeignPages:
    """`allowed` are names besides (`allowed_hosts`)."""

    def __init__(self, allowed: Collection[str] = ()) -> None:
        self._allowed = _OF_THIS_MACHINE | frozenset(allowed)

    def refuse(self, request: web.BaseRequest | DataRequest) -> None:
        """Raises ForeignOrigin for a request that a page of another site may have sent."""
        for host in request.headers.getall("Host", []):
            if host and not (_HOST.fullmatch(host) and self._is_known(f"//{host}")):
                raise ForeignOrigin(
                    f"'{host.rpartition('@')[2][:80]}' is no name this answers to: it does to "
                    "localhost, IP addresses, names without a dot, and those that the setting "
                    "`allowed_hosts` lists. A proxy in front may send its own Host"
                )
        for origin in request.headers.getall("Origin", []):
            if not self._is_known(origin):
                raise ForeignOrigin(f"pages of '{origin[:80]}' have no business here")

    def _is_known(self, url: str) -> bool:
        return is_local(url) or host_in(url) in self._allowed


def is_local(url: str) -> bool:
    """Whether the host in `url` is one that no stranger can have."""
    host = host_in(url)
    if host and "." not in host and ":" not in host:
        return True
    if host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def host_in(url: str) -> str:
    """The host, as names are compared; empty where there is none, or `url` is no URL."""
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
