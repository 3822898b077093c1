"""Both tables of the life cycle, walked pair by pair against what they ought to say."""

from itertools import product

import pytest

from subagent_sidecar.core import lifecycle
from subagent_sidecar.core.model import LIVE, RunStatus, TaskStatus, ThreadStatus

P, R, S, E, T, I = (  # noqa: E741 - one letter a column
    RunStatus.PENDING,
    RunStatus.RUNNING,
    RunStatus.SUCCESS,
    RunStatus.ERROR,
    RunStatus.TIMEOUT,
    RunStatus.INTERRUPTED,
)

# What the record says after: a row for what it says now, a column for what is seen.
AFTERWARDS = {
    #    P  R  S  E  T  I
    P: (P, R, S, E, T, I),
    R: (R, R, S, E, T, I),
    S: (S, S, S, S, S, S),
    E: (E, E, E, E, E, E),
    T: (T, T, T, T, T, T),
    I: (I, I, I, I, I, I),
}
COLUMNS = (P, R, S, E, T, I)

OF_THE_TASK = {
    # a row for the run; columns: unseen, idle, busy, interrupted, error
    P: ("pending", "pending", "pending", "pending", "pending"),
    R: ("running", "running", "running", "running", "running"),
    S: ("success", "success", "running", "waiting", "success"),
    E: ("error", "error", "error", "error", "error"),
    T: ("timeout", "timeout", "timeout", "timeout", "timeout"),
    I: ("cancelled", "cancelled", "cancelled", "cancelled", "cancelled"),
}
THREADS = (
    ThreadStatus.UNSEEN,
    ThreadStatus.IDLE,
    ThreadStatus.BUSY,
    ThreadStatus.INTERRUPTED,
    ThreadStatus.ERROR,
)


def test_the_expectations_name_every_status() -> None:
    assert set(AFTERWARDS) == set(COLUMNS) == set(OF_THE_TASK) == set(RunStatus)
    assert set(THREADS) == set(ThreadStatus)


@pytest.mark.parametrize(("on_record", "seen"), list(product(RunStatus, RunStatus)))
def test_a_run_moves_as_the_table_says(on_record: RunStatus, seen: RunStatus) -> None:
    expected = AFTERWARDS[on_record][COLUMNS.index(seen)]
    assert lifecycle.next_run_status(on_record, seen) is expected


@pytest.mark.parametrize(("run", "thread"), list(product(RunStatus, ThreadStatus)))
def test_a_task_is_what_its_run_and_its_thread_make_it(
    run: RunStatus, thread: ThreadStatus
) -> None:
    expected = OF_THE_TASK[run][THREADS.index(thread)]
    assert lifecycle.task_status(run, thread) == expected


def test_the_tables_hold_no_pair_but_those_walked() -> None:
    assert set(lifecycle.RUN_TRANSITIONS) == set(product(RunStatus, RunStatus))
    assert set(lifecycle.TASK_STATUS) == set(product(RunStatus, ThreadStatus))


@pytest.mark.parametrize("status", RunStatus)
def test_an_end_is_what_nothing_moves_any_more(status: RunStatus) -> None:
    moves = {lifecycle.next_run_status(status, seen) for seen in RunStatus}
    assert lifecycle.has_ended(status) is (moves == {status})


@pytest.mark.parametrize(("first", "second"), list(product(sorted(lifecycle.ENDS), RunStatus)))
def test_a_run_never_comes_back_from_its_end(first: RunStatus, second: RunStatus) -> None:
    assert lifecycle.next_run_status(first, second) is first


def test_a_live_task_is_one_that_may_still_change_by_itself() -> None:
    ended = set(TaskStatus) - LIVE
    assert ended == {"success", "error", "timeout", "cancelled"}


RUN_WORDS: list[tuple[object, RunStatus | None]] = [
    ("pending", P),
    ("running", R),
    ("success", S),
    ("error", E),
    ("timeout", T),
    ("interrupted", I),
    ("cancelled", I),  # what self-hosted servers say
    ("canceled", I),
    ("Success", None),
    ("rollback", None),
    ("waiting", None),  # a task's word, not a run's
    ("", None),
    (None, None),
    (200, None),
    (["success"], None),
    ({"status": "success"}, None),
]


@pytest.mark.parametrize(("word", "expected"), RUN_WORDS)
def test_a_servers_word_for_a_run(word: object, expected: RunStatus | None) -> None:
    assert lifecycle.run_status(word) is expected


THREAD_WORDS: list[tuple[object, ThreadStatus | None]] = [
    ("idle", ThreadStatus.IDLE),
    ("busy", ThreadStatus.BUSY),
    ("interrupted", ThreadStatus.INTERRUPTED),
    ("error", ThreadStatus.ERROR),
    ("unseen", None),  # ours alone: a server that says so is not believed
    ("sleeping", None),
    (None, None),
    (0, None),
    (["idle"], None),
]


@pytest.mark.parametrize(("word", "expected"), THREAD_WORDS)
def test_a_servers_word_for_a_thread(word: object, expected: ThreadStatus | None) -> None:
    assert lifecycle.thread_status(word) is expected
