"""Our own calls to an agent server: what they ask, and what they make of the answer."""

from collections.abc import AsyncIterator

import pytest

from subagent_sidecar.core.signs import NO_GLIMPSE, Glimpse
from subagent_sidecar.errors import UpstreamError, UpstreamRefused
from subagent_sidecar.own_fields import OwnFields
from subagent_sidecar.ports import Headers, Outgoing
from subagent_sidecar.upstream.agent import AgentClient

RUN = b'{"run_id":"r","status":"running"}'


class Answer:
    """ports.Exchange with a body that is already here."""

    reason = b"OK"
    headers: Headers = ()
    waited_s = 0.0

    def __init__(self, status: int, body: bytes) -> None:
        self.status = status
        self.body = body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self.body

    def abort(self) -> None:
        pass


class Server:
    """ports.Upstream that answers all alike and keeps what it was asked."""

    def __init__(
        self, status: int = 200, body: bytes = b'{"run_id":"r","status":"running"}'
    ) -> None:
        self._answer = Answer(status, body)
        self.asked: list[Outgoing] = []

    async def send(self, request: Outgoing) -> Answer:
        self.asked.append(request)
        return self._answer

    async def aclose(self) -> None:
        pass


def client(server: Server) -> AgentClient:
    return AgentClient(server, base=b"/base", host=b"h", own=OwnFields())


@pytest.mark.parametrize(
    ("given", "asked"),
    [
        ("%2e%2e", b"/base/threads/%252e%252e/runs/r"),
        ("a/b", b"/base/threads/a%2Fb/runs/r"),
        ("a?b#c d", b"/base/threads/a%3Fb%23c%20d/runs/r"),
        ("a\r\nb", b"/base/threads/a%0D%0Ab/runs/r"),
        ("é", b"/base/threads/%C3%A9/runs/r"),
    ],
)
async def test_an_id_is_one_path_segment_whatever_it_holds(given: str, asked: bytes) -> None:
    server = Server()
    await client(server).run(given, "r")
    assert server.asked[0].target == asked


@pytest.mark.parametrize("given", [".", ".."])
async def test_an_id_that_is_a_dot_segment_is_not_asked_for(given: str) -> None:
    server = Server()
    with pytest.raises(UpstreamError):
        await client(server).run(given, "r")
    assert not server.asked


@pytest.mark.parametrize("status", [404, 405, 410, 422])
async def test_a_server_that_has_no_such_thing_is_not_an_error(status: int) -> None:
    assert await client(Server(status, b"")).runs("t", limit=5) is None


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_any_other_refusal_is_an_error(status: int) -> None:
    with pytest.raises(UpstreamError, match=str(status)):
        await client(Server(status, b"")).thread_status("t")


@pytest.mark.parametrize(
    ("body", "messages"),
    [
        (b'{"values":{"files":{"a":"..."},"messages":[{"id":"m"},null]}}', [{"id": "m"}, None]),
        (b'{"values":{"messages":{"id":"m"}}}', []),
        (b'{"values":{}}', []),
        (b'{"values":[]}', []),
        (b'{"values":"all"}', []),
        (b'{"values":null}', []),
        (b"{}", []),
    ],
)
async def test_the_messages_of_a_thread_are_those_of_its_state(
    body: bytes, messages: list[object]
) -> None:
    server = Server(body=body)
    state = await client(server).state("t")
    assert state is not None and state.messages == messages
    assert server.asked[0].target == b"/base/threads/t/state"


@pytest.mark.parametrize(
    ("body", "glimpse"),
    [
        (
            b'{"checkpoint":{"checkpoint_id":"c"},"metadata":{"run_id":"r","step":1}}',
            Glimpse("c", "r"),
        ),
        (b'{"checkpoint":{"checkpoint_id":"c"},"metadata":{}}', Glimpse("c", None)),
        (b'{"checkpoint":null,"metadata":null}', NO_GLIMPSE),
        (b'{"checkpoint":"c","metadata":["r"]}', NO_GLIMPSE),
        (b'{"checkpoint":{"checkpoint_id":7}}', NO_GLIMPSE),
        (b"{}", NO_GLIMPSE),
    ],
)
async def test_a_state_tells_which_checkpoint_it_is_and_whose(
    body: bytes, glimpse: Glimpse
) -> None:
    state = await client(Server(body=body)).state("t")
    assert state is not None and state.glimpse == glimpse


