"""Send recorded requests again, with ids filled in, and note what was answered."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
from tests.acceptance.rig.asking import eventually, plain_http

Json = dict[str, Any]

_HEADERS_THAT_MATTER = ("content-type", "content-location", "location")


@dataclass(slots=True, kw_only=True)
class Replay:
    """One dialect on one side. `truth` asks the server directly, `client` goes the way to test."""

    client: httpx.AsyncClient
    truth: httpx.AsyncClient
    headers: Mapping[str, str]
    ids: dict[str, str]

    async def play(self, requests: list[Json]) -> list[Json]:
        return [await self._answer(request) for request in requests]

    async def _answer(self, request: Json) -> Json:
        if "after" in request:
            await self._run_is(request["after"])
        answer = await self.client.request(
            request["method"],
            self._filled(request["path"]),
            params=request.get("query"),
            content=self._body(request),
            headers=self.headers,
        )
        self._learn(answer)
        return {
            "request": f"{request['method']} {request['path']}",
            "status": answer.status_code,
            "headers": {name: answer.headers.get(name) for name in _HEADERS_THAT_MATTER},
            "body": answer.json() if answer.content else None,
        }

    def _body(self, request: Json) -> bytes | None:
        body = request.get("body")
        return None if body is None else self._filled(json.dumps(body)).encode()

    def _filled(self, text: str) -> str:
        for name, value in self.ids.items():
            text = text.replace("{" + name + "}", value)
        return text

    def _learn(self, answer: httpx.Response) -> None:
        """The ids a client reads from the bodies it gets."""
        if answer.request.method != "POST" or not answer.content:
            return
        body = answer.json()
        self.ids["thread"] = body["thread_id"]
        self.ids["run"] = body.get("run_id", "")

    async def _run_is(self, status: str) -> None:
        async def ask() -> str:
            path = self._filled("/threads/{thread}/runs/{run}")
            return str((await self.truth.get(path)).json()["status"])

        def reached(found: str) -> bool:
            return found == status

        if not reached(found := await eventually(ask, reached, within=30)):
            raise TimeoutError(f"the run is {found}, not {status}")


async def replayed(
    dialect: Json, *, way: str, server: str, parent: str
) -> tuple[list[Json], dict[str, str]]:
    """The answers to a dialect's requests, and the ids that were used."""
    async with plain_http(way) as client, plain_http(server) as truth:
        replay = Replay(
            client=client,
            truth=truth,
            headers={"content-type": "application/json", **dialect["headers"]},
            ids={"parent": parent},
        )
        async with asyncio.timeout(60):
            answers = await replay.play(dialect["requests"])
        return answers, replay.ids
