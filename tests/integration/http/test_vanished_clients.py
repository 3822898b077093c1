"""Clients that vanish take nothing with them and leave nothing behind (row 19)."""

import asyncio
import json
import random
from uuid import UUID

from tests.integration.http.rig import Front, open_files, scripted, sidecar
from tests.integration.http.test_disconnects import AT_ONCE
from tests.integration.upstream.raw_server import Peer
from tests.support.waiting import eventually, eventually_got

from subagent_sidecar.testing import FakeAgentServer, hang, succeed

STARTS = 500


def start(thread: str, form: str = "") -> bytes:
    body = json.dumps({"assistant_id": "worker", "if_not_exists": "create"}).encode()
    head = f"POST /threads/{thread}/runs{form} HTTP/1.1\r\nHost: a\r\n"
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body


async def recorded_runs(front: Front) -> list[str]:
    """Every run on record, over all pages; none may be in doubt."""
    runs: list[str] = []
    cursor = ""
    while True:
        async with front.admin() as admin:
            path = f"/v1/tasks?all=true&limit=200{cursor}"
            got = await admin.ask(f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        page = json.loads(got.body)
        for task in page["tasks"]:
            runs += ["in doubt"] if task["in_doubt"] else []
            runs += [run["run_id"] for run in task["runs"]]
        if page["next_cursor"] is None:
            return sorted(runs)
        cursor = f"&cursor={page['next_cursor']}"


async def drop_at_random(front: Front, thread: str, chance: random.Random) -> None:
    async with front.wire() as wire:
        data = start(thread, chance.choice(["", "", "/stream", "/wait"]))
        moment = chance.random() * 0.02
        if chance.random() < 0.2:
            data = data[: chance.randrange(len(data))]
        await wire.send(data)
        await asyncio.sleep(moment)
        wire.reset() if chance.random() < 0.5 else wire.writer.close()


async def test_starts_dropped_at_random_moments_are_on_record_if_the_server_took_them() -> None:
    chance = random.Random(19)
    async with (
        FakeAgentServer({"worker": succeed(after=0.01)}) as server,
        sidecar(server.url) as front,
    ):
        files = open_files()
        threads = [str(UUID(int=chance.getrandbits(128), version=4)) for _ in range(STARTS)]
        for batch in range(0, STARTS, 50):
            await asyncio.gather(
                *(drop_at_random(front, thread, chance) for thread in threads[batch : batch + 50])
            )

        async def both_books() -> tuple[list[str], list[str]]:
            return sorted(server.ledger.run_ids), await recorded_runs(front)

        taken, _ = await eventually_got(both_books, lambda books: books[0] == books[1], within=60)
        assert STARTS / 10 < len(taken) < STARTS  # some were dropped early, some late
        await eventually(lambda: open_files() <= files + 2, within=60)


async def test_a_start_whose_client_left_is_sent_and_recorded_all_the_same() -> None:
    thread = str(UUID(int=7, version=4))
    asked, go_on = asyncio.Event(), asyncio.Event()
    ends: list[bytes] = []

    async def script(peer: Peer) -> None:
        await peer.request()
        asked.set()
        await go_on.wait()
        body = json.dumps({"run_id": "r", "thread_id": thread, "status": "pending"}).encode()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        ends.append(await peer.gone())

    async with scripted(script) as front:
        async with front.wire() as wire:
            await wire.send(start(thread))
            await asked.wait()
            wire.reset()
        async with front.wire() as wire:  # by then the loss of the other is known
            await wire.ask(b"GET /sidecar/health HTTP/1.1\r\nHost: a\r\n\r\n")
        go_on.set()
        await eventually_got(lambda: recorded_runs(front), lambda runs: runs == ["r"])


async def test_a_start_that_failed_does_not_keep_the_next_request_from_ending_with_its_client() -> (
    None
):
    ended: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    async def script(peer: Peer) -> None:
        request = await peer.request()
        if b"/runs " in request:
            return  # closed without an answer
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        if b"/custom" in request:
            ended.set_result(await peer.gone())

    async with scripted(script) as front, front.wire() as wire:
        assert (await wire.ask(start(str(UUID(int=8, version=4))))).status == 502
        await wire.send(b"GET /custom HTTP/1.1\r\nHost: a\r\n\r\n")
        await wire.head()
        wire.reset()
        async with asyncio.timeout(AT_ONCE):
            assert await ended == b""


async def test_many_streams_whose_clients_vanish_leave_no_stream_upstream() -> None:
    async with (
        FakeAgentServer({"worker": hang()}, heartbeat_seconds=60) as server,
        sidecar(server.url) as front,
    ):
        files = open_files()
        wires = [front.wire() for _ in range(100)]
        for number, wire in enumerate(wires):
            await wire.__aenter__()
            await wire.send(start(str(UUID(int=number, version=4)), "/stream"))
        for wire in wires:
            await wire.head()
        assert open_files() >= files + 300  # each has two ends here, and one at the server
        for wire in wires:
            wire.reset()
        await eventually(lambda: open_files() <= files + 20)
