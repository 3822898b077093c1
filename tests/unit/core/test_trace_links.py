"""Links to a trace: what may be in a template, and what becomes of it."""

import re
from typing import Any

import pytest
from tests.support.books import at

from subagent_sidecar.core.model import Run, RunStatus, Task, TaskRecord, TaskStatus
from subagent_sidecar.core.trace_ids import span_of, traceparent
from subagent_sidecar.core.trace_links import LinkMistakes, filled, trace_links

TRACE = "4" * 32
RUN = Run(run_id="r", task_id="t", kind="start", status=RunStatus.RUNNING, created_at=at(1))
SPAN = span_of(RUN)


def record(**facts: Any) -> TaskRecord:
    usual = {
        "task_id": "t",
        "upstream": "up",
        "agent_name": "researcher",
        "status": TaskStatus.RUNNING,
        "session_id": "s",
        "supervisor": "ann",
        "created_at": at(1),
        "last_updated_at": at(1),
        "trace_parent": traceparent(TRACE, "6" * 16),
    }
    task = Task(run_id="r", **{**usual, **facts})
    return TaskRecord(task=task, runs=(RUN,), short_id="t")


def link(url: str, **facts: Any) -> str:
    return filled(trace_links({"x": url}), record(**facts))["x"]


def test_the_places_are_filled_in() -> None:
    url = "http://h:1/{trace_id}/{span_id}?t={task_id}&s={session_id}&t={task_id}"
    assert link(url) == f"http://h:1/{TRACE}/{SPAN}?t=t&s=s&t=t"


def test_no_id_can_lead_a_link_elsewhere() -> None:
    evil = "../../../evil?a=b#c{trace_id}\ud800\x1b"
    found = link("http://h/{session_id}/{trace_id}", session_id=evil)
    assert found.startswith("http://h/..%2F..%2F..%2Fevil%3Fa%3Db%23c%7Btrace_id%7D%3F%1B/")
    assert found.isascii() and found.endswith(f"/{TRACE}")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([], "must map"),
        ({f"n{number}": "http://h/{trace_id}" for number in range(17)}, "at most 16"),
        ({"a": 1}, "must be a URL"),
        ({1: "http://h/{trace_id}"}, "a name has"),
        ({"a\nb": "http://h/{trace_id}"}, "a name has"),
        ({"a": "http://h/trace"}, "holds none of"),
        ({"a": "http://h/{traceid}"}, "{traceid} is not known"),
        ({"a": "http://h/{}{trace_id}"}, "{} is not known"),
        ({"a": "http://h/{trace_id}}"}, "other half"),
        ({"a": "http://h/{{trace_id}"}, "other half"),
        # failures.md 20: a link leads to a web page, with nobody's name and password
        ({"a": "ftp://h/{trace_id}"}, "must begin with http"),
        ({"a": "javascript:alert('{trace_id}')"}, "must begin with http"),
        ({"a": "http:///{trace_id}"}, "must begin with http"),
        ({"a": "http://{trace_id}.evil/"}, "in its host"),
        ({"a": "http://h:99999/{trace_id}"}, "not a URL"),
        ({"a": "http://me:secret@h/{trace_id}"}, "credentials"),
        ({"a": "http://h/ {trace_id}"}, "without spaces"),
        ({"a": "http://h/ü{trace_id}"}, "without spaces"),
        ({"a": "http://h/{trace_id}" + "x" * 2_000}, "longer than"),
    ],
)
def test_what_is_no_template_is_said(given: Any, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        trace_links(given)


def test_every_mistake_is_named_by_its_link() -> None:
    with pytest.raises(LinkMistakes) as told:
        trace_links({"a": "http://h/", "b": 1, "fine": "http://h/{task_id}"})
    assert told.value.of_links.keys() == {"a", "b"}
