"""A sidecar whose admin plane has a token for each role, and somebody who has them."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.integration.http.rig import Front, settings_for
from tests.integration.http.wire import Answer

from subagent_sidecar import compose
from subagent_sidecar.config import Settings
from subagent_sidecar.core.roles import Role

TOKENS: Mapping[str, str] = {role: f"the-token-of-a-{role}" for role in Role}
"""By role, which is what they are called, too."""
WRONG = "no-token-of-anybody"


@dataclass(frozen=True)
class Desk:
    """Sends requests to the admin plane, byte by byte."""

    front: Front

    async def send(
        self, method: str, target: str, token: str | None = None, *, body: Any = None,
        fields: str = "", host: str = "127.0.0.1",
    ) -> Answer:  # fmt: skip
        """`fields` are further lines of the head, each ended by CRLF."""
        auth = "" if token is None else f"Authorization: Bearer {token}\r\n"
        told = b"" if body is None else json.dumps(body).encode()
        if body is not None:
            fields += f"Content-Type: application/json\r\nContent-Length: {len(told)}\r\n"
        head = f"{method} {target} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n{auth}{fields}"
        async with self.front.admin() as wire:
            return await wire.ask(head.encode() + b"\r\n" + told)

    async def acts(self) -> list[dict[str, Any]]:
        """What stands on record, oldest first."""
        query = "?follow=false&limit=1000&kind=admin_act"
        answer = await self.send("GET", f"/v1/events{query}", TOKENS["viewer"])
        return list(json.loads(answer.body)["events"])

    async def refusals(self, reason: str) -> float:
        answer = await self.send("GET", "/metrics", TOKENS["viewer"])
        name = f'subagent_admin_refused_total{{reason="{reason}"}} '
        [line] = [each for each in answer.body.decode().splitlines() if each.startswith(name)]
        return float(line.removeprefix(name))


def code(answer: Answer) -> str:
    return str(json.loads(answer.body)["code"])


def guarded_settings(folder: Path, **values: object) -> Settings:
    """In front of a server that is not there; the tokens stand in files called as their roles."""
    for role, token in TOKENS.items():
        (folder / role).write_text(token, "utf-8")
    given = {role: {"role": role, "token_file": str(folder / role)} for role in TOKENS}
    return settings_for("http://127.0.0.1:9", admin_tokens=given, drain_timeout="100ms", **values)


@asynccontextmanager
async def desk(
    found: Settings, *, renewal_asked: asyncio.Event | None = None
) -> AsyncIterator[Desk]:
    listeners = compose.bind(found)
    async with compose.running(found, listeners, renewal_asked=renewal_asked):
        yield Desk(Front(listeners.data.getsockname()[1], listeners.admin.getsockname()[1]))


@asynccontextmanager
async def guarded(
    folder: Path, *, renewal_asked: asyncio.Event | None = None, **values: object
) -> AsyncIterator[Desk]:
    async with desk(guarded_settings(folder, **values), renewal_asked=renewal_asked) as found:
        yield found
