"""`GET /openapi.json`: the admin plane, described."""

import importlib
import json

from aiohttp import web


class OpenApiRoutes:
    """The handler; `register` adds it. The document is made when it is first asked for: most
    sidecars are never asked."""

    def __init__(self) -> None:
        self._written: bytes | None = None

    def register(self, app: web.Application) -> None:
        app.router.add_get("/openapi.json", self.document)

    async def document(self, request: web.Request) -> web.Response:
        if self._written is None:
            described = importlib.import_module(f"{__package__}.openapi").document()
            self._written = json.dumps(described).encode()
        return web.Response(body=self._written, content_type="application/json")
