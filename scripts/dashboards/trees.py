"""Tasks, sessions and their traces: tables of our own spans, and one trace whole.

Metrics carry no ids, so the tables are made of traces (TraceQL, in Tempo). That needs the export of
traces: docs/tracing.md.
"""

from collections.abc import Sequence

from scripts.dashboards.board import AGENT, JOB, METRICS, TRACES, UPSTREAM, Board, Row, textbox
from scripts.dashboards.kinds import (
    graph,
    heat,
    organized,
    override,
    table,
    trace,
)
from scripts.dashboards.panels import (
    NANOSECONDS,
    SECONDS,
    USD,
    Json,
    Panel,
    Query,
    TraceQuery,
)
from scripts.dashboards.queries import quantile

from subagent_sidecar.core import span_names as named
from subagent_sidecar.core.metrics import instruments as of

_HERE = "/d/subagent-trees?${__url_time_range}&${traces:queryparam}&${metrics:queryparam}"
_NAMES = {
    "time": "When",
    "duration": "Took",
    named.AGENT: "Agent",
    named.TASK: "Task",
    named.TREE: "Tree",
    named.SESSION: "Session",
    named.DEPTH: "Depth",
    named.UPSTREAM: "Upstream",
    named.RUN_STATUS: "Ended",
    named.ERROR: "Why",
    named.INPUT_TOKENS: "Input",
    named.OUTPUT_TOKENS: "Output",
    named.MODEL: "Model",
    named.POLLS: "Polls",
    named.QUEUED: "In the queue",
    named.ENDED_BY: "Ended by",
    named.REASON: "Reason",
    named.RULE: "Rule",
    named.LIMIT: "Limit",
    named.CURRENT: "In use",
    named.TIMES: "Times",
    "Cost": "Cost",
    "spanID": "Span",
}
_HIDDEN = ["traceService", "traceName", "name", named.COST]


def _where(*conditions: str, columns: Sequence[str], placed: bool = True) -> TraceQuery:
    """Spans of the sidecar that the variables of the dashboard leave. `placed`: they are about a
    task, and so know its tree and its upstream. What a span does not say matches nothing."""
    filters = [f'span.{named.SESSION} =~ ".*${{session:raw}}.*"', f'span.{named.AGENT} =~ "$agent"']
    if placed:
        filters.append(f'span.{named.TREE} =~ ".*${{tree:raw}}.*"')
        filters.append(f'span.{named.UPSTREAM} =~ "$upstream"')
    told = ", ".join(f"span.{column}" for column in columns)
    return TraceQuery(query=f"{{ {' && '.join([*conditions, *filters])} }} | select({told})")


def _table(title: str, says: str, query: TraceQuery, columns: Sequence[str], **more: int) -> Panel:
    order = ["time", *columns, "Cost", "duration", "spanID"]
    return table(
        title,
        says,
        query,
        sort="When",
        transformations=[
            {
                "id": "convertFieldType",
                "options": {
                    "conversions": [
                        {"destinationType": "number", "targetField": column}
                        for column in (*_NUMBERS, named.COST)
                        if column in columns or column == named.COST
                    ],
                    "fields": {},
                },
            },
            *([_DOLLARS] if named.COST in columns else []),
            organized(order, {c: _NAMES[c] for c in order if c in _NAMES}, hide=_HIDDEN),
        ],
        overrides=_OVERRIDES,
        **more,
    )


_NUMBERS = (
    named.DEPTH,
    named.INPUT_TOKENS,
    named.OUTPUT_TOKENS,
    named.POLLS,
    named.QUEUED,
    named.LIMIT,
    named.CURRENT,
    named.TIMES,
)
_DOLLARS = {
    "id": "calculateField",
    "options": {
        "alias": "Cost",
        "binary": {
            "left": {"matcher": {"id": "byName", "options": named.COST}},
            "operator": "/",
            "right": {"fixed": "1000000"},
        },
        "mode": "binary",
        "reduce": {"reducer": "sum"},
        "replaceFields": False,
    },
}
"""Spans tell it in millionths of a dollar, as whole numbers."""


def _link(title: str, variable: str, value: str = "${__value.raw}") -> list[Json]:
    return [{"title": title, "url": f"{_HERE}&var-{variable}={value}", "targetBlank": False}]


