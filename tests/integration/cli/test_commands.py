"""`subagentctl tasks` and `subagentctl task` against a fake admin plane, in this process."""

import csv
import io
import json
from datetime import timedelta

import pytest

from subagentctl.look import Look
from subagentctl.outside import Outside
from subagentctl.testing import NOW, FakeAdmin, Reply, demo_events, demo_tasks, make_task, problem
from subagentctl.when import to_wire

from .conftest import Run

ID = "01a2064f-5864-7545-89d1-a55134a759fd"
TWIN = "01a2064f-5864-7545-89d1-b00000000000"


def test_the_tasks_are_listed_newest_first_with_a_footer(admin: FakeAdmin, run: Run) -> None:
    admin.tasks = list(demo_tasks(NOW))
    result = run("tasks")
    lines = result.stdout.splitlines()
    assert result.exit_code == 0 and result.stderr == ""
    assert [line.split()[:4][-1] for line in lines[1:3]] == ["researcher", "└"]
    assert lines[-1] == "9 tasks, 5 live."


def test_no_tasks_yet_says_what_to_do(run: Run) -> None:
    result = run("tasks")
    assert result.exit_code == 0
    assert result.stdout.startswith("No tasks yet. Point a subagent's url at ")


def test_every_filter_reaches_the_admin_plane(admin: FakeAdmin, run: Run) -> None:
    filters = "--session s&1 --agent a --upstream u --supervisor v --status Running,ERROR,running"
    run("tasks", *filters.split(), "--since", "30m", "--all", "--limit", "7")
    assert admin.requests[0].query == {
        "session": "s&1",
        "agent": "a",
        "upstream": "u",
        "supervisor": "v",
        "status": "running,error",
        "since": to_wire(NOW - timedelta(minutes=30)),
        "all": "true",
        "limit": "7",
    }


def test_without_filters_only_the_limit_is_sent(admin: FakeAdmin, run: Run) -> None:
    run("tasks")
    assert admin.requests[0].query == {"limit": "50"}


@pytest.mark.parametrize(
    ("limit", "cap", "shown", "requests"),
    [(5, 1000, 5, 1), (5, 2, 5, 3), (0, 1000, 450, 3), (300, 1000, 300, 2), (450, 150, 450, 3)],
)
def test_pages_are_read_until_the_limit_or_the_end(
    limit: int, cap: int, shown: int, requests: int, admin: FakeAdmin, run: Run
) -> None:
    admin.tasks = [make_task(f"task-{number:04d}") for number in range(450)]
    admin.page_cap = cap
    result = run("-o", "json", "tasks", "--limit", str(limit))
    answer = json.loads(result.stdout)
    assert [task["task_id"] for task in answer["tasks"]] == [f"task-{n:04d}" for n in range(shown)]
    assert answer["more"] is (shown < 450)
    assert len(admin.requests) == requests


def test_a_server_that_pays_no_heed_to_the_limit_is_cut(admin: FakeAdmin, run: Run) -> None:
    admin.script = lambda request: Reply(body={"tasks": [make_task()] * 9, "next_cursor": None})
    answer = json.loads(run("-o", "json", "tasks", "--limit", "4").stdout)
    assert (len(answer["tasks"]), answer["more"]) == (4, True)


def test_pages_that_never_end_are_noticed(admin: FakeAdmin, run: Run) -> None:
    admin.script = lambda request: Reply(body={"tasks": [make_task()], "next_cursor": "again"})
    result = run("tasks", "--limit", "0")
    assert result.exit_code == 3 and "its second page is the first one again" in result.stderr


def test_what_is_left_out_is_said(admin: FakeAdmin, run: Run) -> None:
    admin.tasks = [make_task(), make_task(TWIN), make_task(status="error", recent=False)]
    limited = " ".join(run("tasks", "--limit", "1").stdout.split())
    assert (
        "1 task, 1 live. More were left out by --limit 1; --limit 0 shows all. 1 ended" in limited
    )
    assert "1 ended over an hour ago; --all" in run("tasks").stdout
    assert run("tasks", "--all").stdout.splitlines()[-1] == "3 tasks, 2 live."


def test_csv_can_be_read_back_and_says_on_stderr_that_it_is_not_all(
    admin: FakeAdmin, run: Run
) -> None:
    admin.tasks = list(demo_tasks(NOW))
    result = run("tasks", "-o", "csv", "--limit", "3")
    rows = list(csv.DictReader(io.StringIO(result.stdout, newline="")))
    assert [row["agent_name"] for row in rows] == ["researcher", "fact-checker", "link-opener"]
    assert rows[2]["purpose"] == "open the links and \ufffd[31mread"
    assert "More were left out by --limit 3" in result.stderr


