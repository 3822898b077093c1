"""`subagentctl keys` against a fake admin plane, and against a sidecar."""

import asyncio
import json
import re
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner, Result
from tests.integration.http.rig import LOCAL, sidecar

from subagentctl.__main__ import cli
from subagentctl.testing import NOW, FakeAdmin, Reply, problem
from subagentctl.when import to_wire

from .conftest import Run

KEY = f"ssk_q7mzk2ah5x_{'b' * 52}"


def record(**facts: Any) -> dict[str, Any]:
    usual = {
        "key_id": "q7mzk2ah5x",
        "name": "team-a",
        "state": "live",
        "agents": ["*"],
        "every_task": False,
        "created_at": to_wire(NOW - timedelta(hours=3)),
        "created_by": None,
        "expires_at": None,
        "revoked_at": None,
    }
    return {**usual, **facts}


def answering(admin: FakeAdmin, body: Any) -> None:
    admin.script = lambda request: body if isinstance(body, Reply) else Reply(body=body)


def test_the_key_stands_alone_on_stdout_and_the_advice_on_stderr(
    run: Run, admin: FakeAdmin
) -> None:
    answering(admin, {"key": KEY, "record": record(), "auth": True})
    result = run("keys", "create", "team-a")
    assert (result.exit_code, result.stdout) == (0, f"{KEY}\n")
    assert "key q7mzk2ah5x of supervisor team-a, shown this once." in result.stderr
    for told in ("x-subagent-key", "LANGSMITH_API_KEY", "OTEL_EXPORTER_OTLP_HEADERS"):
        assert told in result.stderr
    assert KEY not in result.stderr and "auth off" not in result.stderr
    assert all(line.startswith("subagentctl: ") for line in result.stderr.splitlines())
    assert admin.requests[-1].body == {"name": "team-a", "every_task": False}


def test_what_a_key_may_is_said_to_the_sidecar(run: Run, admin: FakeAdmin) -> None:
    until = to_wire(NOW + timedelta(days=30))
    answering(admin, {"key": KEY, "record": record(expires_at=until), "auth": False})
    result = run(
        "keys", "create", "ci", "--expires", "30d", "--agents", "res*", "--agents", "coder",
        "--every-task",
    )  # fmt: skip
    assert admin.requests[-1].body == {
        "name": "ci",
        "every_task": True,
        "expires": "30d",
        "agents": ["res*", "coder"],
    }
    assert f"it expires at {until[:19]}Z." in result.stderr
    assert "auth off and asks nobody for a key" in result.stderr


def test_json_is_what_the_sidecar_said(run: Run, admin: FakeAdmin) -> None:
    said = {"key": KEY, "record": record(), "auth": True}
    answering(admin, said)
    result = run("keys", "create", "team-a", "-o", "json")
    assert (json.loads(result.stdout), result.stderr) == (said, "")


def test_keys_are_listed_without_themselves(run: Run, admin: FakeAdmin) -> None:
    day = timedelta(days=1)
    keys = [
        record(),
        record(key_id="aaaa", name="ci", agents=["res*", "coder"], every_task=True,
               expires_at=to_wire(NOW + 2 * day)),
        record(key_id="bbbb", state="expired", expires_at=to_wire(NOW - 2 * day)),
        record(key_id="cccc", state="revoked"),
    ]  # fmt: skip
    answering(admin, {"keys": keys, "auth": True})
    result = run("keys", "list")
    assert (result.exit_code, result.stderr) == (0, "")
    head, *rows = [line.split() for line in result.stdout.splitlines()]
    assert head == ["KEY", "SUPERVISOR", "STATE", "MAY", "START", "SEES", "MADE", "EXPIRES"]
    assert rows[0] == ["q7mzk2ah5x", "team-a", "live", "all", "its", "own", "3h", "ago", "never"]
    assert rows[1][3:7] == ["res*,", "coder", "every", "task"] and rows[1][-2:] == ["2d", "0h"]
    assert rows[2][2] == "expired" and rows[2][-2:] == ["2d", "ago"]
    assert rows[3][2] == "revoked"


