"""Who may ask the admin plane: programs on this machine, not web pages opened on it.

A page of any site can have its own host name resolve to 127.0.0.1 (DNS rebinding), and is then of
one origin with the admin plane: its browser lets it read every answer and send any header. It
cannot help to say in `Host`, and where it writes in `Origin`, what name it was loaded from. An IP
address, `localhost`, or a name without a dot, as machines and containers have it in their own
network, cannot be had by a stranger; all other names are refused.
"""

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from urllib.parse import urlsplit

from aiohttp import web

from ..errors import ForeignOrigin

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def no_foreign_pages(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Raises ForeignOrigin for a request to `/v1/` that a page of another site may have sent."""
    if request.path.startswith("/v1/"):
        host, origin = request.headers.get("Host", ""), request.headers.get("Origin")
        if host and not is_local(f"//{host}"):
            raise ForeignOrigin(
                f"this is answered at localhost, IP addresses and names without a dot, not at "
                f"'{host.rpartition('@')[2][:80]}': a proxy in front must send its own Host"
            )
        if origin is not None and not is_local(origin):
            raise ForeignOrigin(f"pages of '{origin[:80]}' have no business here")
    return await handler(request)


def is_local(url: str) -> bool:
    """Whether the host in `url` is one that no stranger can have."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
        if host and "." not in host and ":" not in host:
            return True
        if host.endswith(".localhost"):
            return True
        ip_address(host)
    except ValueError:
        return False
    return True
