"""Whatever a supervisor sends, who sees only its own tasks: never a fault of ours, never a store
that is taken for broken."""

import json
from pathlib import Path

from tests.integration.isolation.rig import two

HALF = '"\\ud800"'
BODIES = [
    b"",
    b"null",
    b"5",
    b"[]",
    b"[[]]",
    b'"text"',
    b"NaN",
    b"[" * 5_000 + b"]" * 5_000,
    b"1" + b"0" * 5_000,
    b"\xff\xfe",
    *(
        text.replace("HALF", HALF).encode()
        for text in (
            '{"thread_id": HALF, "run_ids": [HALF], "ids": [HALF], "if_exists": "do_nothing"}',
            '{"thread_id": [], "run_ids": {}, "ids": {}, "limit": "x"}',
            '{"thread_id": "x", "run_ids": ["x"], "ids": ["x", 5, null, []]}',
            '{"method": HALF}',
            '{"method": [], "params": []}',
            '{"method": "message/send", "params": {"message": {"contextId": HALF, "taskId": []}}}',
            '{"method": "tasks/get", "params": {"id": HALF}}',
            '{"method": "tools/call", "params": {"name": HALF}}',
            '{"assistant_id": "researcher", "config": [], "checkpoint": {"thread_id": HALF}}',
            '{"assistant_id": "researcher", "config": {"configurable": {"thread_id": 5}}}',
        )
    ),
]
PATHS = (
    "/threads",
    "/threads/search",
    "/runs/cancel",
    "/runs/wait",
    "/runs/batch",
    "/a2a/researcher",
    "/mcp",
    "/threads/{own}/runs/wait",
    "/threads/{own}/commands",
    "/threads/{own}/copy",
    "/threads/%F0%9F%98%80%FF/runs",
)


async def test_no_body_is_a_fault_of_ours(tmp_path: Path) -> None:
    async with two(tmp_path) as rig:
        own = await rig.bob.new_thread()
        for path in PATHS:
            for body in BODIES:
                answer = await rig.bob.call("POST", path.replace("{own}", own), raw=body)
                ours = "server" not in answer.headers
                assert not (ours and answer.status >= 500), (path, body[:80], answer)
        ready = await rig.admin.call("GET", "/readyz")
        assert ready.status == 200, json.loads(ready.body)
