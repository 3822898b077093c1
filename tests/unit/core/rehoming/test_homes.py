"""What becomes of a trace, by what is on record of those it names."""

from tests.support.homes import AT_NS, record, run

from subagent_sidecar.core.model import TaskRecord
from subagent_sidecar.core.rehoming.homes import Fate, Mode, fate, home
from subagent_sidecar.core.rehoming.mentions import Mention
from subagent_sidecar.core.trace_ids import span_of, start_span, trace_of, tree_trace

OTHERS = bytes.fromhex("c" * 32)
MINUTE = 60_000_000_000


def said(thread_id: str, run_id: str | None = None, **more: object) -> Mention:
    return Mention(thread_id=thread_id, run_id=run_id, **more)  # type: ignore[arg-type]


def of(*pairs: tuple[Mention, TaskRecord], mode: Mode = Mode.REHOME) -> Fate:
    return fate(OTHERS, pairs, mode)


def test_a_trace_that_names_a_run_belongs_under_the_span_of_that_run() -> None:
    task = record("t", run("t", "r1"), run("t", "r2", minute=14))
    found = of((said("t", "r2"), task)).home
    assert found is not None
    assert found.trace_id.hex() == trace_of(task.task) == tree_trace("t")
    assert found.span_id.hex() == span_of(task.runs[1])
    assert (found.task_id, found.run_id) == ("t", "r2")


def test_the_context_that_its_server_was_told_names_a_run_as_well() -> None:
    task = record("t", run("t", "r1"), run("t", "r2", minute=14))
    assert home(said("t", context=span_of(task.runs[1])), task).run_id == "r2"


def test_without_either_it_is_the_last_run_that_was_asked_for_by_then() -> None:
    task = record("t", run("t", "r2", minute=15), run("t", "r1"))
    when = {AT_NS: "r1", AT_NS + MINUTE: "r1", AT_NS + 3 * MINUTE: "r2", 0: "r1", 2**64 - 1: "r2"}
    assert {at: home(said("t", at_ns=at), task).run_id for at in when} == when


def test_a_task_without_a_run_has_its_start() -> None:
    task = record("t")
    bare = TaskRecord(task=task.task, runs=(), short_id="t")
    found = home(said("t", "r1"), bare)
    assert (found.span_id.hex(), found.run_id) == (start_span("t"), None)


def test_a_nested_task_belongs_to_the_trace_of_its_tree() -> None:
    child = record("c", depth=1, tree_id="t")
    found = of((said("c", "r1"), child)).home
    assert found is not None
    assert found.trace_id.hex() == tree_trace("t")


def test_a_trace_that_is_its_trees_already_passes() -> None:
    task = record("t", trace_parent=f"00-{OTHERS.hex()}-{'b' * 16}-01")
    found = of((said("t", "r1"), task))
    assert found.mode is Mode.PASS
    assert found.home is not None and found.home.task_id == "t"


def test_of_several_tasks_it_is_the_one_nearest_to_the_root() -> None:
    child, root = record("c", depth=1, tree_id="t"), record("t")
    for pairs in ([(said("c"), child), (said("t"), root)], [(said("t"), root), (said("c"), child)]):
        found = of(*pairs).home
        assert found is not None and found.task_id == "t"


def test_in_mode_link_it_is_linked() -> None:
    assert of((said("t"), record("t")), mode=Mode.LINK).mode is Mode.LINK
