"""The graph behind an assistant's id: rules that name agents hold whichever of the two is given."""

import asyncio
from dataclasses import dataclass, field

import pytest
from tests.support.agent_server import ScriptedServer
from tests.support.waiting import eventually

from subagent_sidecar.core.model import Item
from subagent_sidecar.errors import (
    AgentUnknown,
    UpstreamError,
    UpstreamRefused,
    UpstreamUnreachable,
)
from subagent_sidecar.ports import AgentServer, Headers
from subagent_sidecar.proxy.assistants import Assistants
from subagent_sidecar.proxy.bodies import RunBody
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock

ID = "c926ac5a-b04e-5949-878a-8e4830d4338b"
OTHER_ID = "7c5865b5-0e10-5c5f-8442-9225c0215d23"
KEY = [(b"x-api-key", b"secret")]


@dataclass
class Desk:
    server: ScriptedServer = field(default_factory=ScriptedServer)
    clock: FakeClock = field(default_factory=FakeClock)
    guards: bool = True

    def __post_init__(self) -> None:
        servers: dict[str, AgentServer] = {"up": self.server}
        self.assistants = Assistants(
            servers, now=self.clock.monotonic, guarded=self._guarded, pause_s=0
        )

    async def _guarded(self) -> bool:
        return self.guards

    async def agent(
        self, given: str | None, upstream: str = "up", key: Headers = KEY
    ) -> str | None:
        said = RunBody(assistant_id=given, purpose="kept")
        named = await self.assistants.named(upstream, said, key)
        assert named.purpose == "kept"
        return named.assistant_id


@pytest.fixture
def desk() -> Desk:
    return Desk()


SPELLINGS = [ID, ID.upper(), ID.replace("-", "")]


@pytest.mark.parametrize("given", SPELLINGS)
async def test_an_id_stands_for_its_graph(given: str, desk: Desk) -> None:
    assert await desk.agent(given) == "researcher"
    assert desk.server.asked == [f"graph of {given}"]
    assert desk.server.presented == [tuple(KEY)]


@pytest.mark.parametrize("given", [None, "researcher", "", "c926ac5a", ID + "0", f"{ID} "])
async def test_nobody_is_asked_about_a_name(given: str | None, desk: Desk) -> None:
    assert await desk.agent(given) == given
    assert not desk.server.asked


async def test_each_is_asked_about_once_a_minute(desk: Desk) -> None:
    for given in (ID, ID, OTHER_ID, ID):
        await desk.agent(given)
    assert desk.server.asked == [f"graph of {ID}", f"graph of {OTHER_ID}"]
    desk.server.graph = "another"
    desk.clock.tick(60)
    assert await desk.agent(ID) == "another"


async def test_what_was_learned_is_forgotten_once_somebody_changes_an_assistant(
    desk: Desk,
) -> None:
    assert await desk.agent(ID) == "researcher"
    desk.server.graph = "coder"
    desk.assistants.changed()
    assert await desk.agent(ID) == "coder"


