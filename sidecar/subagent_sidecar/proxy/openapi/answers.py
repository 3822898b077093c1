"""What each route answers, made of the records."""

from ...core.policy import Mode
from ...core.report_advice import KINDS
from .governing import CHECK_FIELDS, WHAT
from .kinds import (
    AMOUNT,
    ANY_OBJECT,
    COUNT,
    FLAG,
    MOMENT,
    NAME,
    RATE,
    SECONDS,
    TEXT,
    Schema,
    by_name,
    maybe,
    record,
    ref,
    several,
    words,
)
from .records import STATUS

TASKS = record({"tasks": several(ref("Task")), "next_cursor": maybe(TEXT), "hidden": COUNT})
TASK = record({"task": ref("Task"), "events": several(ref("Event")), "links": by_name(TEXT)})
SPANS = record({"task_id": NAME, "spans": several(ref("SpanOfOthers"))})
TRACE = record(
    {
        "trace_id": maybe(TEXT),
        "task_id": maybe(TEXT),
        "now": MOMENT,
        "tasks": several(ref("Task")),
        "total": COUNT,
        "events": several(ref("Event")),
        "refusals": several(
            record(
                {
                    "at": MOMENT,
                    "kind": words("refused"),
                    "task_id": maybe(TEXT),
                    "detail": ANY_OBJECT,
                }
            )
        ),
        "spans": several(ref("SpanOfATask")),
        "links": by_name(TEXT),
        "next_cursor": maybe(TEXT),
    }
)
ENDS = record({"tasks": several(ref("End")), "more": FLAG})
SESSIONS = record({"sessions": several(ref("Session")), "next_cursor": maybe(TEXT)})
SESSION_END = record(
    {
        "session_id": TEXT,
        "supervisor": TEXT,
        "ended_at": maybe(MOMENT),
        "ended_by": maybe(TEXT),
        "reason": maybe(TEXT),
        "again": FLAG,
        "tasks": several(
            record(
                {
                    "task_id": NAME,
                    "short_id": NAME,
                    "agent_name": TEXT,
                    "upstream": TEXT,
                    "status": STATUS,
                    "on_session_end": words("abandon", "request_cancel", "terminate"),
                    "rule": maybe(TEXT),
                }
            )
        ),
        "more": FLAG,
    }
)
EVENTS = record(
    {
        "events": several(ref("ToldEvent")),
        "after": COUNT,
        "more": FLAG,
        "gap": maybe(
            record({"kind": words("gap"), "after": COUNT, "pruned": maybe(COUNT), "reason": TEXT})
        ),
    }
)
STARTS = record(
    {"starts": several(ref("Start")), "next_after": maybe(TEXT), "whole_from": maybe(MOMENT)}
)
DECISIONS = record({"decisions": several(ref("Decision")), "next_cursor": maybe(TEXT)})
_POLICY: dict[str, Schema] = {
    "files": several(TEXT),
    "version": {"type": "string", "pattern": "^[0-9a-f]{12}$"},
    "loaded_at": MOMENT,
    "reloads": COUNT,
    "failed_reloads": COUNT,
    "failed": maybe(record({"at": MOMENT, "problems": several(TEXT)})),
    "policy": ANY_OBJECT,
    "origins": by_name(TEXT),
    "reap_interval_s": SECONDS,
}
POLICY = record(_POLICY)
RELOADED = record({**_POLICY, "changed": FLAG})
BUDGETS = record({"budgets": several(ref("Budget")), "rules": several(TEXT), "more": FLAG})
RAISED = record({"budget": ref("Budget"), "not_on_record": maybe(ref("NotOnRecord"))})
FROZEN = record({"frozen": several(ref("Freeze"))})
FREEZES = record({"frozen": several(ref("Freeze")), "not_on_record": maybe(ref("NotOnRecord"))})
REAPS = record({"dry_run": FLAG, "reap_interval_s": SECONDS, "reaps": several(ref("Reap"))})
AUDIT = record({"upstreams": several(ref("Audited")), "ghosts": several(ref("Ghost"))})
_ADOPTION = record({"upstream": TEXT, "task_id": NAME, "agent_name": TEXT, "problem": maybe(TEXT)})
ADOPTED = record(
    {
        "upstreams": several(ref("Audited")),
        "adopted": several(_ADOPTION),
        "left": several(_ADOPTION),
    }
)
_VERDICT = record(
    {
        "let_in": FLAG,
        "code": maybe(TEXT),
        "rule": maybe(TEXT),
        "message": maybe(TEXT),
        "would_refuse": several(TEXT),
    }
)
_ASKED = record({"rule": TEXT, "what": WHAT, "current": AMOUNT, "limit": AMOUNT})
EXPLAINED = record(
    {
        "call": ref("Call"),
        "rules": several(
            record(
                {
                    **CHECK_FIELDS,
                    "kind": words("limit", "budget", "freeze"),
                    "verdict": words("lets_in", "refuses", "would_refuse"),
                    "asked_of": several(words("start", "repeat", "update")),
                }
            )
        ),
        "lifecycle": several(
            record(
                {
                    "setting": NAME,
                    "value": {},
                    "rule": TEXT,
                    "policy": TEXT,
                    "mode": words(*Mode),
                }
            )
        ),
        "verdicts": {
            "type": "object",
            "properties": dict.fromkeys(("start", "repeat", "update"), _VERDICT),
            "required": ["start"],
        },
        "decisions": several(ref("Decision")),
        "task": maybe(
            record(
                {
                    "task_id": NAME,
                    "short_id": NAME,
                    "agent_name": TEXT,
                    "session_id": TEXT,
                    "status": STATUS,
                    "admitted": several(
                        record(
                            {"run_id": NAME, "kind": TEXT, "at": MOMENT, "asked": several(_ASKED)}
                        )
                    ),
                }
            )
        ),
    }
)
REPORT = record(
    {
        "since": MOMENT,
        "until": MOMENT,
        "whole_from": maybe(MOMENT),
        "break_even_s": SECONDS,
        "least_runs": COUNT,
        "agents": several(ref("AgentReport")),
        "left_out": COUNT,
        "sessions": several(
            record(
                {
                    "session_id": TEXT,
                    "supervisor": TEXT,
                    "tasks": COUNT,
                    "polls": COUNT,
                    "polls_per_minute": maybe(RATE),
                }
            )
        ),
        "advice": several(
            record(
                {
                    "kind": words(*KINDS),
                    "agent_name": maybe(TEXT),
                    "session_id": maybe(TEXT),
                    "supervisor": maybe(TEXT),
                    "setting": maybe(TEXT),
                    "message": TEXT,
                }
            )
        ),
    }
)
HEALTH = record({"status": words("ok")})
READY = record({"status": words("ok"), "store": TEXT})
NOT_READY = record({"status": words("not ready"), "reason": TEXT})
PROBLEM: Schema = {
    **record(
        {
            "error": NAME,
            "code": {**NAME, "description": "the same; see docs/reference/errors.md"},
            "message": TEXT,
            "detail": {**TEXT, "description": "the same as `message`"},
            "retry_after_s": maybe(RATE),
            "request_id": NAME,
            "candidates": several(
                {
                    "anyOf": [
                        TEXT,
                        record({"supervisor": TEXT, "session_id": TEXT}),
                    ]
                }
            ),
            "problems": several(TEXT),
            "text": {**TEXT, "description": "of a tool: what its model is given"},
        },
        optional=("candidates", "problems", "text"),
    ),
    "examples": [
        {
            "error": "task_not_found",
            "code": "task_not_found",
            "message": "no task's id begins or ends with '55a9f'",
            "detail": "no task's id begins or ends with '55a9f'",
            "retry_after_s": None,
            "request_id": "3f1c0d5e",
        }
    ],
}
