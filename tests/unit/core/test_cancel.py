"""What comes next about a run that is to be cancelled: the table, row by row, and its walk."""

from itertools import product

import pytest

from subagent_sidecar.core.cancel import (
    Ask,
    Case,
    Confirmed,
    GiveUp,
    Look,
    Lost,
    Outcome,
    Rollback,
    Sight,
    Step,
    TaskEnd,
    TooLate,
    Try,
    disobeyed,
    is_a_no,
    ladder,
    next_step,
    operators_reason,
    pause_after_failures,
)
from subagent_sidecar.core.lifecycle import ENDS
from subagent_sidecar.core.model import EndedBy, RunStatus, TaskStatus

INTERRUPT, ROLLBACK = Try.INTERRUPT, Try.ROLLBACK
PENDING, RUNNING, INTERRUPTED = RunStatus.PENDING, RunStatus.RUNNING, RunStatus.INTERRUPTED
FULL = (INTERRUPT, INTERRUPT, ROLLBACK)
VERIFY_FOR = 15.0


def step(
    sight: Sight,
    tried: tuple[Try, ...] = (),
    *,
    waited_s: float = 0.0,
    plan: tuple[Try, ...] = FULL,
    accepted: bool = True,
    looks: int = 0,
    rounds: int = 0,
    missing_s: float = 100.0,
) -> Step:
    case = Case(
        sight=sight,
        plan=plan,
        verify_for_s=VERIFY_FOR,
        tried=tried,
        accepted=accepted,
        waited_s=waited_s,
        looks=looks,
        rounds=rounds,
        missing_s=missing_s,
    )
    return next_step(case)


GONE = Sight(run=None)
LOST = Sight(run=None, thread_gone=True)
SILENT = Sight(run=None, thread_gone=True, proven=False)
LIED = Sight(run=INTERRUPTED, thread_busy=True)
ACTIVE = (Sight(run=PENDING), Sight(run=RUNNING), LIED)
LADDERS = (FULL, (INTERRUPT, INTERRUPT), (ROLLBACK, ROLLBACK))


@pytest.mark.parametrize("tried", [(), (INTERRUPT,), FULL])
@pytest.mark.parametrize("waited_s", [0.0, 100.0])
@pytest.mark.parametrize(
    ("sight", "expected"),
    [
        (Sight(run=RunStatus.SUCCESS), TooLate(RunStatus.SUCCESS)),
        (Sight(run=RunStatus.ERROR), TooLate(RunStatus.ERROR)),
        (Sight(run=RunStatus.TIMEOUT), TooLate(RunStatus.TIMEOUT)),
        (Sight(run=INTERRUPTED), Confirmed()),
        (GONE, Confirmed(gone=True)),
    ],
)
def test_what_is_over_is_over_whatever_was_tried(
    sight: Sight, expected: Step, tried: tuple[Try, ...], waited_s: float
) -> None:
    assert step(sight, tried, waited_s=waited_s) == expected


@pytest.mark.parametrize(
    ("tried", "expected"),
    [((), Lost()), ((INTERRUPT, INTERRUPT), Lost()), (FULL, Confirmed(gone=True))],
)
def test_a_thread_that_is_gone_as_well_says_nothing_unless_we_rolled_back(
    tried: tuple[Try, ...], expected: Step
) -> None:
    assert step(LOST, tried) == expected


@pytest.mark.parametrize(
    ("sight", "missing_s", "expected"),
    [
        (GONE, 0.0, Look(3.0)),
        (GONE, 1.0, Look(2.0)),
        (GONE, 3.0, Confirmed(gone=True)),
        (LOST, 0.0, Look(3.0)),
        (LOST, 3.0, Lost()),
        (SILENT, 0.0, Look(3.0)),
        (SILENT, 3.0, Look(3.0)),
        (SILENT, 200.0, Look(200.0)),
        (SILENT, 590.0, Look(10.0)),
        (SILENT, 600.0, Lost()),
    ],
)
def test_what_is_missing_has_to_be_missing_twice_on_a_server_that_says_something_else(
    sight: Sight, missing_s: float, expected: Step
) -> None:
    assert step(sight, (INTERRUPT,), missing_s=missing_s) == expected