async def test_what_is_told_in_the_midst_of_a_change_is_not_kept(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    asking = spawn(desk.agent(ID), name="ask", awaited=True)
    await eventually(lambda: desk.server.asked)
    desk.assistants.changed()
    desk.server.gate.set()
    assert await asking == "researcher"
    desk.server.graph = "coder"
    assert await desk.agent(ID) == "coder"


@pytest.mark.parametrize("graph", [None, ""])
async def test_an_id_the_server_does_not_know_stays_and_is_asked_about_again(
    graph: str | None, desk: Desk
) -> None:
    desk.server.graph = graph
    assert await desk.agent(ID) == ID
    desk.server.graph = "researcher"
    assert await desk.agent(ID) == ID  # asked a moment ago
    desk.clock.tick(5)
    assert await desk.agent(ID) == "researcher"


async def test_that_there_is_none_holds_for_the_caller_who_was_told_so(desk: Desk) -> None:
    desk.server.graph = None
    await desk.agent(ID)
    desk.server.graph = "coder"
    assert await desk.agent(ID, key=[(b"x-api-key", b"another")]) == "coder"


async def test_a_new_assistant_is_known_at_once(desk: Desk) -> None:
    desk.server.graph = None
    await desk.agent(ID)
    desk.server.graph = "coder"
    desk.assistants.changed()
    assert await desk.agent(ID) == "coder"


async def test_a_hiccup_is_tried_again(desk: Desk) -> None:
    desk.server.failures = 1
    assert await desk.agent(ID) == "researcher"
    assert len(desk.server.asked) == 2


TROUBLE = [
    UpstreamUnreachable("down"),
    UpstreamError("the server answered 500"),
    UpstreamRefused("the server answered 403", answered=403),
]


@pytest.mark.parametrize("trouble", TROUBLE, ids=str)
async def test_where_it_matters_whose_a_start_is_a_server_that_does_not_say_lets_none_in(
    trouble: UpstreamError, desk: Desk
) -> None:
    desk.server.down = trouble
    with pytest.raises(AgentUnknown, match=trouble.message) as told:
        await desk.agent(ID)
    assert told.value.status == 503
    with pytest.raises(AgentUnknown):
        await desk.assistants.tool_named("up", RunBody(assistant_id="Nice_tool"), KEY)
    desk.server.down = None
    assert await desk.agent(ID) == "researcher"


async def test_it_may_matter_to_one_caller_alone(desk: Desk) -> None:
    # A supervisor's key may be for some agents only, whatever the rules say.
    desk.guards, desk.server.down = False, TROUBLE[0]
    said = RunBody(assistant_id=ID)
    for named in (desk.assistants.named, desk.assistants.tool_named):
        with pytest.raises(AgentUnknown):
            await named("up", said, KEY, matters=True)
        assert await named("up", said, KEY) == said


@pytest.mark.parametrize("trouble", TROUBLE, ids=str)
async def test_where_it_does_not_matter_that_is_no_reason_to_refuse(
    trouble: UpstreamError, desk: Desk
) -> None:
    desk.server.down, desk.guards = trouble, False
    assert await desk.agent(ID) == ID


async def test_who_asks_at_once_shares_one_question(desk: Desk) -> None:
    desk.server.gate = asyncio.Event()
    asking = [spawn(desk.agent(ID), name="ask", awaited=True) for _ in range(50)]
    await eventually(lambda: desk.server.asked)
    desk.server.gate.set()
    assert set(await asyncio.gather(*asking)) == {"researcher"}
    assert len(desk.server.asked) == 1


async def test_an_upstream_nobody_can_ask_is_none_either(desk: Desk) -> None:
    assert await desk.agent(ID, upstream="another") == ID


async def test_a_tool_stands_for_its_graph(desk: Desk) -> None:
    said = RunBody(assistant_id="Nice_tool", purpose="kept")
    for _ in range(2):
        named = await desk.assistants.tool_named("up", said, KEY)
        assert named == RunBody(assistant_id="researcher", purpose="kept")
    assert desk.server.asked == ["graph of tool Nice_tool"]
    assert await desk.assistants.tool_named("up", RunBody(), KEY) == RunBody()


async def test_a_tool_and_an_assistant_of_one_name_are_two(desk: Desk) -> None:
    await desk.agent(ID)
    await desk.assistants.tool_named("up", RunBody(assistant_id=ID), KEY)
    assert desk.server.asked == [f"graph of {ID}", f"graph of tool {ID}"]


async def test_each_run_of_a_batch_is_named(desk: Desk) -> None:
    items = [Item(assistant_id=ID, purpose="a"), Item(assistant_id="writer")]
    assert await desk.assistants.all_named("up", items, KEY) == [
        Item(assistant_id="researcher", purpose="a"),
        Item(assistant_id="writer"),
    ]
