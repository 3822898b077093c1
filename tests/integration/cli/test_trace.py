"""`subagentctl trace` against an admin plane."""

import csv
import io
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from tests.integration.cli.conftest import Run

from subagentctl.client import JsonObject
from subagentctl.look import Look
from subagentctl.outside import Outside
from subagentctl.testing import NOW, FakeAdmin, Reply, demo_events, make_run, make_task
from subagentctl.testing.admin import problem
from subagentctl.when import to_wire

ID = "01a2064f-5864-7545-89d1-a55134a759fd"


def family(admin: FakeAdmin, count: int) -> list[JsonObject]:
    """A root and what it started, the root first."""
    made = [to_wire(NOW - timedelta(minutes=9) + timedelta(seconds=n)) for n in range(count)]
    oldest_first = [
        make_task(
            ID if not n else f"01a2064f-5864-7545-89d1-{n:012x}",
            parent_task_id=ID if n else None,
            created_at=made[n],
            runs=[make_run(created_at=made[n], started_at=made[n])],
            trace_id="7" * 32,
        )
        for n in range(count)
    ]
    admin.tasks = oldest_first[::-1]
    return oldest_first


def test_a_tree_is_drawn_from_any_task_of_it(admin: FakeAdmin, run: Run) -> None:
    tasks = family(admin, 3)
    admin.events[ID] = demo_events(tasks[0])
    result = run("trace", "…" + tasks[2]["task_id"][-8:])
    assert result.exit_code == 0
    told = result.stdout.splitlines()
    assert told[0] == "trace   77777777777777777777777777777777"
    assert "3 tasks, 3 live; 9m 0s so far, since 2026-11-23 02:51:00 UTC" in told[1]
    assert told[6].startswith("▸  └ researcher  00000002  running  8m 58s  █")
    assert "follow-up sent, interrupting the run before it" in result.stdout


def test_pages_are_fetched_until_the_limit(admin: FakeAdmin, run: Run) -> None:
    tasks = family(admin, 450)
    for limit, sizes in (("250", ["200", "50"]), ("0", ["200", "200", "200"])):
        admin.requests.clear()
        answer = json.loads(run("trace", ID, "--limit", limit, "-o", "json").stdout)
        wanted = tasks[: int(limit) or None]
        assert answer["tasks"] == wanted
        assert (answer["total"], answer["more"]) == (450, len(wanted) < 450)
        assert [request.query["limit"] for request in admin.requests] == sizes


def test_the_task_asked_for_is_told_once_whichever_pages_have_it(
    admin: FakeAdmin, run: Run
) -> None:
    tasks = family(admin, 5)
    admin.page_cap = 2
    admin.events[tasks[3]["task_id"]] = demo_events(tasks[3])
    answer = json.loads(run("trace", tasks[3]["task_id"], "-o", "json").stdout)
    assert answer["tasks"] == tasks
    assert answer["events"] == admin.events[tasks[3]["task_id"]]
    assert answer["task_id"] == tasks[3]["task_id"]


def test_what_was_left_out_is_said(admin: FakeAdmin, run: Run) -> None:
    family(admin, 10)
    told = run("trace", ID, "--limit", "4").stdout
    assert "6 tasks more were left out by --limit; --limit 0 shows all." in told


def test_as_csv_it_is_the_tasks(admin: FakeAdmin, run: Run) -> None:
    tasks = family(admin, 2)
    rows = list(csv.DictReader(io.StringIO(run("trace", ID, "-o", "csv").stdout, newline="")))
    assert [row["task_id"] for row in rows] == [task["task_id"] for task in tasks]


def test_on_a_pipe_nothing_is_cut_and_nothing_is_painted(admin: FakeAdmin, run: Run) -> None:
    family(admin, 2)
    piped = Outside(now=lambda: NOW, look=lambda: Look(width=None, unicode=False))
    told = run("trace", ID, outside=piped).stdout
    assert told.isascii() and "\x1b" not in told
    assert f"{'=' * 39}>\n" in told


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (["trace", "abc"], 2, "at least 4 characters"),
        (["trace"], 2, "Missing argument 'ID'"),
        (["trace", ID, "--interval", "2"], 2, "--interval needs --watch"),
        (["trace", ID, "--watch", "-o", "csv"], 2, "not csv"),
        (["trace", ID, "--limit", "-1"], 2, "--limit"),
        (["trace", "nobody-has-this"], 4, "No task on record"),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(
    args: list[str], code: int, said: str, run: Run
) -> None:
    result = run(*args)
    assert (result.exit_code, result.stdout) == (code, "")
    assert said in result.stderr and result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"tasks": []},
        {"tasks": [], "events": [], "refusals": 7},
        {"tasks": [], "events": [], "refusals": [], "next_cursor": "x"},
    ],
)
def test_an_answer_that_is_none_is_not_a_sidecars(
    body: JsonObject, admin: FakeAdmin, run: Run
) -> None:
    admin.script = lambda request: Reply(200, body)
    result = run("trace", ID)
    assert result.exit_code == 3 and "is not a sidecar's admin plane" in result.stderr


def test_an_older_sidecar_has_no_such_route(admin: FakeAdmin, run: Run) -> None:
    admin.script = lambda request: problem(404, "not_found", "GET /v1/traces/x: Not Found.")
    result = run("trace", ID)
    assert result.exit_code == 4 and "GET /v1/traces/x" in result.stderr


def test_watching_draws_bars_that_grow(admin: FakeAdmin, run: Run) -> None:
    family(admin, 1)
    looks: list[Any] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        admin.tasks = [{**admin.tasks[0], "purpose": len(looks)}]
        if len(looks) == 3:
            raise KeyboardInterrupt

    now = [NOW + timedelta(minutes=n) for n in range(9)]
    outside = Outside(now=lambda: now[len(looks)], sleep=sleep, look=lambda: Look(width=90))
    told = run("trace", ID, "--watch", "--interval", "3", outside=outside)
    assert told.exit_code == 0 and looks == [3, 3, 3]
    assert [m for m in ("9m 0s", "10m 0s", "11m 0s") if f"{m} so far" in told.stdout] == [
        *("9m 0s", "10m 0s", "11m 0s")
    ]
    again = replace(outside, sleep=lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
    documents = run("-o", "json", "trace", ID, "--watch", outside=again).stdout.splitlines()
    assert [json.loads(each)["total"] for each in documents] == [1]
