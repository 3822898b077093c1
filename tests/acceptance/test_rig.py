"""The rig judges the sidecar, so it is judged first: what compares must be able to say no."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.acceptance.app.instructions import obey_waits, orders_in
from tests.acceptance.rig.gates import gatekeeper
from tests.acceptance.rig.masks import Mask, difference
from tests.acceptance.rig.services import running
from tests.acceptance.rig.truth import RUN_STATUSES, disagreements, task_status

Json = dict[str, Any]

ONE = "01a206f0-84f2-75fa-a9a1-c67b79d37a85"
TWO = "01a206f0-8523-72ed-8786-24923e20d236"

THREAD: Json = {"thread_id": "t", "status": "idle"}
RUNS: list[Json] = [
    {"run_id": "r2", "status": "success"},
    {"run_id": "r1", "status": "interrupted"},
]
RECORD: Json = {
    "task_id": "t",
    "thread_id": "t",
    "run_id": "r2",
    "status": "success",
    "superseded_run_ids": ["r1"],
    "runs": RUNS[::-1],
    "session_id": "s",
}


def test_ids_and_moments_may_differ_between_two_sides() -> None:
    first = {"id": ONE, "at": "2026-11-23T05:55:59.740975+00:00", "ms": 1795413547468}
    second = {"id": TWO, "at": "2026-11-24T05:55:59Z", "ms": 1795413547999}
    assert Mask()(first) == Mask()(second)


def test_tasks_by_id_are_compared_in_the_order_in_which_they_came() -> None:
    assert not difference({ONE: "near", TWO: "far"}, {TWO: "near", ONE: "far"})
    assert difference({ONE: "near", TWO: "far"}, {ONE: "far", TWO: "near"})


def test_the_same_id_twice_is_not_two_ids() -> None:
    assert Mask()([ONE, f"task_id: {ONE}"]) != Mask()([ONE, f"task_id: {TWO}"])


@pytest.mark.parametrize(
    "other",
    [
        {"status": "running", "n": 1, "list": ["a"]},
        {"status": "success", "n": 2, "list": ["a"]},
        {"status": "success", "n": 1, "list": []},
        {"status": "success", "n": 1, "list": ["a"], "more": None},
    ],
)
def test_everything_but_ids_and_moments_counts(other: Json) -> None:
    assert Mask()({"status": "success", "n": 1, "list": ["a"]}) != Mask()(other)


def test_a_difference_is_shown_from_both_sides() -> None:
    shown = difference({"status": "running", "id": ONE}, {"status": "success", "id": TWO})
    assert '- "status": "running"' in shown
    assert '+ "status": "success"' in shown
    assert not difference({"id": ONE}, {"id": TWO})


def test_only_the_keys_of_the_sidecar_are_left_out() -> None:
    assert Mask()({"a": 1, "sidecar_depth": "0"}) == {"a": 1}


@pytest.mark.parametrize(
    ("run", "thread", "status"),
    [
        ("pending", "busy", "pending"),
        ("running", "busy", "running"),
        ("success", "idle", "success"),
        ("success", None, "success"),
        ("success", "interrupted", "waiting"),
        ("success", "busy", "running"),
        ("error", "error", "error"),
        ("timeout", "error", "timeout"),
        ("interrupted", "interrupted", "cancelled"),
        ("cancelled", None, "cancelled"),
    ],
)
def test_a_task_is_where_its_newest_run_and_its_thread_are(
    run: str, thread: str | None, status: str
) -> None:
    assert task_status({"status": run}, {"status": thread}) == status


def test_a_true_record_has_nothing_wrong() -> None:
    assert disagreements(RECORD, expected={"session_id": "s"}, runs=RUNS, thread=THREAD) == {}


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"status": "running"}, "status"),
        ({"run_id": "r1"}, "run_id"),
        ({"superseded_run_ids": []}, "superseded_run_ids"),
        ({"runs": RUNS}, "runs"),
        ({"runs": [{"run_id": "r1", "status": "running"}, RUNS[0]]}, RUN_STATUSES),
        ({"session_id": "other"}, "session_id"),
        ({"task_id": "other"}, "task_id"),
    ],
)
def test_a_wrong_field_is_named(wrong: Json, field: str) -> None:
    found = disagreements(RECORD | wrong, expected={"session_id": "s"}, runs=RUNS, thread=THREAD)
    assert field in found


def test_no_record_at_all_is_wrong_in_everything() -> None:
    found = disagreements({}, expected={"session_id": "s"}, runs=RUNS, thread=THREAD)
    assert {"task_id", "status", "runs", "session_id"} <= found.keys()


async def test_a_gate_holds_until_it_is_opened() -> None:
    async with gatekeeper() as gates, asyncio.timeout(10):
        worker = asyncio.ensure_future(obey_waits(orders_in(f"work {gates.order('g')}")))
        await gates.reached("g")
        assert not worker.done()
        gates.open("g")
        await worker
        await gates.left("g")


async def test_a_gatekeeper_notices_who_is_stopped_at_the_gate() -> None:
    async with gatekeeper() as gates, asyncio.timeout(10):
        worker = asyncio.ensure_future(obey_waits(orders_in(f"work {gates.order('g')}")))
        await gates.reached("g")
        worker.cancel()
        await gates.left("g")


def test_a_server_that_dies_while_starting_is_reported_with_its_last_words(
    tmp_path: Path,
) -> None:
    command = [sys.executable, "-c", "raise SystemExit('no luck today')"]
    with (
        pytest.raises(RuntimeError, match="no luck today"),
        running("doomed", command, url="http://127.0.0.1:1", ready_path="/", folder=tmp_path),
    ):
        pytest.fail("a dead server was taken for a ready one")
