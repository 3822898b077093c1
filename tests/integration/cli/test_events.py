"""`subagentctl events` against a fake admin plane, in this process and as one of its own."""

import json
import signal
import subprocess
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from tests.support.ports import free_port
from tests.support.signals import heeded

from subagentctl.look import Look
from subagentctl.outside import Outside
from subagentctl.testing import NOW, FakeAdmin, Reply, demo_events, make_task, problem
from subagentctl.testing.admin import Request
from subagentctl.when import to_wire

from .conftest import Run
from .test_process import COMMAND, DEADLINE_S, on_terminal

Story = list[dict[str, Any]]


@pytest.fixture
def story() -> Story:
    return demo_events(make_task())


def interrupted_after(pauses: int) -> tuple[Callable[[float], None], list[float]]:
    """A pause that does not wait, and presses Ctrl-C instead of the last time."""
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == pauses:
            raise KeyboardInterrupt

    return sleep, slept


def follow(run: Run, *args: str, pauses: int = 1) -> tuple[Result, list[float]]:
    """`subagentctl events --follow`, ended by Ctrl-C in its last pause."""
    sleep, slept = interrupted_after(pauses)
    outside = Outside(now=lambda: NOW, sleep=sleep, look=lambda: Look())
    return run("events", "--follow", *args, outside=outside), slept


def queries(admin: FakeAdmin) -> list[dict[str, str]]:
    return [request.query for request in admin.requests]


def last_ids(admin: FakeAdmin) -> list[str | None]:
    return [request.headers.get("Last-Event-ID") for request in admin.requests]


def test_the_events_on_record_are_a_line_each(admin: FakeAdmin, run: Run, story: Story) -> None:
    admin.feed = story
    result = run("events")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "11-23 02:59:00Z  34a759fd  researcher      started"
    assert lines[2].endswith("follow-up sent, interrupting the run before it")


def test_what_a_task_says_its_run_does_not_say_again(
    admin: FakeAdmin, run: Run, story: Story
) -> None:
    admin.feed = story
    told = [line[43:] for line in run("events").stdout.splitlines()]
    follow_up = "follow-up sent, interrupting the run before it"
    assert told == ["started", "running", follow_up, "running"]


def test_what_only_its_run_says_is_told(admin: FakeAdmin, run: Run, story: Story) -> None:
    admin.feed = [event for event in story if event["kind"] == "run_status"]
    told = [line[43:] for line in run("events", "--kind", "run_status").stdout.splitlines()]
    assert told == ["run began", "run began"]


def test_json_is_one_whole_object_a_line(admin: FakeAdmin, run: Run, story: Story) -> None:
    admin.feed = [{**story[0], "new_key": "\x7f\u2028"}, *story[1:]]
    out = run("-o", "json", "events").stdout
    assert out.isascii() and "\x7f" not in out
    assert [json.loads(line) for line in out.splitlines()] == admin.feed


def test_every_filter_reaches_the_admin_plane(admin: FakeAdmin, run: Run) -> None:
    filters = "--task 34a759fd --session s&1 --agent a --upstream u --kind ended,started,ended"
    run("events", *filters.split(), "--last", "7")
    assert queries(admin) == [
        {
            "task": "34a759fd",
            "session": "s&1",
            "agent": "a",
            "upstream": "u",
            "kind": "ended,started",
            "last": "7",
            "limit": "7",
        }
    ]


def test_without_options_the_newest_fifty_are_shown(admin: FakeAdmin, run: Run) -> None:
    run("events")
    assert queries(admin) == [{"last": "50", "limit": "50"}]


@pytest.mark.parametrize("args", [[], ["--agent", "nobody"], ["--since", "1h"], ["-o", "json"]])
def test_an_empty_record_says_that_nothing_has_happened(run: Run, args: list[str]) -> None:
    result = run("events", *args)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr == ("subagentctl: nothing has happened yet: no event is on record.\n")


