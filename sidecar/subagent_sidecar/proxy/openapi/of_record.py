"""The routes of what is on record: tasks, sessions, events, the past."""

from collections.abc import Iterator

from ...core.decisions import Verdict
from ...core.model import TaskStatus
from ...core.spans_seen import OF_ONE_TASK
from . import answers
from .kinds import COUNT, FLAG, NAME, body, one_of, ref, several, words
from .operation import (
    AGENT,
    ALL,
    CURSOR,
    HOW,
    ID,
    NUMBER,
    REASON,
    SESSION,
    SESSION_ID,
    SINCE,
    SUPERVISOR,
    TASK,
    UPSTREAM,
    Operation,
    Parameter,
    limit,
    query,
)

_TREE = Parameter(
    name="id",
    schema=ID,
    says="a task's id or any unique begin or end of it, or the id of a trace",
    where="path",
    required=True,
)
_SELECTORS = ("session", "agent", "upstream", "supervisor")
_UP_TO_A_DAY = {
    "type": "string",
    "pattern": r"^(\d{1,4}(ms|s)|\d{1,3}m|(\d|1\d|2[0-4])h|1d)$",
    "examples": ["30s", "2m"],
}


def tasks() -> Iterator[Operation]:
    yield Operation(
        method="get",
        path="/v1/tasks",
        name="listTasks",
        says="Tasks, newest first.",
        answer=answers.TASKS,
        parameters=(
            SESSION,
            AGENT,
            UPSTREAM,
            SUPERVISOR,
            query("status", "in any of these", words(*TaskStatus), listed=True),
            query("since", "only those made then or later", SINCE),
            ALL,
            limit(1_000, 50),
            CURSOR,
        ),
        refusals=(400,),
    )
    yield Operation(
        method="get",
        path="/v1/tasks/{task_id}",
        name="showTask",
        says="One task: its record, its runs, its newest events.",
        answer=answers.TASK,
        parameters=(TASK,),
        refusals=(400, 404, 409),
    )
    yield Operation(
        method="get",
        path="/v1/tasks/{task_id}/spans",
        name="listSpans",
        says="What others told of a task over OTLP, the newest that this process remembers.",
        answer=answers.SPANS,
        parameters=(TASK, limit(OF_ONE_TASK, OF_ONE_TASK)),
        refusals=(400, 404, 409),
    )
    yield Operation(
        method="get",
        path="/v1/traces/{id}",
        name="showTrace",
        says="A tree of tasks with what happened to it, and where else to look at it.",
        answer=answers.TRACE,
        parameters=(_TREE, limit(1_000, 200), CURSOR),
        refusals=(400, 404, 409),
    )
    yield Operation(
        method="post",
        path="/v1/tasks/{task_id}/cancel",
        name="cancelTask",
        says="Cancels one task, and says how it really ended.",
        answer=ref("End"),
        parameters=(TASK,),
        body=body(HOW, examples=[{"reason": "not needed any more", "wait_s": 10}]),
        refusals=(400, 404, 409, 413, 415),
    )
    yield Operation(
        method="post",
        path="/v1/cancel",
        name="cancelTasks",
        says="Cancels many: those that are named, those that fit, or all. One of the three.",
        answer=answers.ENDS,
        body=one_of(
            body({**HOW, "task_ids": several(ID, maxItems=1_000)}, required=("task_ids",)),
            body({**HOW, "all": {"const": True}}, required=("all",)),
            body(
                {**HOW, **dict.fromkeys(_SELECTORS, NAME)},
                anyOf=[{"required": [name]} for name in _SELECTORS],
            ),
            examples=[{"agent": "researcher", "reason": "it loops"}, {"all": True}],
        ),
        refusals=(400, 404, 409, 413, 415),
    )


def sessions() -> Iterator[Operation]:
    yield Operation(
        method="get",
        path="/v1/sessions",
        name="listSessions",
        says="Sessions, those with live tasks first, then by their last sign of life.",
        answer=answers.SESSIONS,
        parameters=(
            SESSION,
            AGENT,
            UPSTREAM,
            SUPERVISOR,
            ALL,
            limit(1_000, 50),
            CURSOR,
        ),
        refusals=(400,),
    )
    yield Operation(
        method="post",
        path="/v1/sessions/{session_id}/end",
        name="endSession",
        says="Ends a session as its supervisor could, and says what that ends.",
        answer=answers.SESSION_END,
        parameters=(SESSION_ID, query("supervisor", "whose, where several have one")),
        body=body({"reason": REASON}, examples=[{"reason": "its host is gone"}]),
        refusals=(400, 404, 409, 413, 415),
    )


def record() -> Iterator[Operation]:
    yield Operation(
        method="get",
        path="/v1/events",
        name="readEvents",
        says="What happens to tasks: a stream, unless `follow=false` or JSON is asked for. At most "
        "one of `after`, `since` and `last`.",
        answer=answers.EVENTS,
        media={"text/event-stream": {}},
        parameters=(
            query("after", "what comes behind the event of this number", NUMBER),
            query("since", "what happened then or later", SINCE),
            query("last", "the newest so many", {**COUNT, "maximum": 1_000}),
            query("task", "only of this task: its id, or a part of it", ID),
            SESSION,
            AGENT,
            UPSTREAM,
            query("kind", "only of these kinds", NAME, listed=True),
            limit(1_000, 100),
            query("follow", "whether to go on for ever", FLAG),
            Parameter(
                name="Last-Event-ID",
                schema=NUMBER,
                says="the number of the last event that a stream was read up to",
                where="header",
            ),
        ),
        refusals=(400, 404, 409),
    )
    yield Operation(
        method="get",
        path="/v1/starts",
        name="readStarts",
        says="The runs on record, by the age of their tasks.",
        answer=answers.STARTS,
        parameters=(
            query("since", "without those of tasks that had ended before", SINCE),
            query("after", "`next_after` of the page before"),
            limit(2_000, 1_000),
        ),
        refusals=(400,),
    )
    yield Operation(
        method="get",
        path="/v1/decisions",
        name="readDecisions",
        says="What spoke against starts.",
        answer=answers.DECISIONS,
        parameters=(
            query("task", "only on this thread"),
            SESSION,
            AGENT,
            query("verdict", "only such", words(*Verdict)),
            query("since", "only then or later", SINCE),
            query("order", "which come first", words("newest", "oldest")),
            CURSOR,
            limit(1_000, 50),
        ),
        refusals=(400,),
    )
    yield Operation(
        method="get",
        path="/v1/report",
        name="report",
        says="How agents did, and what to make of it.",
        answer=answers.REPORT,
        parameters=(
            query("since", "of runs that ended then or later; seven days ago if unsaid", SINCE),
            AGENT,
            UPSTREAM,
            SESSION,
            query("break_even", "what takes less is better done inline", _UP_TO_A_DAY),
        ),
        refusals=(400,),
    )
