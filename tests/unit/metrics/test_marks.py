"""Exemplars lead to traces that somebody has, and to no other."""

from subagent_sidecar.core.metrics.families import Exemplar
from subagent_sidecar.core.metrics.labels import Whose
from subagent_sidecar.core.metrics.lived import Lived
from subagent_sidecar.core.metrics.marks import Marks, Told
from subagent_sidecar.core.metrics.record import Happened, RunTime, Sighting, Stretch
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.trace_ids import tree_trace

PLACE = (("up", "coder"), 0)
ALL = Told(-1, 1_000)


def seen(seq: int, root: str = "t", parent: str | None = None) -> Sighting:
    return Sighting(seq, f"2026-01-01T00:00:{seq:02}.250000Z", parent, root)


def shown(marks: Marks, told: Told | None = ALL) -> str | None:
    """Which trace the place leads to."""
    found = marks.exemplars(told).get(PLACE)
    return None if found is None else found.trace_id


def test_an_exemplar_names_the_trace_of_the_tree_the_value_and_the_moment() -> None:
    marks = Marks()
    marks.seen(PLACE, seen(7), 2.5)
    begun = 1_767_225_600
    assert marks.exemplars(ALL) == {PLACE: Exemplar(tree_trace("t"), 2.5, begun + 7.25)}


def test_a_tree_that_was_started_in_a_trace_is_found_in_that() -> None:
    marks = Marks()
    marks.seen(PLACE, seen(7, parent=f"00-{'ab' * 16}-{'cd' * 8}-01"))
    assert shown(marks) == "ab" * 16


def test_without_traces_there_are_no_exemplars() -> None:
    marks = Marks()
    marks.seen(PLACE, seen(7))
    assert marks.exemplars(None) == {}


def test_an_event_of_no_task_is_in_no_trace_of_one() -> None:
    marks = Marks()
    marks.seen(PLACE, None)
    assert marks.exemplars(ALL) == {}


def test_what_is_not_told_yet_is_not_shown_yet_whatever_comes_after_it() -> None:
    marks = Marks()
    for seq in (7, 8, 9):
        marks.seen(PLACE, seen(seq, root=f"t{seq}"))
    assert shown(marks, Told(-1, 6)) is None
    assert shown(marks, Told(-1, 7)) == tree_trace("t7")


def test_the_one_before_stays_until_the_next_is_told() -> None:
    marks = Marks()
    marks.seen(PLACE, seen(7, root="old"))
    assert shown(marks, Told(-1, 7)) == tree_trace("old")
    marks.seen(PLACE, seen(9, root="new"))
    assert shown(marks, Told(-1, 8)) == tree_trace("old")
    assert shown(marks, Told(-1, 9)) == tree_trace("new")


def test_what_nobody_took_is_never_shown() -> None:
    marks = Marks()
    marks.seen(PLACE, seen(7))
    assert shown(marks, Told(7, 20)) is None
    marks.seen(PLACE, seen(21, root="after"))
    assert shown(marks, Told(7, 21)) == tree_trace("after")


def test_run_times_are_marked_in_their_bucket_and_tasks_by_their_labels() -> None:
    lived = Lived(Whose((), ("up",)))
    times = [
        RunTime(upstream="up", agent_name="coder", ran_s=1.5, seen=seen(1, root="quick")),
        RunTime(upstream="up", agent_name="coder", ran_s=99_999.0, seen=seen(2, root="slow")),
        RunTime(upstream="up", agent_name="coder", queued_s=0.5, seen=seen(3, root="queued")),
    ]
    happened = Happened(
        kind="ended", times=4, upstream="up", agent_name="coder", status="error", word="upstream",
        last=seen(4, root="failed"),
    )  # fmt: skip
    refused = Happened(kind="refused", times=1, rule="r", policy="p", last=seen(5))
    lived.add(Stretch(upto=5, last=5, happened=(happened, refused), times=tuple(times)))
    found = {
        (family.instrument.name, place): exemplar.trace_id
        for family in lived.families(Policy(), ALL)
        for place, exemplar in family.exemplars.items()
    }
    pair = ("up", "coder")
    assert found == {
        ("subagent_run_duration_seconds", (pair, 1)): tree_trace("quick"),
        ("subagent_run_duration_seconds", (pair, 15)): tree_trace("slow"),
        ("subagent_run_queue_seconds", (pair, 0)): tree_trace("queued"),
        ("subagent_tasks_finished_total", ((*pair, "error", "upstream"), 0)): tree_trace("failed"),
    }
