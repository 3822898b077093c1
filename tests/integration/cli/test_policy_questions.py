"""`subagentctl policy explain` and `policy replay`: what is asked, what is shown, how it fails."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from tests.support.books import at
from tests.support.past import refused, started

from subagent_sidecar.core.past_words import decision_words, start_words
from subagentctl.testing import NOW, FakeAdmin, problem
from subagentctl.testing.admin import Reply, Request
from subagentctl.when import to_wire

from .conftest import Run

EXPLAINED: dict[str, Any] = {
    "call": {"agent": "coder", "session": "s", "supervisor": "ann", "upstream": "up", "depth": 0},
    "task": None,
    "rules": [],
    "lifecycle": [],
    "verdicts": {"start": {"let_in": True, "message": None, "would_refuse": []}},
    "decisions": [],
}


def explaining(request: Request) -> Reply | None:
    return Reply(body=EXPLAINED) if request.path == "/v1/policy/explain" else None


def test_a_task_is_asked_about_by_its_id(admin: FakeAdmin, run: Run) -> None:
    admin.script = explaining
    result = run("policy", "explain", " a34a759f ")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.splitlines()[-1] == "A start would be let in."
    assert admin.requests[0].query == {"task": "a34a759f"}


def test_a_start_is_asked_about_by_what_it_would_say(admin: FakeAdmin, run: Run) -> None:
    admin.script = explaining
    whole = ("--agent", "coder", "--session", "s", "--supervisor", "ann", "--upstream", "up")
    result = run("policy", "explain", *whole, "--depth", "0", "-o", "json")
    assert json.loads(result.stdout) == EXPLAINED
    assert admin.requests[0].query == {
        "agent": "coder",
        "session": "s",
        "supervisor": "ann",
        "upstream": "up",
        "depth": "0",
    }


@pytest.mark.parametrize(
    "args",
    [
        ("explain",),
        ("explain", "--session", "s"),
        ("explain", "a34a759f", "--agent", "coder"),
        ("explain", "a34a759f", "--depth", "0"),
        ("explain", "--agent", "coder", "-o", "csv"),
        ("explain", "--agent", "coder", "--depth", "-1"),
        ("replay",),
        ("replay", "strict", "--since", "yesterday"),
        ("replay", "strict", "-o", "csv"),
    ],
)
def test_what_makes_no_sense_is_exit_code_2(
    args: tuple[str, ...], admin: FakeAdmin, run: Run
) -> None:
    result = run("policy", *args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.startswith("subagentctl: ")
    assert admin.requests == []


def test_what_the_sidecar_says_no_to_is_said(admin: FakeAdmin, run: Run) -> None:
    admin.script = lambda request: problem(404, "task_not_found", "There is no such task.")
    result = run("policy", "explain", "nobody")
    assert (result.exit_code, result.stderr) == (4, "subagentctl: There is no such task.\n")


STARTS = [started(n, f"t{n}", until=n + 10, usd=0.25) for n in (1, 2, 3, 4, 5)]
REFUSED = [refused(30, "i1", seq=1), refused(31, "i2", seq=2)]


def recorded(**more: Any) -> Callable[[Request], Reply | None]:
    """An admin plane with those on record, two to a page."""

    def answer(request: Request) -> Reply | None:
        if request.path == "/v1/starts":
            page, following = _page([start_words(s) for s in STARTS], request.query.get("after"))
            return Reply(body={"starts": page, "next_after": following, "whole_from": None, **more})
        if request.path == "/v1/decisions":
            assert request.query["order"] == "oldest"
            page, following = _page(
                [decision_words(d) for d in REFUSED], request.query.get("cursor")
            )
            return Reply(body={"decisions": page, "next_cursor": following, **more})
        return None

    return answer


def _page(items: list[Any], cursor: str | None) -> tuple[list[Any], str | None]:
    begin = int(cursor or 0)
    end = begin + 2
    return items[begin:end], str(end) if end < len(items) else None


@pytest.fixture
def rules(tmp_path: Path) -> str:
    path = tmp_path / "team.yaml"
    path.write_text("version: 1\nlimits: [{name: places, concurrent: 2, per: session}]\n", "utf-8")
    return str(path)


def test_all_pages_are_replayed(admin: FakeAdmin, run: Run, rules: str) -> None:
    admin.script = recorded()
    result = run("policy", "replay", rules, "--since", at(0))
    assert (result.exit_code, result.stderr) == (0, "")
    first = " ".join(result.stdout.split("\n\n")[0].split())
    assert first == (
        "Of 5 starts since 2026-01-01 00:00:00 UTC, team.yaml would have refused 3 (60 %), saving "
        "$0.75, 300 tokens, 30s of run time. Of 2 refusals on record it would have let in 2; what "
        "those would have cost nobody knows."
    )
    assert [
        request.query.get("after") for request in admin.requests if "starts" in request.path
    ] == [
        None,
        "2",
        "4",
    ]


def test_the_same_record_and_file_give_the_same(admin: FakeAdmin, run: Run, rules: str) -> None:
    admin.script = recorded()
    args = ("policy", "replay", rules, "--since", at(0), "-v", "-o", "json")
    first, second = run(*args).stdout, run(*args).stdout
    assert first == second
    document = json.loads(first)
    assert [one["task_id"] for one in document["single"]] == ["t3", "t4", "t5", None, None]
    assert document["by_rule"][0]["usage"]["usd"] == "0.750000"


def test_without_a_word_it_is_the_last_week(admin: FakeAdmin, run: Run, rules: str) -> None:
    admin.script = recorded()
    document = json.loads(run("policy", "replay", rules, "-o", "json").stdout)
    week_ago = to_wire(NOW - timedelta(days=7))
    assert document["since"] == week_ago.replace("Z", ".000000Z")
    assert "single" not in document


def test_no_more_is_fetched_than_the_rules_look_back(
    admin: FakeAdmin, run: Run, tmp_path: Path
) -> None:
    admin.script = recorded()
    path = tmp_path / "windowed.yaml"
    path.write_text(
        "version: 1\nlimits: [{name: rate, starts: 2, per: session, window: 1m}]\n", "utf-8"
    )
    run("policy", "replay", str(path), "--since", at(600))
    run("policy", "replay", "strict", "--since", at(600))
    asked = [request.query.get("since") for request in admin.requests if "starts" in request.path]
    assert asked[0] == at(540)
    assert asked[-1] is None


def test_a_record_that_is_not_whole_is_said_to_be_so(
    admin: FakeAdmin, run: Run, rules: str
) -> None:
    admin.script = recorded(whole_from=at(2))
    early = run("policy", "replay", rules, "--since", at(0)).stdout
    assert "The record is whole from 2026-01-01 00:00:02 UTC on" in early
    assert "whole" not in run("policy", "replay", rules, "--since", at(3)).stdout


def test_a_file_with_mistakes_is_exit_code_64_and_asks_nobody(
    admin: FakeAdmin, run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "bad.yaml"
    path.write_text("version: 2\nlimits: [{name: a}]\n", "utf-8")
    result = run("policy", "replay", str(path))
    assert (result.exit_code, result.stdout) == (64, "")
    assert len(result.stderr.splitlines()) == 2
    assert admin.requests == []


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"starts": 5},
        {"starts": [5], "decisions": [5]},
        {"starts": [{}], "decisions": []},
        {"starts": [{**start_words(STARTS[0]), "at": 7}], "decisions": []},
        {"starts": [{**start_words(STARTS[0]), "ended_at": "soon"}], "decisions": []},
        {"starts": [{**start_words(STARTS[0]), "agent": None}], "decisions": []},
        {"starts": [], "decisions": [{**decision_words(REFUSED[0]), "verdict": "perhaps"}]},
        {"starts": [], "next_after": 5, "decisions": [], "next_cursor": 5},
    ],
)
def test_a_record_that_cannot_be_read_is_no_sidecars(
    body: Any, admin: FakeAdmin, run: Run, rules: str
) -> None:
    admin.script = lambda request: Reply(body=body)
    result = run("policy", "replay", rules)
    assert (result.exit_code, result.stdout) == (3, "")
    assert result.stderr.startswith("subagentctl: ")


def test_no_sidecar_is_exit_code_3(run: Run, rules: str, free_port: int) -> None:
    for args in (("replay", rules), ("explain", "--agent", "coder")):
        result = run("--server", f"http://127.0.0.1:{free_port}", "policy", *args)
        assert result.exit_code == 3