_WHOLE = _link("Its whole trace, below", "trace", '${__data.fields["traceIdHidden"]}')
_OVERRIDES = [
    override("Task", links=_WHOLE, custom__width=300),
    override("Tree", links=_link("Only this tree", "tree")),
    override("Session", links=_link("Only this session", "session")),
    override("Took", unit=NANOSECONDS, custom__width=110),
    override("In the queue", unit=SECONDS),
    override("Cost", unit=USD),
    override("When", custom__width=170),
]

_STARTED = [named.AGENT, named.TASK, named.SESSION, named.DEPTH, named.TREE, named.UPSTREAM]
_RUNS = [
    *[named.AGENT, named.TASK, named.SESSION, named.RUN_STATUS, named.ERROR, named.MODEL],
    *[named.INPUT_TOKENS, named.OUTPUT_TOKENS, named.COST, named.QUEUED, named.POLLS, named.TREE],
]
_CUT_SHORT = [named.AGENT, named.TASK, named.SESSION, named.RULE, named.REASON]
_NEVER = [
    *[named.AGENT, named.SESSION, named.ERROR, named.RULE, named.LIMIT, named.CURRENT],
    named.TIMES,
]
_RUN_SPAN = f'span.{named.OPERATION} = "{named.INVOKE_AGENT}"'


def tasks() -> Row:
    return Row(
        title="Tasks",
        panels=[
            _table(
                "Started",
                "Tasks as they start, the newest first: within seconds, while they run. A task's "
                "link shows its trace below; its session's and its tree's leave only theirs. "
                "Empty: does the sidecar export traces (--otlp-endpoint), and here?",
                _where('name =~ "start_async_task .*"', columns=_STARTED),
                _STARTED,
            ),
            _table(
                "Runs that have ended",
                "With what they used, how long they waited and how often they were polled.",
                _where(_RUN_SPAN, columns=_RUNS),
                _RUNS,
            ),
        ],
    )


def one() -> Row:
    return Row(
        title="One trace",
        panels=[
            trace(
                "Trace $trace",
                "The trace that was chosen above, or whose id stands in the box *Trace*: all of a "
                "tree of tasks. `subagentctl task ID -o json` tells a task's `trace_id`. A run "
                "that goes on is not in it yet: its span comes when it ends.",
                TraceQuery(query="${trace:raw}"),
                width=24,
                height=16,
            )
        ],
    )


def troubles() -> Row:
    return Row(
        title="What went wrong, or was stopped",
        panels=[
            _table(
                "Runs that failed",
                "Runs that did not come to a result, and why: `error` and `timeout` are the "
                "server's, the others say who ended them.",
                _where(_RUN_SPAN, "status = error", columns=_RUNS),
                _RUNS,
            ),
            _table(
                "Cancelled and reaped",
                "Who asked for the end of a run, by which rule, and why.",
                _where('name =~ "(cancel|reap)_async_task .*"', columns=_CUT_SHORT),
                _CUT_SHORT,
                width=12,
            ),
            _table(
                "Never begun",
                "Starts that a policy refused, with its numbers (`subagentctl policy explain` "
                "says more), and those that came to nothing at the server.",
                _where(
                    'name =~ "(refuse|start)_async_task .*"',
                    "status = error",
                    columns=_NEVER,
                    placed=False,
                ),
                _NEVER,
                width=12,
            ),
        ],
    )


def durations() -> Row:
    return Row(
        title="From a figure to a trace",
        panels=[
            graph(
                "How long runs are at work, by agent, 95 %",
                "The dots are single runs: each has a link to its trace, where the data source "
                "has one set up for exemplars.",
                Query(
                    expr=quantile(0.95, of.RUN_DURATION, "agent"),
                    legend="{{agent}}",
                    exemplars=True,
                ),
                width=12,
                unit=SECONDS,
            ),
            heat(
                "How long runs are at work",
                "How many fell into each span of time.",
                of.RUN_DURATION,
                width=12,
            ),
        ],
    )


_ANY = "Part of an id will do. Empty: all."

BOARD = Board(
    uid="subagent-trees",
    title="Subagents: sessions and trees",
    says="Tasks, whose they are, and their traces. The tables are made of traces in Tempo.",
    variables=(
        METRICS,
        TRACES,
        JOB,
        UPSTREAM,
        AGENT,
        textbox("session", "Session", _ANY),
        textbox("tree", "Tree", _ANY),
        textbox("trace", "Trace", "The id of the trace that is shown whole."),
    ),
    rows=[tasks(), one(), troubles(), durations()],
)