@pytest.mark.parametrize("sight", [Sight(run=None), Sight(run=None, thread_gone=True)])
def test_a_run_that_was_rolled_back_need_not_be_looked_for_again(sight: Sight) -> None:
    assert step(sight, FULL, missing_s=0.0) == Confirmed(gone=True)


@pytest.mark.parametrize("sight", ACTIVE)
@pytest.mark.parametrize(
    ("tried", "waited_s", "expected"),
    [
        ((), 0.0, Ask(INTERRUPT)),
        ((), 100.0, Ask(INTERRUPT)),
        ((INTERRUPT,), 0.0, Look(0.05)),
        ((INTERRUPT,), 14.99, Look(0.05)),
        ((INTERRUPT,), 15.0, Ask(INTERRUPT)),
        ((INTERRUPT, INTERRUPT), 14.0, Look(0.05)),
        ((INTERRUPT, INTERRUPT), 15.0, Ask(ROLLBACK)),
        (FULL, 14.0, Look(0.05)),
        (FULL, 15.0, GiveUp(30.0)),
    ],
)
def test_what_goes_on_is_asked_looked_at_and_asked_harder(
    sight: Sight, tried: tuple[Try, ...], waited_s: float, expected: Step
) -> None:
    got = step(sight, tried, waited_s=waited_s)
    if isinstance(expected, Look):
        assert isinstance(got, Look) and 0 < got.after_s <= 0.05
    else:
        assert got == expected


@pytest.mark.parametrize("sight", ACTIVE)
def test_what_the_server_had_no_use_for_is_not_waited_for(sight: Sight) -> None:
    assert step(sight, (INTERRUPT,), accepted=False) == Ask(INTERRUPT)
    assert step(sight, FULL, accepted=False) == GiveUp(30.0)


def test_looks_come_slower_and_never_after_the_time_is_up() -> None:
    sight = Sight(run=RUNNING)
    delays = [step(sight, (INTERRUPT,), waited_s=1.0, looks=looks) for looks in range(9)]
    seconds = [delay.after_s for delay in delays if isinstance(delay, Look)]
    assert seconds == sorted(seconds) and len(seconds) == 9 and seconds[-1] == 3.0
    assert step(sight, (INTERRUPT,), waited_s=14.0, looks=8) == Look(1.0)


def test_after_each_time_it_was_given_up_it_is_asked_once_more() -> None:
    sight, pauses = Sight(run=RUNNING), []
    tried: tuple[Try, ...] = FULL
    for rounds in range(8):
        given_up = step(sight, tried, waited_s=100.0, rounds=rounds)
        assert isinstance(given_up, GiveUp)
        pauses.append(given_up.retry_in_s)
        assert step(sight, tried, waited_s=100.0, rounds=rounds + 1) == Ask(INTERRUPT)
        tried = (*tried, INTERRUPT)
    assert pauses == [30.0, 60.0, 120.0, 180.0, 180.0, 180.0, 180.0, 180.0]


@pytest.mark.parametrize("plan", LADDERS)
def test_every_case_is_decided_and_no_server_is_asked_about_what_is_over(
    plan: tuple[Try, ...],
) -> None:
    sights = [
        Sight(run=run, thread_busy=busy, thread_gone=gone)
        for run, busy, gone in product([None, *RunStatus], [False, True], [False, True])
    ]
    tries = [plan[:count] for count in range(len(plan) + 1)]
    for sight, tried, waited, accepted in product(sights, tries, [0.0, 20.0], [True, False]):
        got = step(sight, tried, waited_s=waited, accepted=accepted, plan=plan)
        assert isinstance(got, Ask | Look | GiveUp) == sight.active
        over = sight.run is None or (sight.run in ENDS and sight.run is not INTERRUPTED)
        assert not (over and sight.active)


@pytest.mark.parametrize("plan", LADDERS)
def test_a_server_that_never_obeys_is_given_up_after_the_whole_plan(plan: tuple[Try, ...]) -> None:
    tried: tuple[Try, ...] = ()
    for _ in range(len(plan)):
        got = step(Sight(run=RUNNING), tried, waited_s=VERIFY_FOR, plan=plan)
        assert isinstance(got, Ask)
        tried = (*tried, got.how)
    assert tried == plan
    assert isinstance(step(Sight(run=RUNNING), tried, waited_s=VERIFY_FOR, plan=plan), GiveUp)