async def test_a_server_without_a_state_is_told_from_an_empty_one() -> None:
    assert await client(Server(404, b"")).state("t") is None


async def test_a_state_that_cannot_be_read_is_no_broken_connection() -> None:
    with pytest.raises(UpstreamRefused):
        await client(Server(body=b'{"values":')).state("t")


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'{"run_id":1,"status":"x"}'])
async def test_an_answer_of_another_shape_is_no_broken_connection(body: bytes) -> None:
    with pytest.raises(UpstreamRefused):
        await client(Server(body=body)).run("t", "r")


async def test_the_request_id_is_found_where_servers_keep_it() -> None:
    nested = b'{"configurable":{"langgraph_request_id":"mine"}}'
    for body in (b'"kwargs":{"config":%b}' % nested, b'"config":%b' % nested):
        run = await client(Server(body=b'{"run_id":"r","status":"x",%b}' % body)).run("t", "r")
        assert run is not None and run.request_id == "mine"


async def test_the_request_id_is_found_where_the_sidecar_put_it_itself() -> None:
    marked = b'"metadata":{"sidecar_request_id":"mine"}'
    for more, found in ((b"", "mine"), (b',"metadata":{"sidecar_request_id":[1]}', None)):
        run = await client(Server(body=b'{"run_id":"r","status":"x",%b%b}' % (marked, more))).run(
            "t", "r"
        )
        assert run is not None and run.request_id == found


@pytest.mark.parametrize(
    ("status", "body", "graph"),
    [
        (200, b'{"assistant_id":"a","graph_id":"researcher"}', "researcher"),
        (200, b'{"assistant_id":"a"}', None),
        (404, b"", None),
        (422, b"", None),
    ],
)
async def test_the_graph_of_an_assistant(status: int, body: bytes, graph: str | None) -> None:
    server = Server(status, body)
    assert await client(server).graph_of("a/b") == graph
    assert server.asked[0].target == b"/base/assistants/a%2Fb"


TOOLS = b'[{"name":"My coder! (new)","graph_id":"coder"},{"name":null},{"name":"b","graph_id":"c"}]'


@pytest.mark.parametrize(
    ("tool", "graph"), [("My_coder_new", "coder"), ("b", "c"), ("My coder! (new)", None)]
)
async def test_the_graph_of_an_mcp_tool(tool: str, graph: str | None) -> None:
    server = Server(body=TOOLS)
    assert await client(server).graph_of_tool(tool) == graph
    assert server.asked[0].target == b"/base/assistants/search"


@pytest.mark.parametrize(
    ("body", "word"),
    [(b'{"__error__":{"error":"E"}}', "error"), (b'{"messages":[]}', "success"), (b"7", "success")],
)
async def test_a_joined_run_ended_as_its_output_says(body: bytes, word: str) -> None:
    assert await client(Server(body=body)).outcome("t", "r") == word


MADE = b'"created_at":"2026-01-01T00:00:00+00:00"'


@pytest.mark.parametrize(
    ("body", "blank"),
    [
        (b'{%s,%s,"values":null}' % (MADE, MADE.replace(b"created", b"updated")), True),
        (b'{%s,%s,"values":{}}' % (MADE, MADE.replace(b"created", b"updated")), True),
        (b'{%s,%s,"values":{"a":1}}' % (MADE, MADE.replace(b"created", b"updated")), False),
        (b'{%s,"updated_at":"2026-01-01T00:00:01+00:00"}' % MADE, False),
        (b"{%s}" % MADE, False),
        (b"{}", False),
    ],
)
async def test_a_thread_is_blank_as_long_as_nothing_was_put_into_it(
    body: bytes, blank: bool
) -> None:
    expected = "2026-01-01T00:00:00+00:00" if blank else None
    assert await client(Server(body=body)).blank_since("t") == expected


async def test_a_thread_that_is_not_there_is_not_blank() -> None:
    assert await client(Server(404)).blank_since("t") is None


@pytest.mark.parametrize(("status", "removed"), [(204, True), (200, True), (404, False)])
async def test_a_thread_is_removed_once_whoever_asks_twice(status: int, removed: bool) -> None:
    server = Server(status, b"")
    assert await client(server).delete_thread("a/b", auth=[(b"x-api-key", b"k")]) is removed
    (sent,) = server.asked
    assert (sent.method, sent.target, sent.body) == (b"DELETE", b"/base/threads/a%2Fb", None)
    assert (b"x-api-key", b"k") in sent.headers
    assert sent.replayable
