"""What Prometheus scrapes."""

from collections.abc import Awaitable, Callable

from aiohttp import web

Written = Callable[[str], Awaitable[tuple[bytes, str]]]
"""The page for a value of `Accept`, and its content type."""


class MetricsRoutes:
    """The handler; `register` adds it."""

    def __init__(self, *, written: Written) -> None:
        self._written = written

    def register(self, app: web.Application) -> None:
        app.router.add_get("/metrics", self.metrics)

    async def metrics(self, request: web.Request) -> web.Response:
        accept = ",".join(request.headers.getall("Accept", ()))[:_ACCEPT]
        body, content_type = await self._written(accept)
        return web.Response(body=body, headers={"Content-Type": content_type})


_ACCEPT = 1_000