@pytest.mark.parametrize(
    ("by", "rollback", "first", "expected"),
    [
        (EndedBy.OPERATOR, Rollback.OURS, INTERRUPT, FULL),
        (EndedBy.REAPER, Rollback.OURS, INTERRUPT, FULL),
        (EndedBy.BUDGET, Rollback.ALWAYS, INTERRUPT, FULL),
        (EndedBy.OPERATOR, Rollback.NEVER, INTERRUPT, (INTERRUPT, INTERRUPT)),
        (EndedBy.SUPERVISOR, Rollback.OURS, INTERRUPT, (INTERRUPT, INTERRUPT)),
        (EndedBy.SUPERVISOR, Rollback.NEVER, INTERRUPT, (INTERRUPT, INTERRUPT)),
        (EndedBy.SUPERVISOR, Rollback.ALWAYS, INTERRUPT, FULL),
        (EndedBy.SUPERVISOR, Rollback.NEVER, ROLLBACK, (ROLLBACK, ROLLBACK)),
    ],
)
def test_only_whose_run_it_is_may_lose_what_it_wrote_unasked(
    by: EndedBy, rollback: Rollback, first: Try, expected: tuple[Try, ...]
) -> None:
    assert ladder(by, rollback, first=first) == expected


def test_a_server_that_fails_is_asked_less_often_and_one_that_refuses_least() -> None:
    failing = [pause_after_failures(n, refused=False) for n in (1, 2, 3, 10, 1_000_000)]
    assert failing == [1.0, 2.0, 4.0, 30.0, 30.0]
    assert pause_after_failures(1_000_000, refused=True) == 600.0


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "Cancelled by the operator."),
        ("  ", "Cancelled by the operator."),
        ("wrong branch", "Cancelled by the operator: wrong branch."),
        ("It\nloops.", "Cancelled by the operator: It loops."),
        ("a \x1b[2J\x07\x9bm b", "Cancelled by the operator: a \ufffd[2J\ufffd\ufffdm b."),
        (
            "bytes \udcff that are no text",
            "Cancelled by the operator: bytes \ufffd that are no text.",
        ),
        (
            "\U0001f468\u200d\U0001f469 ok",
            "Cancelled by the operator: \U0001f468\u200d\U0001f469 ok.",
        ),
    ],
)
def test_an_operators_reason_is_one_sentence_and_says_what_to_do(
    given: str | None, told: str
) -> None:
    assert operators_reason(given) == f"{told} Do not start it again unless the user asks."


def test_an_operators_reason_has_an_end() -> None:
    assert len(operators_reason("x" * 100_000)) < 700


@pytest.mark.parametrize(
    ("answered", "is_one"),
    [
        *((status, True) for status in (400, 405, 409, 422)),
        *((status, False) for status in (0, 302, 401, 403, 408, 429, 500, 503)),
    ],
)
def test_only_a_cancel_that_was_looked_at_was_turned_down(answered: int, is_one: bool) -> None:
    assert is_a_no(answered) is is_one


def test_what_is_not_obeyed_is_told_with_what_was_tried() -> None:
    assert disobeyed(Sight(run=RUNNING), FULL) == (
        "the run is still running after interrupt (twice), rollback"
    )
    assert disobeyed(LIED, (INTERRUPT,) * 5) == (
        "the server calls the run interrupted and its thread is at work after interrupt (5 times)"
    )


@pytest.mark.parametrize("outcome", Outcome)
def test_a_task_is_over_when_it_is_cancelled_or_was_over_before(outcome: Outcome) -> None:
    end = TaskEnd(
        task_id="t", outcome=outcome, status=TaskStatus.SUCCESS, run_id="r", detail="so it is"
    )
    assert end.over == (outcome in (Outcome.CANCELLED, Outcome.ALREADY))
    assert end.told == ("already success" if outcome is Outcome.ALREADY else outcome)
