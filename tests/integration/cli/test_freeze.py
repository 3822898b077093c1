"""`subagentctl freeze` and `unfreeze` against a fake admin plane."""

import json
from typing import Any

import pytest

from subagentctl.look import Look
from subagentctl.outside import Outside
from subagentctl.testing import NOW, FakeAdmin, Reply, problem
from subagentctl.testing.admin import Request
from subagentctl.when import to_wire

from .conftest import Run


class Switch:
    """An admin plane that remembers what is frozen."""

    def __init__(self) -> None:
        self.frozen: list[dict[str, Any]] = []

    def answer(self, request: Request) -> Reply | None:
        body = request.body or {}
        place = {"scope": body.get("scope"), "id": body.get("id")}
        if request.method == "POST":
            there = [each for each in self.frozen if place.items() <= each.items()]
            if request.path == "/v1/unfreeze" and not there:
                return problem(404, "not_frozen", "agent x is not frozen; frozen: nothing")
            self.frozen = [each for each in self.frozen if each not in there]
            if request.path == "/v1/freeze":
                new = {**place, "reason": body.get("reason"), "at": to_wire(NOW)}
                self.frozen.append(new)
        return Reply(body={"frozen": self.frozen})


@pytest.fixture
def switch(admin: FakeAdmin) -> Switch:
    found = Switch()
    admin.script = found.answer
    return found


def answering(answer: bool | None) -> Outside:
    return Outside(now=lambda: NOW, look=lambda: Look(width=100), ask=lambda question: answer)


@pytest.mark.parametrize(
    ("args", "body", "named"),
    [
        (["--agent", "coder"], {"scope": "agent", "id": "coder"}, "agent coder"),
        (["--session", "s1"], {"scope": "session", "id": "s1"}, "session s1"),
        (["--all", "--yes"], {"scope": "all"}, "all starts"),
    ],
)
def test_what_is_frozen_is_said_and_lifted_again(
    run: Run, admin: FakeAdmin, switch: Switch, args: list[str], body: object, named: str
) -> None:
    result = run("freeze", *args)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[0] == f"frozen: {named}"
    assert admin.requests[-1].body == body
    lifted = run("unfreeze", *[arg for arg in args if arg != "--yes"])
    assert (lifted.exit_code, lifted.stderr) == (0, "")
    assert lifted.stdout == f"no longer frozen: {named}\nNothing is frozen.\n"
    assert (admin.requests[-1].path, admin.requests[-1].body) == ("/v1/unfreeze", body)


def test_a_freeze_says_what_else_is_frozen_and_why(run: Run, switch: Switch) -> None:
    run("freeze", "--agent", "coder", "--reason", "it loops")
    lines = run("freeze", "--session", "s1").stdout.splitlines()
    assert lines[1].split() == ["FROZEN", "SINCE", "REASON"]
    assert lines[2].split() == ["agent", "coder", "0s", "ago", "it", "loops"]
    assert lines[3].split() == ["session", "s1", "0s", "ago", "—"]


def test_show_changes_nothing(run: Run, admin: FakeAdmin, switch: Switch) -> None:
    assert run("freeze", "--show").stdout == "Nothing is frozen.\n"
    assert [request.method for request in admin.requests] == ["GET"]


@pytest.mark.parametrize(("answer", "code"), [(None, 2), (False, 1)])
def test_without_a_yes_not_everything_is_frozen(
    run: Run, switch: Switch, answer: bool | None, code: int
) -> None:
    result = run("freeze", "--all", outside=answering(answer))
    assert result.exit_code == code and result.stderr.count("\n") == 1 and switch.frozen == []
    assert run("freeze", "--all", outside=answering(True)).exit_code == 0
    assert len(switch.frozen) == 1


def test_json_is_what_the_sidecar_answers(run: Run, switch: Switch) -> None:
    result = run("freeze", "--agent", "coder", "-o", "json")
    assert json.loads(result.stdout) == {"frozen": switch.frozen}
    assert json.loads(run("freeze", "--show", "-o", "json").stdout) == {"frozen": switch.frozen}
    assert json.loads(run("unfreeze", "--agent", "coder", "-o", "json").stdout) == {"frozen": []}


def test_an_unfreeze_of_what_is_not_frozen_is_exit_code_4(run: Run, switch: Switch) -> None:
    result = run("unfreeze", "--agent", "x")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == "subagentctl: agent x is not frozen; frozen: nothing.\n"


UNHEARD_OF = {"scope": "agent", "id": "a b", "did_you_mean": ["ab", "a c"]}


def test_a_name_nothing_is_on_record_of_is_said_on_stderr(run: Run, admin: FakeAdmin) -> None:
    body = {"frozen": [], "not_on_record": UNHEARD_OF}
    admin.script = lambda _: Reply(body=body)
    result = run("freeze", "--agent", "a b")
    assert result.exit_code == 0 and result.stdout.startswith("frozen: agent a b\n")
    assert result.stderr == (
        "subagentctl: note: nothing is on record of agent 'a b' yet; did you mean ab or 'a c'? "
        "It is frozen as it was typed; `subagentctl unfreeze --agent 'a b'` lifts that.\n"
    )
    as_json = run("freeze", "--agent", "a b", "-o", "json")
    assert (json.loads(as_json.stdout), as_json.stderr) == (body, "")


@pytest.mark.parametrize(
    "args",
    [
        ["freeze"],
        ["unfreeze"],
        ["freeze", "--all", "--agent", "x", "--yes"],
        ["unfreeze", "--session", "s", "--agent", "x"],
        ["freeze", "--agent", ""],
        ["freeze", "--show", "--agent", "x"],
        ["freeze", "--show", "--reason", "x"],
        ["freeze", "--agent", "x", "-o", "csv"],
    ],
)
def test_a_command_that_may_not_mean_what_it_says_freezes_nothing(
    run: Run, admin: FakeAdmin, args: list[str]
) -> None:
    result = run(*args)
    assert result.exit_code == 2 and result.stderr.count("\n") == 1
    assert admin.requests == []