@pytest.mark.parametrize(
    ("args", "where"), [([], True), (["--since", "1h"], False), (["--task", "34a759fd"], False)]
)
def test_where_nothing_fits_it_is_said_where_was_looked(
    admin: FakeAdmin, run: Run, args: list[str], where: bool
) -> None:
    admin.script = lambda request: Reply(body={"events": [], "after": 7, "more": False})
    result = run("events", "--agent", "nobody", *args)
    assert (result.exit_code, result.stdout) == (0, "")
    assert result.stderr.startswith("subagentctl: no event on record fits.")
    assert ("newest 200,000" in result.stderr) == where


def test_where_something_is_shown_nothing_is_said(admin: FakeAdmin, run: Run, story: Story) -> None:
    admin.feed = story
    assert run("events").stderr == ""


def test_a_kind_nobody_knows_is_named_and_asked_for_all_the_same(
    admin: FakeAdmin, run: Run, story: Story
) -> None:
    admin.feed = story
    odd = run("events", "--kind", "xyzzy")
    assert "no kind of event called xyzzy; it knows abandoned, admin_act, adopted" in odd.stderr
    result = run("events", "--kind", "started,budget_raise")
    assert result.exit_code == 0
    assert "no kind of event called budget_raise; like it: budget_raised" in result.stderr
    assert queries(admin)[-1]["kind"] == "started,budget_raise"
    assert run("events", "--kind", "started").stderr == ""


def test_since_a_moment_everything_is_shown_page_by_page(
    admin: FakeAdmin, run: Run, story: Story
) -> None:
    admin.feed, admin.page_cap = story, 4
    result = run("events", "--since", "30m")
    assert len(result.stdout.splitlines()) == 4
    since = to_wire(NOW - timedelta(minutes=30))
    assert queries(admin) == [{"since": since, "limit": "1000"}, {"after": "4", "limit": "1000"}]


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["--since", "1h", "--last", "3"], "give --since or --last, not both"),
        (["-o", "csv"], "not csv"),
        (["--since", "yesterday"], "neither a span like"),
        (["--last", "-1"], "--last"),
        (["--last", "1001"], "--last"),
    ],
)
def test_what_makes_no_sense_is_exit_code_2(run: Run, args: list[str], said: str) -> None:
    result = run("events", *args)
    assert result.exit_code == 2 and said in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (problem(404, "task_not_found", "No task's id begins or ends with 'x'."), 4),
        (problem(503, "store_unavailable", "Locked."), 1),
        (Reply(body={"tasks": []}), 3),
        (Reply(body={"events": [1], "after": 1}), 3),
        (Reply(body={"events": []}), 3),
        (Reply(body={"events": [], "after": 1, "more": True}), 3),
    ],
)
@pytest.mark.parametrize("args", [[], ["--follow"]])
def test_a_beginning_that_fails_is_said_and_not_followed(
    args: list[str], reply: Reply, code: int, admin: FakeAdmin, run: Run
) -> None:
    admin.script = lambda request: reply
    result = run("events", *args)
    assert result.exit_code == code
    assert result.stderr.count("\n") == 1 and result.stderr.startswith("subagentctl: ")


def test_following_goes_on_where_the_page_ended(admin: FakeAdmin, run: Run, story: Story) -> None:
    admin.feed = story
    admin.script = lambda request: _shortened(request, story)
    result, _ = follow(run, "--agent", "researcher")
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 6
    assert last_ids(admin) == [None, "2"]
    assert queries(admin)[1] == {"agent": "researcher"}


def _shortened(request: Request, story: Story) -> Reply | None:
    """The page ends after the second event; the stream has the rest."""
    if "json" in request.headers["Accept"]:
        return Reply(body={"events": story[:2], "after": 2, "more": False, "gap": None})
    return None


def test_a_stream_that_ends_is_resumed_behind_the_last_event(
    admin: FakeAdmin, run: Run, story: Story
) -> None:
    def one_at_a_time(request: Request) -> Reply | None:
        after = int(request.headers.get("Last-Event-ID", 0))
        admin.feed = story[: after + 1]
        return Reply(body={"events": [], "after": 0}) if "last" in request.query else None

    admin.script = one_at_a_time
    result, slept = follow(run, pauses=6)
    assert [line.split()[-1] for line in result.stdout.splitlines()][:2] == ["started", "began"]
    assert len(result.stdout.splitlines()) == 6
    assert last_ids(admin) == [None, "0", "1", "2", "3", "4", "5"]
    assert set(slept) == {0.5}, "whoever is told something is not kept waiting longer"


