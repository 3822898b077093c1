"""Commands over a WebSocket: those that start something wait until they may, everything else is
what it would be without us."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType
from tests.integration.doors.rig import POLICY, WAITED, Rig, rig
from tests.integration.doors.server import CODER_ID
from tests.integration.doors.test_http_doors import TOLD, is_known, run_start
from tests.integration.http import ws_wire
from tests.integration.http.rig import LOCAL, sidecar
from tests.integration.http.test_websocket import START
from tests.integration.http.wire import Wire
from tests.integration.http.ws_wire import MORE, PING, TEXT, Frame, closing, encode, switching
from tests.integration.upstream.raw_server import Peer, Script, serving
from tests.support.waiting import eventually

CODER = run_start("coder")
EXTENSION = "a frame of an extension nobody has agreed on"


async def reply(socket: ClientWebSocketResponse) -> Any:
    """The next message that is no event."""
    while True:
        message = await socket.receive(timeout=WAITED)
        assert message.type is WSMsgType.TEXT, message
        if (found := json.loads(message.data)).get("type") != "event":
            return found


async def test_a_command_is_a_task_with_the_run_its_reply_names(doors: Rig) -> None:
    async with doors.socket() as socket:
        await socket.send_json(run_start())
        assert await reply(socket) == {"type": "success", "id": 1, "result": {"run_id": "run-1"}}
        task = await doors.task(is_known("run-1"))
    assert (task["task_id"], task["agent_name"], task["purpose"]) == ("t", "writer", "topic A")


async def test_a_command_carries_its_request_id_where_no_header_can(doors: Rig) -> None:
    async with doors.socket() as socket:
        await socket.send_json(run_start())
        await reply(socket)
    metadata = doors.server.started[0].message["params"]["metadata"]
    assert metadata["sidecar_task_id"] == "t"
    assert len(metadata["sidecar_request_id"]) == 32


async def test_a_refusal_is_an_error_as_the_server_would_write_it(doors: Rig) -> None:
    async with doors.socket() as socket:
        for agent in ("coder", CODER_ID):
            await socket.send_json({**run_start(agent), "id": 9})
            told = await reply(socket)
            assert (told["type"], told["id"], told["error"]) == ("error", 9, "denied")
            assert told["message"].startswith(TOLD)
            assert told["rule"] == "no-coder"
        assert not doors.server.received
        await socket.send_json(run_start())
        assert (await reply(socket))["result"] == {"run_id": "run-1"}


async def test_a_command_whose_webhook_leads_elsewhere_is_not_sent(tmp_path: Path) -> None:
    command = run_start()
    params = {**command["params"], "webhook": "http://169.254.169.254/"}  # row 20
    async with rig(tmp_path, webhook_allow=["*"]) as doors, doors.socket() as socket:
        await socket.send_json({**command, "params": params})
        assert (await reply(socket))["error"] == "webhook_refused"
        assert not doors.server.received
        await socket.send_json(command)
        assert (await reply(socket))["result"] == {"run_id": "run-1"}


HIDDEN = [
    json.dumps(CODER).encode(),
    b" \n" + json.dumps(CODER).encode(),
    json.dumps(CODER).replace("run.start", "run.st\\u0061rt").encode(),
    b'{"method":"agent.getTree","id":1,"method":"run.start","params":{"assistant_id":"coder"}}',
]


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("body", HIDDEN, ids=["plain", "blanks", "escaped", "twice"])
async def test_no_spelling_of_a_start_gets_by(body: bytes, binary: bool, doors: Rig) -> None:
    async with doors.socket() as socket:
        await (socket.send_bytes(body) if binary else socket.send_str(body.decode()))
        assert (await reply(socket))["error"] == "denied"
    assert not doors.server.received


BESIDE = ['{"id": 2, "method": "subscription.subscribe", "params": {"x": [1.0]}}', "hello", "[]"]


async def test_everything_else_passes_as_it_is(doors: Rig) -> None:
    async with doors.socket() as socket:
        for text in BESIDE:
            await socket.send_str(text)
        await eventually(lambda: len(doors.server.received) == len(BESIDE), within=WAITED)
    assert doors.server.received == [text.encode() for text in BESIDE]
    assert not await doors.tasks()


async def test_an_answer_to_an_interrupt_is_found_by_its_request_id(doors: Rig) -> None:
    async with doors.socket() as socket:
        await socket.send_json(run_start())
        await reply(socket)
        await socket.send_json(
            {"id": 2, "method": "input.respond", "params": {"interrupt_id": "i"}}
        )
        assert (await reply(socket))["result"] == {}
        task = await doors.task(is_known("run-2"))
    assert (task["task_id"], task["superseded_run_ids"]) == ("t", ["run-1"])


async def test_what_the_server_declines_leaves_nothing(doors: Rig) -> None:
    doors.server.answers["run.start"] = {"type": "error", "error": "invalid_argument"}
    async with doors.socket() as socket:
        await socket.send_json(run_start())
        assert (await reply(socket))["error"] == "invalid_argument"
        assert not await doors.tasks()


async def test_a_command_whose_reply_never_comes_is_found(doors: Rig) -> None:
    doors.server.drops = True
    async with doors.socket() as socket:
        await socket.send_json(run_start())
        await eventually(lambda: doors.server.started, within=WAITED)
    assert (await doors.task(is_known("run-1")))["agent_name"] == "writer"


async def test_no_compression_is_agreed_on_where_commands_come(doors: Rig) -> None:
    url = f"{doors.url}/threads/t/stream/events"
    async with doors.session.ws_connect(url, compress=15) as socket:
        assert socket.compress == 0
        await socket.send_json(CODER)
        assert (await reply(socket))["error"] == "denied"
    assert doors.server.offered == [None]


async def test_a_command_too_long_to_be_read_ends_the_connection(tmp_path: Path) -> None:
    async with rig(tmp_path, inspect_limit="1KiB") as doors, doors.socket() as socket:
        await socket.send_str('{"id": 1, "a": "' + "x" * 2_000)
        message = await socket.receive(timeout=WAITED)
        assert (message.type, message.data) == (WSMsgType.CLOSE, 1009)
        assert "inspect_limit" in message.extra
        assert not doors.server.received


@asynccontextmanager
async def refusing(folder: Path, script: Script) -> AsyncIterator[Wire]:
    """A WebSocket to a server that follows `script`, through a sidecar that lets no coder in."""
    policy = folder / "p.yaml"
    policy.write_text(POLICY, "utf-8")
    async with (
        serving(script) as server,
        sidecar(f"http://{LOCAL}:{server.port}", policy=str(policy)) as front,
        front.wire() as wire,
    ):
        await wire.send(START + b"\r\n")
        line, _ = await wire.head()
        assert line == b"HTTP/1.1 101 Switching Protocols"
        yield wire


FRAGMENTS: list[tuple[str, Callable[[bytes], Sequence[Frame]]]] = [
    ("two", lambda text: [Frame(TEXT, text[:7], last=False), Frame(MORE, text[7:])]),
    ("with a ping between", lambda text: [
        Frame(TEXT, text[:7], last=False), Frame(PING, b"p"), Frame(MORE, text[7:])
    ]),
    ("bytes", lambda text: [
        Frame(TEXT, b"", last=False),
        *[Frame(MORE, bytes([byte]), last=False) for byte in text],
        Frame(MORE),
    ]),
]  # fmt: skip


@pytest.mark.parametrize(("how", "parts"), FRAGMENTS, ids=[how for how, _ in FRAGMENTS])
async def test_no_fragment_of_a_start_gets_by(
    how: str, parts: Callable[[bytes], Sequence[Frame]], tmp_path: Path
) -> None:
    seen: list[Frame] = []

    async def script(peer: Peer) -> None:
        await peer.send(switching(await peer.request()))
        while True:
            seen.append(await ws_wire.read(peer.reader))

    async with refusing(tmp_path, script) as wire:
        for frame in parts(json.dumps(CODER).encode()):
            await wire.send(encode(frame, masked=True))
        told = await ws_wire.read(wire.reader)
        assert json.loads(told.data)["error"] == "denied"
        await wire.send(encode(Frame(TEXT, b"after"), masked=True))
        await eventually(lambda: Frame(TEXT, b"after") in seen, within=WAITED)
    assert [frame for frame in seen if frame.op != PING] == [Frame(TEXT, b"after")]


async def test_a_refusal_is_told_between_the_servers_messages(tmp_path: Path) -> None:
    event = encode(Frame(TEXT, b"an event"), masked=False)

    async def script(peer: Peer) -> None:
        await peer.send(switching(await peer.request()) + event[:4])
        assert await ws_wire.read(peer.reader) == Frame(TEXT, b"no command")  # the other was before
        await peer.send(event[4:] + encode(Frame(TEXT, b"another"), masked=False))
        await peer.gone()

    async with refusing(tmp_path, script) as wire:
        assert await wire.reader.readexactly(4) == event[:4]
        await wire.send(encode(Frame(TEXT, json.dumps(CODER).encode()), masked=True))
        await wire.send(encode(Frame(TEXT, b"no command"), masked=True))
        assert await wire.reader.readexactly(len(event) - 4) == event[4:]
        told = [(await ws_wire.read(wire.reader)).data for _ in range(2)]
    assert sorted(data == b"another" for data in told) == [False, True]


async def test_a_frame_of_an_extension_ends_the_connection(tmp_path: Path) -> None:
    async def script(peer: Peer) -> None:
        await peer.send(switching(await peer.request()))
        assert await ws_wire.read(peer.reader) == closing(1002, EXTENSION)

    async with refusing(tmp_path, script) as wire:
        await wire.send(b"\xc1\x80\x00\x00\x00\x00")
        assert await ws_wire.read(wire.reader) == closing(1002, EXTENSION)
        assert await wire.everything() == b""
