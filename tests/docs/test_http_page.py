"""docs/reference/http.md names every field that the admin API's records have, and no other; and
`subagentctl` shows none that they do not have."""

import csv
import re
from datetime import datetime

import pytest
from tests.docs import repository

from subagent_sidecar.core.model import Run, RunStatus, Task, TaskRecord, TaskStatus, UsageEntry
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.policy_state import state
from subagent_sidecar.core.report import AgentRuns, Report, ReportQuery
from subagent_sidecar.core.report_advice import BREAK_EVEN, KINDS
from subagent_sidecar.core.report_words import report_words
from subagent_sidecar.core.sessions import SessionLine
from subagent_sidecar.core.spans_seen import SeenSpan
from subagent_sidecar.proxy.admin_policy import policy_json
from subagent_sidecar.proxy.admin_spans import span_json
from subagent_sidecar.proxy.session_json import session_json
from subagent_sidecar.proxy.task_json import task_json
from subagentctl.render import tasks_csv
from subagentctl.testing import make_task

PAGE = repository.read("docs/reference/http.md")
WORD = re.compile(r"`([a-z_]+)(?:\[\])?`")

AT = "2026-11-23T03:00:00.000000Z"
TASK = Task(
    task_id="t",
    upstream="default",
    agent_name="researcher",
    status=TaskStatus.RUNNING,
    session_id="s",
    supervisor="anonymous",
    created_at=AT,
    last_updated_at=AT,
)
RUN = Run(run_id="r", task_id="t", kind="start", status=RunStatus.RUNNING, created_at=AT)
USED = UsageEntry(
    task_id="t", message_id="m", run_id="r", at=AT, model=None, input_tokens=1, output_tokens=1
)
SHOWN = task_json(
    TaskRecord(task=TASK, runs=(RUN,), short_id="t", usage=(USED,)), unknown_since=None
)

SESSION = session_json(
    SessionLine(session_id="s", supervisor="a", live=0, tasks=0, first_at=AT, last_sign_at=AT),
    Policy(),
    datetime.fromisoformat(AT),
)
REPORT = report_words(
    Report(agents=(AgentRuns(agent_name="a"),)),
    ReportQuery(since=AT, now=AT),
    Policy(),
    BREAK_EVEN,
)


def table(heading: str) -> dict[str, str]:
    """The table under `### heading`: what its second column says, by each name in the first."""
    under = PAGE.split(f"### {heading}\n")[1].split("\n##")[0]
    rows = [line.split(" | ", 1) for line in under.splitlines() if line.startswith("| `")]
    return {name: row[1] for row in rows for name in WORD.findall(row[0])}


@pytest.mark.parametrize(
    ("heading", "fields"),
    [
        ("A task", SHOWN.keys()),
        ("A session", SESSION.keys()),
        ("A span", span_json(SeenSpan("s", None, "t", None, "n", "v", 0, 0)).keys()),
        ("Usage", SHOWN["usage"].keys()),
        ("The policy", policy_json(state(Policy(), names=(), files=(), at=AT), 5.0).keys()),
        ("A report", REPORT["agents"][0].keys() | set(KINDS)),
    ],
)
def test_every_field_is_listed(heading: str, fields: list[str]) -> None:
    assert table(heading).keys() == set(fields)


def test_every_field_of_a_run_is_listed() -> None:
    listed = re.search(r"`([a-z_ ]+)`", table("A task")["runs"])
    assert listed is not None
    assert set(listed[1].split()) == SHOWN["runs"][0].keys()


def test_every_column_of_the_csv_is_a_field() -> None:
    [header] = csv.reader(tasks_csv([]).splitlines())
    counted = {"superseded_runs"}
    assert set(header) - counted <= SHOWN.keys() | SHOWN["usage"].keys()


def test_the_tests_of_the_cli_know_no_field_that_there_is_not() -> None:
    assert make_task().keys() <= SHOWN.keys()
