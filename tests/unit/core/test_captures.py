"""What the requests of real clients mean; see tests/data/README.md for where they come from."""

import json
import re
from pathlib import Path

import pytest

from subagent_sidecar.core.wire import Act, Form, Meaning, decoded_path, recognise

_FILE = Path(__file__).parents[2] / "data" / "recognition.jsonl"
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

# method and path with its ids left out -> (what it does, how it answers, which ids count)
EXPECTED = {
    "POST /threads": (Act.THREAD_CREATE, Form.CREATE, 0),
    "POST /threads/search": (Act.THREAD_SEARCH, Form.CREATE, 0),
    "GET /threads/{}": (Act.THREAD_GET, Form.CREATE, 1),
    "GET /threads/{}/state": (Act.THREAD_STATE, Form.CREATE, 1),
    "GET /threads/{}/stream": (Act.THREAD_STREAM, Form.CREATE, 1),
    "DELETE /threads/{}": (Act.THREAD_DELETE, Form.CREATE, 1),
    "POST /threads/{}/runs": (Act.RUN_START, Form.CREATE, 1),
    "POST /threads/{}/runs/stream": (Act.RUN_START, Form.STREAM, 1),
    "POST /threads/{}/runs/wait": (Act.RUN_START, Form.WAIT, 1),
    "POST /threads/{}/runs/crons": (Act.CRON_CREATE, Form.CREATE, 1),
    "GET /threads/{}/runs": (Act.RUN_LIST, Form.CREATE, 1),
    "GET /threads/{}/runs/{}": (Act.RUN_GET, Form.CREATE, 2),
    "GET /threads/{}/runs/{}/join": (Act.RUN_JOIN, Form.CREATE, 2),
    "GET /threads/{}/runs/{}/stream": (Act.RUN_STREAM, Form.CREATE, 2),
    "POST /threads/{}/runs/{}/cancel": (Act.RUN_CANCEL, Form.CREATE, 2),
    "DELETE /threads/{}/runs/{}": (Act.RUN_DELETE, Form.CREATE, 2),
    "POST /runs": (Act.RUN_START, Form.CREATE, 0),
    "POST /runs/stream": (Act.RUN_START, Form.STREAM, 0),
    "POST /runs/wait": (Act.RUN_START, Form.WAIT, 0),
    "POST /runs/batch": (Act.RUNS_BATCH, Form.CREATE, 0),
    "POST /runs/cancel": (Act.RUNS_CANCEL, Form.CREATE, 0),
    "POST /runs/crons": (Act.CRON_CREATE, Form.CREATE, 0),
    "PATCH /runs/crons/{}": (Act.CRON_CHANGE, Form.CREATE, 0),
    "POST /threads/{}/commands": (Act.COMMAND, Form.CREATE, 1),
    "POST /mcp/": (Act.MCP, Form.WAIT, 0),
    "POST /assistants": (Act.ASSISTANT_CHANGE, Form.CREATE, 0),
    "PATCH /assistants/{}": (Act.ASSISTANT_CHANGE, Form.CREATE, 0),
    "DELETE /assistants/{}": (Act.ASSISTANT_CHANGE, Form.CREATE, 0),
    "POST /assistants/{}/latest": (Act.ASSISTANT_CHANGE, Form.CREATE, 0),
}

# Passed on without a second look. On a thread, where it lives still decides where it goes.
OTHER_ON_A_THREAD = {
    "PATCH /threads/{}",
    "POST /threads/{}/copy",
    "POST /threads/{}/history",
    "POST /threads/{}/stream/events",
}
OTHER = re.compile(
    r"(?:\w+ /(?:assistants|store|nope)\b.*)"
    r"|(?:DELETE /runs/crons/\{\})"
    r"|(?:POST /runs/crons/(?:count|search))"
)


def captured() -> list[tuple[str, str, str]]:
    rows = map(json.loads, _FILE.read_text(encoding="utf-8").splitlines())
    return [(row["label"], row["method"], row["path"]) for row in rows]


def expected(method: str, path: str) -> Meaning:
    shape = f"{method} {_UUID.sub('{}', path)}"
    ids = [*_UUID.findall(path), None, None]
    if shape in EXPECTED:
        act, form, count = EXPECTED[shape]
        thread_id, run_id = [*ids[:count], None, None][:2]
        return Meaning(act, thread_id, run_id, form)
    if shape == "POST /a2a/{}":
        return Meaning(Act.A2A, form=Form.WAIT, assistant_id=ids[0])
    if shape in OTHER_ON_A_THREAD:
        return Meaning(Act.OTHER, ids[0])
    assert OTHER.fullmatch(shape), f"{shape}: say what it means"
    return Meaning(Act.OTHER)


# Not in the shapes: ids that are no UUIDs, and a name that looks like one.
ODD = {
    "/threads/abc/runs": Meaning(Act.RUN_START, "abc"),
    "/threads/count": Meaning(Act.OTHER, "count"),
}


@pytest.mark.parametrize(("label", "method", "path"), captured())
def test_a_real_request_is_recognised(label: str, method: str, path: str) -> None:
    if path.endswith("/runs/abc/cancel"):
        thread_id = _UUID.findall(path)[0]
        assert recognise(method, path) == Meaning(Act.RUN_CANCEL, thread_id, "abc"), label
        return
    want = ODD.get(path) or expected(method, path)
    assert recognise(method, decoded_path(path)) == want, label


def test_every_act_was_captured_but_that_of_a_websocket() -> None:
    acts = {recognise(method, decoded_path(path)).act for _, method, path in captured()}
    assert acts == set(Act) - {Act.COMMAND_SOCKET}