def test_a_sidecar_that_stays_away_is_mentioned_once_and_asked_less_often(
    admin: FakeAdmin, run: Run
) -> None:
    def gone(request: Request) -> Reply:
        if "json" in request.headers["Accept"]:
            return Reply(body={"events": [], "after": 0})
        return problem(503, "store_unavailable", "Locked.")

    admin.script = gone
    result, slept = follow(run, pauses=6)
    assert slept == [0.5, 1.0, 2.0, 4.0, 5.0, 5.0]
    assert result.stderr.count("\n") == 1
    assert "Locked" in result.stderr and result.stderr.endswith("Trying again.\n")
    assert result.exit_code == 0


def test_a_task_that_is_forgotten_meanwhile_ends_the_following(
    admin: FakeAdmin, run: Run, story: Story
) -> None:
    admin.script = lambda request: (
        Reply(body={"events": story, "after": 6})
        if "json" in request.headers["Accept"]
        else problem(404, "task_not_found", "No such task.")
    )
    result, slept = follow(run, "--task", "34a759fd")
    assert (result.exit_code, slept) == (4, [])
    assert result.stderr == "subagentctl: No such task.\n"


def test_what_was_removed_while_nobody_followed_is_said(admin: FakeAdmin, run: Run) -> None:
    gap = {"kind": "gap", "after": 1, "pruned": 5, "reason": "pruned"}
    stream = f"event: gap\ndata: {json.dumps(gap)}\n\n".encode()
    admin.script = lambda request: (
        Reply(body={"events": [], "after": 1, "gap": None})
        if "json" in request.headers["Accept"]
        else Reply(body=stream, content_type="text/event-stream")
    )
    result, _ = follow(run)
    assert result.stdout.endswith("some events are missing: pruned\n")
    as_json, _ = follow(run, "-o", "json")
    assert json.loads(as_json.stdout) == gap


@pytest.mark.parametrize(
    "reply",
    [
        Reply(body={"events": []}),
        Reply(body=b"<html>", content_type="text/html"),
        Reply(body=b"data: no json\n\n", content_type="text/event-stream"),
    ],
)
def test_what_is_no_stream_is_tried_again(reply: Reply, admin: FakeAdmin, run: Run) -> None:
    admin.script = lambda request: (
        Reply(body={"events": [], "after": 0}) if "json" in request.headers["Accept"] else reply
    )
    result, slept = follow(run, pauses=2)
    assert len(slept) == 2 and result.stderr.count("\n") >= 1
    assert "is not a sidecar's admin plane" in result.stderr


def test_a_reader_that_leaves_early_is_no_failure(
    admin: FakeAdmin, environ: dict[str, str], story: Story
) -> None:
    admin.feed = [{**story[0], "seq": number} for number in range(1, 1_001)]
    args = [*COMMAND, "events", "--follow", "--last", "1000", "-o", "json"]
    process = subprocess.Popen(args, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.read(10)
    process.stdout.close()
    assert process.wait(DEADLINE_S) == 0
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()


def test_following_outlives_the_sidecar_and_ends_with_ctrl_c(
    environ: dict[str, str], story: Story
) -> None:
    first = FakeAdmin(free_port())
    first.feed = story[:1]
    environ = environ | {"SUBAGENTCTL_SERVER": first.url}
    with heeded(), on_terminal(environ, "events", "--follow") as terminal:
        with first.running():
            terminal.wait_for("started")
            port = int(first.url.rpartition(":")[2])
        second = FakeAdmin(port)
        second.feed = story[:4]
        with second.running():
            terminal.wait_for("follow-up sent")
            assert terminal.end(signal.SIGINT) == 0
    assert terminal.seen.count(b"started") == 1
    assert b"Traceback" not in terminal.seen and b"Aborted" not in terminal.seen
