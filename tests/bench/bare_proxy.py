"""The yardstick: what a bare aiohttp pass-through costs, with no feature at all."""

import argparse

from aiohttp import ClientSession, DummyCookieJar, TCPConnector, web
from multidict import CIMultiDict

HOP = ("Connection", "Keep-Alive", "Transfer-Encoding", "Content-Length", "Host", "Upgrade", "TE")
SESSION: web.AppKey[ClientSession] = web.AppKey("session", ClientSession)


def end_to_end(headers: "CIMultiDict[str]") -> "CIMultiDict[str]":
    for name in HOP:
        headers.popall(name, None)
    return headers


def application(upstream: str) -> web.Application:
    async def forward(request: web.Request) -> web.StreamResponse:
        body = await request.read() if request.body_exists else None
        async with request.app[SESSION].request(
            request.method,
            upstream + request.path_qs,
            headers=end_to_end(request.headers.copy()),
            data=body,
            allow_redirects=False,
        ) as answer:
            headers = end_to_end(answer.headers.copy())
            if answer.content_length is not None:
                return web.Response(status=answer.status, headers=headers, body=await answer.read())
            response = web.StreamResponse(status=answer.status, headers=headers)
            await response.prepare(request)
            async for piece in answer.content.iter_any():
                await response.write(piece)
            return response

    async def start(app: web.Application) -> None:
        app[SESSION] = ClientSession(
            connector=TCPConnector(limit=0), cookie_jar=DummyCookieJar(), auto_decompress=False
        )

    async def stop(app: web.Application) -> None:
        await app[SESSION].close()

    app = web.Application(client_max_size=1 << 30)
    app.on_startup.append(start)
    app.on_cleanup.append(stop)
    app.router.add_route("*", "/{path:.*}", forward)
    return app


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--upstream", required=True)
    parser.add_argument("--port", type=int, required=True)
    given = parser.parse_args()
    web.run_app(
        application(given.upstream),
        host="127.0.0.1",
        port=given.port,
        access_log=None,
        print=lambda *_: None,
    )