def test_json_passes_on_keys_this_version_does_not_know(admin: FakeAdmin, run: Run) -> None:
    admin.tasks = [make_task(new_in_2030={"deep": [1]})]
    assert json.loads(run("tasks", "-o", "json").stdout)["tasks"] == admin.tasks
    answer = json.loads(run("task", ID, "-o", "json").stdout)
    assert answer == {"task": admin.tasks[0], "events": []}


@pytest.mark.parametrize("part", [ID, "01a2064f", "59fd", f" {ID} ", "…34a759fd"])
def test_a_task_is_found_by_any_part_that_fits_only_it(
    part: str, admin: FakeAdmin, run: Run
) -> None:
    admin.tasks = [make_task()]
    admin.events[ID] = demo_events(admin.tasks[0])
    result = run("task", part)
    assert result.exit_code == 0
    assert result.stdout.startswith(f"task        {ID}\n")
    assert "TIMELINE" in result.stdout


def test_a_task_as_csv_is_one_row(admin: FakeAdmin, run: Run) -> None:
    admin.tasks = [make_task()]
    [row] = csv.DictReader(io.StringIO(run("task", ID, "-o", "csv").stdout, newline=""))
    assert row["task_id"] == ID


def test_an_unknown_task_is_exit_code_4(run: Run) -> None:
    result = run("task", "a/b?c")
    assert (result.exit_code, result.stdout) == (4, "")
    assert result.stderr == "subagentctl: No task on record has the id 'a/b?c'.\n"


def test_an_ambiguous_part_names_the_tasks_it_fits(admin: FakeAdmin, run: Run) -> None:
    admin.tasks = [make_task(ID), make_task(TWIN)]
    result = run("task", "01a2064f")
    assert result.exit_code == 1
    assert result.stderr == (
        f"subagentctl: '01a2064f' fits 2 tasks: {ID}, {TWIN}. Give more of the id.\n"
    )


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [
        (
            problem(401, "unauthorized", "No token."),
            1,
            "(No token). Set SUBAGENTCTL_TOKEN, or",
        ),
        (problem(503, "store_busy", "Busy.", retry_after_s=1), 1, "Busy (HTTP 503 store_busy, try"),
        (problem(404, "not_found", "No such route."), 4, "No such route."),
        (Reply(404, {"detail": "Not Found"}), 3, "is not a sidecar's admin plane (HTTP 404"),
        (Reply(200, b"<html>", "text/html"), 3, "is not a sidecar's admin plane (HTTP 200, text/"),
        (Reply(302, b"", headers={"Location": "/login"}), 3, "a redirect to /login"),
        (Reply(200, {"tasks": "none"}), 3, "its answer holds no tasks"),
        (Reply(200, {"tasks": [1]}), 3, "its answer holds no tasks"),
        (Reply(200, {}), 3, "its answer holds no tasks"),
    ],
)
def test_each_kind_of_answer_has_its_sentence_and_exit_code(
    reply: Reply, code: int, said: str, admin: FakeAdmin, run: Run
) -> None:
    admin.script = lambda request: reply
    result = run("tasks")
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr and result.stderr.startswith("subagentctl: ")
    assert result.stderr.count("\n") == 1


def test_an_answer_without_the_task_asked_for_is_not_a_sidecar(admin: FakeAdmin, run: Run) -> None:
    admin.script = lambda request: Reply(200, {"task": None, "events": []})
    result = run("task", ID)
    assert result.exit_code == 3 and "its answer holds no task" in result.stderr


@pytest.mark.parametrize(
    ("args", "said"),
    [
        (["tasks", "--since", "soon"], "'soon' is neither a span like 30m"),
        (["tasks", "--status", "runing"], "'runing' is none of pending, running, waiting, success"),
        (["tasks", "--limit", "-1"], "--limit"),
        (["tasks", "--limit", "many"], "'many' is not a valid integer"),
        (["tasks", "--interval", "2"], "--interval needs --watch"),
        (["tasks", "--watch", "--interval", "0"], "0.1<=x"),
        (["tasks", "--watch", "-o", "csv"], "not csv"),
        (["tasks", "-o", "xml"], "'xml' is not one of 'table', 'json', 'csv'"),
        (["--server", "ftp://x", "tasks"], "must begin with http://"),
        (["tasks", "--server", "http://x:y"], "that is not a URL"),
        (["--token", "two words", "tasks"], "printable ASCII"),
        (["tasks", "surplus"], "surplus"),
        (["task"], "Missing argument 'ID'"),
        (["task", "abc"], "at least 4 characters"),
        (["task", " abc "], "at least 4 characters"),
        (["tusks"], "No such command 'tusks'. (Did you mean one of: 'task', 'tasks'?). See "),
        (["keys"], "say what to do: create, list, revoke. See `"),
        (["policy", "shw"], "No such command 'shw'. Did you mean 'show'? See "),
        (["--colour"], "--colour"),
    ],
)
def test_a_command_line_that_makes_no_sense_is_one_sentence_and_exit_code_2(
    args: list[str], said: str, admin: FakeAdmin, run: Run
) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout) == (2, "")
    assert said in result.stderr and result.stderr.startswith("subagentctl: ")
    assert result.stderr.count("\n") == 1
    assert admin.requests == []


