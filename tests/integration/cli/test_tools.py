"""`subagentctl start`, `check` and `update` against a fake admin plane, and against a real one."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from tests.integration.tools.rig import Bench, bench

from subagent_sidecar.testing import succeed
from subagentctl.__main__ import cli
from subagentctl.look import Look
from subagentctl.outside import Outside
from subagentctl.testing import NOW, FakeAdmin, Reply, make_task
from subagentctl.testing.admin import Request

from .conftest import Raw, Run

ON_TERMINAL = Outside(
    now=lambda: NOW, look=lambda: Look(width=100), is_terminal=lambda stream: True
)


def answering(admin: FakeAdmin, *found: Any, **more: Any) -> str:
    """The admin plane has a task, and its tools find it so, one after the other."""
    task = make_task(status="running", agent_name="researcher")
    admin.tasks = [task]
    task_id = str(task["task_id"])
    left = list(found)

    def answer(request: Request) -> Reply | None:
        if not request.path.startswith("/v1/tools/"):
            return None
        if request.path.endswith("start_async_task"):
            return Reply(body={"text": f"Launched. task_id: {task_id}", "task_id": task_id})
        text = left.pop(0) if len(left) > 1 else left[0]
        return Reply(body={"text": text if isinstance(text, str) else json.dumps(text), **more})

    admin.script = answer
    return task_id


def asked(admin: FakeAdmin) -> list[Request]:
    return [request for request in admin.requests if request.method == "POST"]


def test_a_start_prints_the_id_and_nothing_else(run: Run, admin: FakeAdmin) -> None:
    task_id = answering(admin, {})
    result = run("start", "researcher", "find out", "--session", "s1")
    assert (result.exit_code, result.stdout, result.stderr) == (0, f"{task_id}\n", "")
    [request] = asked(admin)
    assert request.body == {
        "arguments": {"subagent_type": "researcher", "description": "find out"},
        "session": "s1",
    }


def test_a_start_that_waits_prints_the_result(run: Run, admin: FakeAdmin) -> None:
    answering(admin, {"status": "running"}, {"status": "success", "result": "one\ntwo\x1b[2J"})
    result = run("start", "researcher", "find out", "--wait")
    assert result.exit_code == 0 and result.stderr == ""
    head, *rest = result.stdout.splitlines()
    assert head.startswith("success  researcher  ")
    assert rest == ["", "one", "two\ufffd[2J"]


def test_on_a_terminal_it_says_how_it_goes(run: Run, admin: FakeAdmin) -> None:
    answering(admin, {"status": "pending"}, {"status": "running"}, {"status": "success"})
    result = run("start", "researcher", "x", "--wait", outside=ON_TERMINAL)
    assert result.exit_code == 0
    assert "● pending  0:00  (Ctrl-C leaves it running)" in result.stderr
    assert result.stderr.endswith("\r\x1b[K")
    assert [r.body["arguments"]["timeout"] for r in asked(admin)[1:]] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"status": "error", "error": "boom"}, "boom"),
        ({"status": "waiting", "interrupts": [{"id": "1", "value": {"q": "EU?"}}]}, '{"q": "EU?"}'),
        ({"status": "cancelled"}, "cancelled"),
        ({"status": "running", "note": "for models", "waited_s": 3.0}, "not over after 3.0 s"),
    ],
)
def test_what_did_not_succeed_is_exit_code_1(
    run: Run, admin: FakeAdmin, found: Any, words: str
) -> None:
    answering(admin, found)
    result = run("start", "researcher", "x", "--wait", "--timeout", "0")
    assert result.exit_code == 1 and words in result.stdout


def test_a_check_is_by_any_part_of_the_id(run: Run, admin: FakeAdmin) -> None:
    task_id = answering(admin, {"status": "success", "result": "found"})
    result = run("check", task_id[-8:])
    assert result.exit_code == 0 and result.stdout.endswith("\n\nfound\n")
    assert [r.body["arguments"] for r in asked(admin)] == [{"task_id": task_id}]


def test_a_check_as_json_has_the_task_as_well(run: Run, admin: FakeAdmin) -> None:
    task_id = answering(admin, {"status": "success", "result": "found"})
    told = json.loads(run("check", task_id, "-o", "json").stdout)
    assert (told["status"], told["result"], told["task"]["task_id"]) == (
        "success",
        "found",
        task_id,
    )


def test_an_answer_with_media_is_told_in_words(run: Run, admin: FakeAdmin) -> None:
    blocks = [
        {"type": "text", "text": "{}"},
        {"type": "text", "text": "see"},
        {"type": "image", "base64": "AAAA"},
    ]
    task_id = answering(admin, {"status": "success"}, content=blocks)
    result = run("check", task_id)
    assert result.stdout.endswith("\n\nsee\n[image; -o json has it]\n")


def test_an_update_says_what_became_of_it(run: Run, admin: FakeAdmin) -> None:
    task_id = answering(admin, "Updated async subagent.")
    result = run("update", task_id[-8:], "and more")
    assert (result.exit_code, result.stdout) == (0, "Updated async subagent.\n")
    assert [r.body["arguments"] for r in asked(admin)] == [
        {"task_id": task_id, "message": "and more"}
    ]


@pytest.mark.parametrize(
    ("status", "code"), [(404, 4), (403, 1), (402, 1), (409, 1), (502, 1), (400, 1)]
)
def test_what_a_tool_says_in_error_is_said(
    run: Run, admin: FakeAdmin, status: int, code: int
) -> None:
    body = {"error": "e", "message": "m", "text": "Failed to launch: too many."}
    admin.script = lambda request: Reply(status=status, body=body)
    result = run("start", "researcher", "x")
    assert (result.exit_code, result.stdout) == (code, "")
    assert result.stderr == "subagentctl: Failed to launch: too many.\n"


def test_a_start_that_may_have_arrived_says_so(run: Run, raw: Raw) -> None:
    result = run("start", "researcher", "x", SUBAGENTCTL_SERVER=raw(b""))
    assert result.exit_code == 3
    assert result.stderr.endswith(
        "If it was reached, the task may be there: `subagentctl tasks` tells.\n"
    )


@pytest.mark.parametrize("there", [False, True])
def test_a_start_that_reached_no_sidecar_leaves_nothing_in_doubt(
    run: Run, raw: Raw, free_port: int, there: bool
) -> None:
    other = raw(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
    url = other if there else f"http://127.0.0.1:{free_port}"
    result = run("start", "researcher", "x", SUBAGENTCTL_SERVER=url)
    assert result.exit_code == 3
    assert "may be there" not in result.stderr


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("start", "researcher", " "), "the instruction is empty"),
        (("start", "researcher", "x", "--session", ""), "it is empty; leave it out"),
        (("start", "researcher", "x", "--timeout", "5"), "--timeout needs --wait"),
        (("start", "researcher", "x", "-o", "csv"), "not csv"),
        (("check", "abc"), "at least 4 characters"),
    ],
)
def test_what_makes_no_sense_is_not_sent(
    run: Run, admin: FakeAdmin, args: tuple[str, ...], words: str
) -> None:
    result = run(*args)
    assert result.exit_code == 2 and words in result.stderr
    assert not admin.requests


def test_an_answer_that_is_none_is_no_sidecars(run: Run, admin: FakeAdmin) -> None:
    task_id = answering(admin, "no JSON")
    result = run("check", task_id)
    assert result.exit_code == 3 and "does not say how the task stands" in result.stderr


async def ctl(at: Bench, *args: str, input: str | None = None) -> Any:
    """`subagentctl`, against the admin plane of a real sidecar."""

    def call() -> Any:
        return CliRunner().invoke(cli, ["--server", at.admin.url, *args], input=input)

    return await asyncio.to_thread(call)


async def test_against_a_real_sidecar(tmp_path: Path) -> None:
    graphs = {"slow": succeed(0.2, reply="at last")}
    async with bench(tmp_path, graphs=graphs) as at:
        done = await ctl(at, "start", "slow", "-", "--wait", input="find\nout\n")
        started = await ctl(at, "start", "slow", "more", "--session", "mine")
        task_id = started.stdout.strip()
        task = await at.task(task_id)
        updated = await ctl(at, "update", task_id, "and more")
        unknown = await ctl(at, "start", "nobody", "x")
        nothing = await ctl(at, "check", "nosuchtask")
    assert done.exit_code == 0 and done.stdout.endswith("\n\nat last\n")
    assert task["session_id"] == "mine"
    assert updated.stdout.startswith("Updated async subagent. task_id: ")
    assert (unknown.exit_code, nothing.exit_code) == (4, 4)
    assert "Unknown async subagent type `nobody`. Available types: `slow`" in unknown.stderr
