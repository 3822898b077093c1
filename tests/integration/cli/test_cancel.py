"""`subagentctl cancel` against a fake admin plane."""

import json
import signal
import threading

import pytest
from tests.support.signals import heeded

from subagentctl.look import Look
from subagentctl.outside import Outside
from subagentctl.testing import NOW, FakeAdmin, Reply, make_task, problem
from subagentctl.testing.admin import Request

from .conftest import Run
from .test_process import DEADLINE_S, on_terminal


def posted(admin: FakeAdmin) -> list[Request]:
    return [request for request in admin.requests if request.method == "POST"]


def answering(answer: bool | None) -> Outside:
    return Outside(now=lambda: NOW, look=lambda: Look(width=100), ask=lambda question: answer)


@pytest.fixture
def live(admin: FakeAdmin) -> str:
    task = make_task(status="running")
    admin.tasks = [task]
    return str(task["task_id"])


def test_each_true_end_is_told(admin: FakeAdmin, run: Run, live: str) -> None:
    result = run("cancel", live[-8:], "--yes", "--reason", "enough", "--wait", "5")
    assert result.exit_code == 0 and result.stdout.endswith("1 cancelled.\n")
    [request] = posted(admin)
    assert request.body == {"task_ids": [live], "wait_s": 5.0, "reason": "enough"}


def test_what_is_not_over_is_exit_code_1(admin: FakeAdmin, run: Run, live: str) -> None:
    def in_doubt(request: Request) -> Reply | None:
        if request.method != "POST":
            return None
        return Reply(body={"tasks": [{"task_id": live, "outcome": "in doubt", "over": False}]})

    admin.script = in_doubt
    result = run("cancel", "--all", "--yes")
    assert result.exit_code == 1 and "was not cancelled: try again" in result.stdout


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "say which tasks, in one way"),
        (["--all", "abcd"], "say which tasks, in one way"),
        (["abc"], "at least 4 characters"),
        (["x" * 10_000], "more than 500 characters"),
        (["--session", ""], "it is empty; leave it out"),
        (["--session", "", "--agent", "researcher"], "it is empty; leave it out"),
        (["--all", "--wait", "nan"], "nan is not a number of seconds"),
        (["--all", "--wait", "inf"], "is not in the range"),
    ],
)
def test_a_command_that_may_not_mean_what_it_says_cancels_nothing(
    admin: FakeAdmin, run: Run, live: str, args: list[str], said: str
) -> None:
    result = run("cancel", *args, "--yes")
    assert result.exit_code == 2 and said in result.stderr
    assert result.stderr.count("\n") == 1 and posted(admin) == []


@pytest.mark.parametrize(("answer", "code"), [(None, 2), (False, 1)])
def test_without_a_yes_nothing_is_cancelled(
    admin: FakeAdmin, run: Run, live: str, answer: bool | None, code: int
) -> None:
    result = run("cancel", "--all", outside=answering(answer))
    assert result.exit_code == code and posted(admin) == []
    assert run("cancel", "--all", outside=answering(True)).exit_code == 0
    assert len(posted(admin)) == 1


@pytest.mark.parametrize(
    ("args", "terminals", "said"),
    [
        ([], ["stdout", "stderr"], True),
        ([], ["stderr"], True),
        (["-o", "json"], ["stdout", "stderr"], True),
        (["-o", "json"], ["stderr"], False),
        (["-o", "csv"], ["stderr"], False),
        ([], ["stdout"], False),
        (["--wait", "0"], ["stdout", "stderr"], False),
    ],
)
def test_who_waits_at_a_terminal_is_told_for_what(
    admin: FakeAdmin, run: Run, args: list[str], terminals: list[str], said: bool
) -> None:
    admin.tasks = [make_task(task_id=f"{number:036d}", status="running") for number in range(3)]
    outside = Outside(now=lambda: NOW, is_terminal=lambda stream: stream in terminals)
    result = run("cancel", "--all", "--yes", *args, outside=outside)
    line = "subagentctl: cancelling 3 tasks; waiting up to 60 s for each end to be verified.\n"
    assert result.exit_code == 0 and result.stderr == (line if said else "")


def test_what_the_wait_is_for_is_told_before_it(admin: FakeAdmin, run: Run, live: str) -> None:
    admin.script = lambda request: problem(503, "x", "Later.") if request.method == "POST" else None
    outside = Outside(now=lambda: NOW, is_terminal=lambda stream: True)
    told, *_ = run("cancel", live, "--yes", "--wait", "2.5", outside=outside).stderr.splitlines()
    assert told.endswith("cancelling 1 task; waiting up to 2.5 s for its end to be verified.")


def test_nothing_is_waited_for_where_no_task_fits(admin: FakeAdmin, run: Run) -> None:
    outside = Outside(now=lambda: NOW, is_terminal=lambda stream: True)
    assert run("cancel", "--all", "--yes", outside=outside).stderr == ""


def test_who_stops_waiting_is_told_that_the_cancel_goes_on(
    admin: FakeAdmin, live: str, environ: dict[str, str], capfd: pytest.CaptureFixture[str]
) -> None:
    asked, over = threading.Event(), threading.Event()

    def wait_for_the_end(request: Request) -> Reply | None:
        if request.method == "POST":
            asked.set()
            over.wait(DEADLINE_S)
        return None

    admin.script = wait_for_the_end
    with heeded(), on_terminal(environ, "cancel", live, "--yes") as terminal:
        assert asked.wait(DEADLINE_S)
        assert terminal.end(signal.SIGINT) == 130
    over.set()
    said = capfd.readouterr().err
    assert "goes on all the same" in said and "Traceback" not in said


def test_thousands_are_asked_for_in_portions(admin: FakeAdmin, run: Run) -> None:
    admin.tasks = [make_task(task_id=f"{number:036d}", status="running") for number in range(2_001)]
    result = run("cancel", "--all", "--yes", "-o", "json")
    assert [len(request.body["task_ids"]) for request in posted(admin)] == [1_000, 1_000, 1]
    assert len(json.loads(result.stdout)["tasks"]) == 2_001


@pytest.mark.parametrize("more", [True, False])
def test_json_says_whether_there_is_more_as_the_admin_plane_does(
    admin: FakeAdmin, run: Run, live: str, more: bool
) -> None:
    answer = Reply(body={"tasks": [{"task_id": live, "over": True}], "more": more})
    admin.script = lambda request: answer if request.method == "POST" else None
    told = json.loads(run("cancel", live, "--yes", "-o", "json").stdout)
    assert told == answer.body


def test_json_of_nothing_is_nothing_and_no_more(run: Run) -> None:
    told = json.loads(run("cancel", "--all", "--yes", "-o", "json").stdout)
    assert told == {"tasks": [], "more": False}
