"""Row 24, with auth on: a supervisor's key leaves the sidecar once, to whoever made it."""

import asyncio
import json
from pathlib import Path

from tests.integration.http.rig import LOCAL
from tests.integration.http.wire import Wire
from tests.integration.security.test_canaries import ADMIN, REFUSED, RUN, THROUGH, send
from tests.integration.upstream.raw_server import Peer, serving
from tests.support.processes import SidecarProcess
from tests.support.waiting import eventually_got

NAMES = ("x-subagent-key", "x-api-key", "authorization")


class Server:
    """Keeps all that it is sent."""

    def __init__(self) -> None:
        self.sent = bytearray()

    async def script(self, peer: Peer) -> None:
        body = json.dumps(RUN).encode()
        head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "
        while True:
            self.sent += await peer.request()
            await peer.send(f"{head}{len(body)}\r\n\r\n".encode() + body)


def presenting(request: bytes, name: str, key: str) -> bytes:
    """`request` with that credential in place of its own."""
    head, _, body = request.partition(b"\r\n\r\n")
    lines = [
        line
        for line in head.split(b"\r\n")
        if line.partition(b":")[0].strip().lower() not in (b"authorization", b"x-api-key")
    ]
    scheme = "Bearer " if name == "authorization" else ""
    lines.insert(1, f"{name}: {scheme}{key}".encode())
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


async def made(port: int, name: str) -> str:
    body = json.dumps({"name": name, "every_task": True}).encode()
    request = (
        f"POST /v1/keys HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n".encode()
        + body
    )
    async with Wire(port) as wire:
        return str(json.loads((await wire.ask(request)).body)["key"])


async def revoked(port: int, key: str) -> None:
    request = (
        f"POST /v1/keys/{key.split('_')[1]}/revoke HTTP/1.1\r\nHost: a\r\n"
        "Content-Type: application/json\r\nContent-Length: 2\r\n\r\n{}"
    )
    async with Wire(port) as wire:
        assert (await wire.ask(request.encode())).status == 200


async def test_a_key_is_nowhere_but_with_its_holder(tmp_path: Path) -> None:
    server, seen = Server(), dict[str, bytes]()
    async with serving(server.script) as upstream:
        config = {
            "auth": True,
            "log_level": "debug",
            "otlp_endpoint": "console",
            "upstreams": {"main": f"http://{LOCAL}:{upstream.port}"},
        }
        async with SidecarProcess(tmp_path, upstreams={}, config=config) as process:
            admin_port = int(process.admin_url.rpartition(":")[2])
            good, gone = [await made(admin_port, name) for name in ("team-a", "team-b")]
            await revoked(admin_port, gone)
            wrong = good[:-4] + ("aaaa" if good[-4:] != "aaaa" else "bbbb")
            for number, request in enumerate(THROUGH.values()):
                name = NAMES[number % len(NAMES)]
                await send(process.port, presenting(request, name, good))
                for key in (gone, wrong):
                    seen[f"{name} {number} {key[:6]}"] = await send(
                        process.port, presenting(request, name, key)
                    )
            for what, request in REFUSED.items():
                seen[what] = await send(process.port, presenting(request, "x-api-key", good))
            await eventually_got(lambda: _told(process), bool)
            for path in (*ADMIN, "/v1/keys", "/v1/events?follow=false&after=0"):
                request = presenting(
                    f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode(), "authorization", good
                )
                seen[path] = await send(admin_port, request)
            await process.terminate()
            seen["log and spans"] = process.log.encode()
            for file in process.store_path.parent.glob("sidecar.db*"):
                seen[file.name] = await asyncio.to_thread(file.read_bytes)
    seen["what the server was sent"] = bytes(server.sent)
    secrets = {key.split("_")[2][:48].encode() for key in (good, gone)}
    assert {what for what, text in seen.items() if any(each in text for each in secrets)} == set()
    assert b"ssk_" not in server.sent and b"POST /threads/t/runs" in server.sent
    assert b"team-a" in seen["/v1/keys"] and b'"supervisor": "team-a"' in seen["/v1/tasks"]


async def _told(process: SidecarProcess) -> bool:
    return '"trace_id"' in process.log