def test_a_bad_variable_is_named(run: Run) -> None:
    result = run("tasks", SUBAGENTCTL_SERVER="http://me:hunter2@h")
    assert result.exit_code == 2 and "SUBAGENTCTL_SERVER" in result.stderr
    assert "hunter2" not in result.stderr  # row 24


def test_an_empty_variable_is_as_good_as_none(admin: FakeAdmin, run: Run) -> None:
    assert run("--server", admin.url, "tasks", SUBAGENTCTL_TOKEN="").exit_code == 0
    assert "Authorization" not in admin.requests[0].headers


def test_shared_options_stand_before_or_behind_and_the_nearer_one_wins(
    admin: FakeAdmin, run: Run
) -> None:
    admin.tasks = [make_task()]
    wrong = "http://127.0.0.1:1"
    result = run("-o", "csv", "--server", wrong, "tasks", "-o", "json", "--server", admin.url)
    assert json.loads(result.stdout)["tasks"] == admin.tasks
    run("--token", "far", "tasks", "--token", "near", SUBAGENTCTL_TOKEN="farthest")
    assert admin.requests[-1].headers["Authorization"] == "Bearer near"


def test_nobody_there_is_exit_code_3(free_port: int, run: Run) -> None:
    result = run("tasks", "--server", f"127.0.0.1:{free_port}")
    assert result.exit_code == 3
    assert f"no sidecar answers at http://127.0.0.1:{free_port} (" in result.stderr


def test_a_token_is_never_repeated(admin: FakeAdmin, run: Run) -> None:  # row 24
    admin.script = lambda request: problem(401, "unauthorized", "No.")
    result = run("--token", "canary-1", "tasks")
    assert "canary-1" not in result.output


def test_without_a_command_there_is_help(run: Run) -> None:
    result = run()
    assert result.exit_code == 0 and "Exit codes:" in result.stdout


def test_watching_shows_the_table_again_and_a_lost_sidecar_too(admin: FakeAdmin, run: Run) -> None:
    admin.tasks = [make_task()]
    replies = iter([None, problem(503, "store_busy", "Busy."), None])
    admin.script = lambda request: next(replies)
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        if len(slept) == 3:
            raise KeyboardInterrupt

    outside = Outside(now=lambda: NOW, sleep=sleep, look=Look)
    result = run("tasks", "--watch", "--interval", "3", outside=outside)
    assert (result.exit_code, slept) == (0, [3.0, 3.0, 3.0])
    assert result.stdout.count("1 task, 1 live.") == 2
    assert result.stderr.count("store_busy") == 1


def test_watching_as_json_is_one_document_a_line(admin: FakeAdmin, run: Run) -> None:
    admin.tasks = [make_task()]
    pauses = iter([None, None])

    def sleep(seconds: float) -> None:
        if next(pauses, "over") == "over":
            raise KeyboardInterrupt

    outside = Outside(now=lambda: NOW, sleep=sleep, look=Look)
    result = run("-o", "json", "tasks", "--watch", outside=outside)
    assert [json.loads(line)["tasks"] for line in result.stdout.splitlines()] == [admin.tasks] * 3


def test_an_interrupt_outside_of_watching_is_quiet(admin: FakeAdmin, run: Run) -> None:
    def now_or_never() -> Look:
        raise KeyboardInterrupt

    admin.tasks = [make_task()]
    result = run("tasks", outside=Outside(now=lambda: NOW, look=now_or_never))
    assert (result.exit_code, result.output) == (130, "")


@pytest.mark.parametrize(
    "words",
    [
        ("freeze", "--agent", "a", "--agent", "b"),
        ("unfreeze", "--session", "a", "--session", "b"),
        ("cancel", "--session", "a", "--yes", "--session", "b"),
        ("tasks", "--agent", "a", "--agent", "b"),
        ("events", "--kind", "ended", "--kind", "started"),
    ],
)
def test_of_two_values_neither_is_dropped_in_silence(words: tuple[str, ...], run: Run) -> None:
    result = run(*words)
    assert result.exit_code == 2
    assert "is given twice; it takes one value" in result.stderr
