"""What one supervisor can do with another's threads: nothing, and not even learn of them (row 25
of the failure table)."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError
from tests.contract.agent_client import Answer, random_id, run_of
from tests.integration.isolation.rig import Two, two
from tests.support.supervisors import NAME


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Two]:
    async with two(tmp_path) as found:
        yield found


RUN = run_of("researcher")
NAMED = {"config": {"configurable": {"thread_id": "{t}"}}}
ABOUT_A_THREAD: list[tuple[str, str, Any]] = [
    ("GET", "/threads/{t}", None),
    ("HEAD", "/threads/{t}", None),
    ("OPTIONS", "/threads/{t}", None),
    ("GET", "/threads/{t}/", None),
    ("GET", "//threads/{t}", None),
    ("GET", "/%74hreads/{t}", None),
    ("GET", "/to/main/threads/{t}", None),
    ("GET", "/threads/{T}", None),
    ("GET", "/threads/{n}", None),
    ("GET", "/threads/%7B{t}%7D", None),
    ("GET", "/threads/urn:uuid:{t}", None),
    ("PATCH", "/threads/{t}", {"metadata": {"mine": True}}),
    ("DELETE", "/threads/{t}", None),
    ("GET", "/threads/{t}/state", None),
    ("POST", "/threads/{t}/state", {"values": {"messages": []}}),
    ("POST", "/threads/{t}/state/checkpoint", {"checkpoint": {}}),
    ("GET", "/threads/{t}/state/{r}", None),
    ("GET", "/threads/{t}/history", None),
    ("POST", "/threads/{t}/history", {"limit": 1}),
    ("POST", "/threads/{t}/copy", None),
    ("GET", "/threads/{t}/stream", None),
    ("POST", "/threads/{t}/stream/events", {}),
    ("GET", "/threads/{t}/storage", None),
    ("GET", "/threads/{t}/runs", None),
    ("POST", "/threads/{t}/runs", RUN),
    ("POST", "/threads/{T}/runs", RUN),
    ("POST", "/threads/{t}/runs", RUN | {"if_not_exists": "create"}),
    ("POST", "/threads/{t}/runs/stream", RUN),
    ("POST", "/threads/{t}/runs/wait", RUN),
    ("POST", "/threads/{t}/commands", {"id": 1, "method": "run.start", "params": RUN}),
    ("POST", "/threads/{t}/commands", {"id": 1, "method": "agent.getTree", "params": {}}),
    ("GET", "/threads/{t}/stream/events", None),
    ("GET", "/threads/{t}/runs/{r}", None),
    ("GET", "/threads/{t}/runs/{r}/join", None),
    ("GET", "/threads/{t}/runs/{r}/stream", None),
    ("POST", "/threads/{t}/runs/{r}/cancel?wait=0&action=interrupt", None),
    ("DELETE", "/threads/{t}/runs/{r}", None),
    ("POST", "/runs/cancel", {"thread_id": "{t}", "run_ids": ["{r}"]}),
    ("POST", "/a2a/researcher", {"method": "tasks/get", "params": {"id": "{t}:{r}"}}),
    ("POST", "/a2a/researcher", {"method": "CancelTask", "params": {"name": "tasks/{t}:{r}"}}),
    (
        "POST",
        "/a2a/researcher",
        {"method": "message/send", "params": {"message": {"contextId": "{t}"}}},
    ),
    (
        "POST",
        "/a2a/researcher",
        {
            "method": "message/send",
            "params": {"message": {"contextId": "{b}", "taskId": "{t}:{r}"}},
        },
    ),
    (
        "POST",
        "/a2a/researcher",
        [
            {"method": "tasks/get", "params": {"id": "{b}"}},
            {"method": "tasks/get", "params": {"id": "{t}"}},
        ],
    ),
    ("POST", "/a2a/researcher", {"method": "GetTask", "params": {"context_id": "{t}"}}),
    ("POST", "/threads/{b}/runs", RUN | {"checkpoint": {"thread_id": "{t}"}}),
    ("POST", "/threads/{b}/runs", RUN | {"config": {"configurable": {"thread_id": "{T}"}}}),
    ("POST", "/runs/wait", RUN | {"context": {"thread_id": "{t}"}}),
    ("POST", "/runs/batch", [RUN, RUN | {"checkpoint": {"thread_id": "{t}"}}]),
    # Some servers have such a thread take the place of the one in the path.
    ("POST", "/threads/{b}/state/checkpoint", {"checkpoint": {"thread_id": "{t}"}}),
    ("POST", "/threads/{b}/state", {"values": {}, "checkpoint": {"thread_id": "{n}"}}),
    ("PATCH", "/threads/{b}/state", {"config": {"configurable": {"thread_id": "{t}"}}}),
    ("POST", "/threads/{b}/history", {"checkpoint": {"thread_id": "{T}"}}),
    ("POST", "/threads/{b}/history", {"before": {"configurable": {"thread_id": "{t}"}}}),
    ("POST", "/threads/{b}/commands", {"method": "run.start", "params": RUN | NAMED}),
]


def filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, str):
        for name, found in names.items():
            value = value.replace("{" + name + "}", found)
        return value
    if isinstance(value, dict):
        return {key: filled(each, names) for key, each in value.items()}
    return [filled(each, names) for each in value] if isinstance(value, list) else value


def names_of(thread_id: str, run_id: str, own: str) -> dict[str, str]:
    plain = thread_id.replace("-", "")
    return {"t": thread_id, "T": thread_id.upper(), "n": plain, "r": run_id, "b": own}


def told(answer: Answer, thread_id: str) -> Any:
    """All of it, but for the id that was asked for."""
    return answer.status, answer.headers, answer.body.replace(thread_id.encode(), b"T")


def may_make_one(path: str, body: Any) -> bool:
    """Whether a thread that is not there begins with such a request."""
    said = str(body)
    if "message/send" in said:
        return "taskId" not in said
    return "if_not_exists" in said or path.endswith(("/commands", "/stream/events"))


async def test_a_foreign_thread_is_answered_as_one_that_is_not_there(rig: Two) -> None:
    thread_id = await rig.ann.new_thread()
    run_id = await rig.ann.start(thread_id, "hang")
    own = await rig.bob.new_thread()
    before = len(rig.server.requests)
    for method, path, body in ABOUT_A_THREAD:
        foreign, missing = [
            told(
                await rig.bob.call(
                    method,
                    filled(path, names),
                    filled(body, names),
                    headers={"x-request-id": "asked"},
                ),
                names["t"],
            )
            for names in (
                names_of(thread_id, run_id, own),
                names_of(random_id(), random_id(), own),
            )
        ]
        assert foreign[0] == 404, (method, path, body, foreign)
        if not may_make_one(path, body):
            assert foreign == missing, (method, path, body)
    sent = [r for r in rig.server.requests[before:] if thread_id in r.raw_path.lower()]
    assert not [r for r in sent if r.header("x-test-supervisor")]
    assert (await rig.ann.call("GET", f"/threads/{thread_id}")).json["status"] == "busy"


async def test_no_field_of_the_header_names_a_foreign_thread(rig: Two) -> None:
    thread_id, own = await rig.ann.new_thread(), await rig.bob.new_thread()
    for method, path, body in (
        ("GET", f"/threads/{own}/history", None),
        ("GET", f"/threads/{own}/state", None),
        ("POST", f"/threads/{own}/runs", RUN),
        ("POST", "/runs/wait", RUN),
    ):
        asked = await rig.bob.call(method, path, body, headers={"Thread_ID": thread_id})
        assert asked.status == 404, (method, path)


@pytest.mark.parametrize("body", [b'{"n": 1' + b"0" * 5_000 + b"}", b"{", b"\xff"])
async def test_a_body_that_may_name_a_thread_and_cannot_be_read_goes_nowhere(
    rig: Two, body: bytes
) -> None:
    """What Python does not read, a server may."""
    own = await rig.bob.new_thread()
    before = len(rig.server.requests)
    for path in ("state", "state/checkpoint", "history", "runs", "runs/wait", "commands"):
        answer = await rig.bob.call("POST", f"/threads/{own}/{path}", raw=body)
        assert (answer.status, answer.json["error"]) == (400, "bad_body"), path
    assert not [r for r in rig.server.requests[before:] if r.method == "POST"]


async def test_no_socket_opens_on_a_foreign_thread(rig: Two) -> None:
    thread_id = await rig.ann.new_thread()
    asked = len(rig.server.requests)
    for path in (f"/threads/{thread_id}/stream/events", f"/threads/{thread_id.upper()}/stream"):
        with pytest.raises(WSServerHandshakeError) as refused:
            await rig.bob.session.ws_connect(rig.bob.url + path, headers={NAME: "bob"})
        assert refused.value.status == 404
        assert refused.value.headers is not None
        assert refused.value.headers["x-subagent-sidecar"] == "refused"
    assert not [r for r in rig.server.requests[asked:] if r.header("upgrade")]
