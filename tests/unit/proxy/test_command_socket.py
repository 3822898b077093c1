"""A command that is being decided while the world goes on."""

import asyncio
import json
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest
from tests.support.waiting import eventually
from tests.unit.proxy.test_door_answers import INTENT

from subagent_sidecar.core.model import Intent
from subagent_sidecar.core.wire import Act, Meaning
from subagent_sidecar.errors import StoreBusy
from subagent_sidecar.proxy.bodies import RunBody
from subagent_sidecar.proxy.calls import Call
from subagent_sidecar.proxy.command_socket import CommandSocket
from subagent_sidecar.proxy.door_answers import Outcome, Taken
from subagent_sidecar.proxy.doors import Doors
from subagent_sidecar.proxy.frames import Op, frame, head
from subagent_sidecar.proxy.starts import Starts
from subagent_sidecar.proxy.telling import Telling
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock

MASK = b"\x01\x02\x03\x04"
COMMAND = frame(Op.TEXT, b'{"id":1,"method":"run.start","params":{}}', mask=MASK)
AFTER = frame(Op.TEXT, b"after", mask=MASK)


class Asked(Starts):
    """Starts that admit when they are told to."""

    def __init__(self) -> None:
        self.decision: asyncio.Future[Intent] = asyncio.get_running_loop().create_future()
        self.asked = 0
        self.settled: list[str] = []
        self._webhooks = None

    async def admit(
        self, call: Call, body: RunBody, thread_id: str | None, *, alone: bool = True
    ) -> Intent:
        self.asked += 1
        assert not alone
        return await self.decision

    def released(self, intent: Intent, reason: str) -> None:
        self.settled.append(f"released: {reason}")

    def doubt(self, call: Call, intent: Intent, reason: str, *, answered: bool) -> None:
        self.settled.append(f"doubt: {reason}")


class Door(Doors):
    def __init__(self, starts: Asked) -> None:
        self.starts = starts
        self.draining = False
        self.outcomes: list[Outcome] = []

    def enter(self, call: Call, intent: Intent, outcome: Outcome) -> None:
        self.outcomes.append(outcome)


@dataclass
class Side:
    """What an asyncio.Transport is written."""

    written: bytes = b""
    closed: bool = False

    def write(self, data: bytes) -> None:
        self.written += data

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed


@dataclass
class Line:
    client: Side = field(default_factory=Side)
    upstream: Side = field(default_factory=Side)

    def __post_init__(self) -> None:
        self.starts = Asked()
        self.doors = Door(self.starts)
        call = SimpleNamespace(
            meaning=Meaning(Act.COMMAND_SOCKET, "t"),
            limits=SimpleNamespace(inspect_limit=1_000),
            target=SimpleNamespace(inject=False),
            request=SimpleNamespace(method="GET", raw_target="/threads/t/stream/events"),
        )
        self.socket = CommandSocket(
            cast(Call, call),
            self.doors,
            Telling(now=FakeClock().monotonic),
            client=cast(asyncio.Transport, self.client),
            upstream=cast(asyncio.Transport, self.upstream),
        )

    def told(self) -> Any:
        """The one message the client was sent."""
        found = head(self.client.written)
        assert found is not None
        return json.loads(self.client.written[found.size :])


@pytest.fixture
async def line() -> Line:
    return Line()


async def asked(line: Line) -> "asyncio.Task[None]":
    up = spawn(line.socket.up(COMMAND + AFTER), name="up", awaited=True)
    await eventually(lambda: line.starts.asked)
    return up


async def test_what_comes_after_a_command_waits_for_it(line: Line) -> None:
    up = await asked(line)
    assert line.upstream.written == b""
    line.starts.decision.set_result(INTENT)
    await up
    assert line.upstream.written == COMMAND + AFTER


async def test_a_client_that_leaves_while_it_is_decided_leaves_no_intent(line: Line) -> None:
    up = await asked(line)
    up.cancel()
    await asyncio.wait([up])
    line.socket.over()
    line.starts.decision.set_result(INTENT)
    await eventually(lambda: line.starts.settled)
    assert line.starts.settled == ["released: the client left before it was sent"]
    assert line.upstream.written == b""


async def test_a_server_that_is_gone_when_it_is_decided_is_sent_nothing(line: Line) -> None:
    up = await asked(line)
    line.upstream.close()
    line.starts.decision.set_result(INTENT)
    await up
    assert line.starts.settled == ["released: the WebSocket was closed before it was sent"]


async def test_a_store_in_trouble_lets_no_command_by(line: Line) -> None:
    up = await asked(line)
    line.starts.decision.set_exception(StoreBusy("too many writes are waiting"))
    await up
    assert (line.told()["type"], line.told()["error"]) == ("error", "store_busy")
    assert line.upstream.written == AFTER


async def test_nothing_is_started_while_the_sidecar_stops(line: Line) -> None:
    line.doors.draining = True
    await line.socket.up(COMMAND)
    assert (line.told()["error"], line.starts.asked) == ("draining", 0)
    assert line.upstream.written == b""


REPLY = frame(Op.TEXT, b'{"type":"success","id":1,"result":{"run_id":"r"}}')
EVENT = frame(Op.TEXT, b'{"type":"event","id":1}')


async def test_a_command_is_settled_once_by_the_first_reply_with_its_id(line: Line) -> None:
    line.starts.decision.set_result(INTENT)
    await line.socket.up(COMMAND)
    await line.socket.down(EVENT + REPLY + REPLY)
    line.socket.over()
    assert [type(outcome) for outcome in line.doors.outcomes] == [Taken]
    assert (line.starts.settled, line.client.written) == ([], EVENT + REPLY + REPLY)


async def test_two_commands_with_one_id_are_settled_in_turn(line: Line) -> None:
    line.starts.decision.set_result(INTENT)
    await line.socket.up(COMMAND + COMMAND)
    await line.socket.down(REPLY)
    line.socket.over()
    assert len(line.doors.outcomes) == 1
    assert line.starts.settled == ["doubt: the WebSocket broke off before the server replied"]