def test_that_there_are_none_is_said_with_how_to_make_one(run: Run, admin: FakeAdmin) -> None:
    answering(admin, {"keys": [], "auth": False})
    result = run("keys", "list")
    assert result.stdout == "There are no keys. `subagentctl keys create NAME` makes one.\n"
    assert "asks nobody for a key" in result.stderr


@pytest.mark.parametrize("given", ["q7mzk2ah5x", KEY, f" {KEY}\n"])
def test_a_key_that_somebody_pasted_does_not_travel(given: str, run: Run, admin: FakeAdmin) -> None:
    answering(admin, {"revoked": [record(state="revoked")], "changed": 1})
    result = run("keys", "revoke", given)
    assert result.stdout == "revoked: key q7mzk2ah5x of supervisor team-a\n"
    assert admin.requests[-1].path == "/v1/keys/q7mzk2ah5x/revoke"
    assert "bbbb" not in str(admin.requests[-1])


def test_what_was_revoked_before_is_told_so(run: Run, admin: FakeAdmin) -> None:
    answering(admin, {"revoked": [record(state="revoked")], "changed": 0})
    result = run("keys", "revoke", "team-a", "--all")
    assert result.stdout == "key q7mzk2ah5x of supervisor team-a was revoked before\n"
    assert admin.requests[-1].body == {"all": True}


@pytest.mark.parametrize(
    ("reply", "code", "says"),
    [
        (problem(404, "key_not_found", "nobody; like it: team-a"), 4, "nobody; like it: team-a."),
        (problem(409, "ambiguous_key", "say which, or revoke all"), 1, "or revoke all: --all."),
        (problem(400, "bad_body", "name: must have letters"), 1, "name: must have letters"),
        (Reply(body={"record": {}}), 3, "its answer holds no key"),
    ],
)
def test_what_goes_wrong_is_one_sentence(
    reply: Reply, code: int, says: str, run: Run, admin: FakeAdmin
) -> None:
    answering(admin, reply)
    args = ("create", "a") if code in (3,) or b"bad_body" in reply.payload() else ("revoke", "a")
    result = run("keys", *args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert says in result.stderr and len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("args", [("create", "a"), ("list",), ("revoke", "a"), ("revoke", " ")])
def test_csv_and_nothing_are_refused_without_asking(
    args: tuple[str, ...], run: Run, admin: FakeAdmin
) -> None:
    result = run("keys", *args, *(() if args[-1] == " " else ("-o", "csv")))
    assert (result.exit_code, admin.requests) == (2, [])


def test_what_a_server_calls_a_key_does_nothing_to_a_terminal(run: Run, admin: FakeAdmin) -> None:
    answering(admin, {"key": "ssk_\x1b[31m\nrm -rf /", "record": record()})
    assert "\x1b" not in run("keys", "create", "a").stdout


async def test_made_listed_and_revoked_on_a_real_sidecar() -> None:
    async with sidecar("http://127.0.0.1:1") as front:

        def ctl(*args: str) -> Result:
            env = {"SUBAGENTCTL_SERVER": f"http://{LOCAL}:{front.admin_port}"}
            return CliRunner().invoke(cli, ["keys", *args], env=env)

        made = await asyncio.to_thread(ctl, "create", "team-a", "--expires", "30d")
        key = made.stdout.strip()
        assert made.exit_code == 0 and key.startswith("ssk_")
        listed = await asyncio.to_thread(ctl, "list")
        assert re.search(r"in (30d 0h|29d 23h)", listed.stdout)
        assert key.split("_")[2] not in listed.stdout
        wrong = await asyncio.to_thread(ctl, "revoke", "teama")
        assert (wrong.exit_code, "; like it: team-a." in wrong.stderr) == (4, True)
        gone = await asyncio.to_thread(ctl, "revoke", key)
        assert gone.stdout.startswith("revoked: key ") and gone.exit_code == 0
        assert "revoked" in (await asyncio.to_thread(ctl, "list")).stdout
