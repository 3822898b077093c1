"""The routes of what is in force, of the levers, and of the process itself."""

from collections.abc import Iterator

from . import answers
from .kinds import (
    COUNT,
    DURATION,
    FLAG,
    NAME,
    TEXT,
    Schema,
    body,
    maybe,
    one_of,
    ref,
    several,
    words,
)
from .operation import HOW, ID, REASON, Operation, limit, query

_EVERYTHING: dict[str, Schema] = {"scope": {"const": "all"}, "id": {"type": "null"}}
_SOMEBODY: dict[str, Schema] = {"scope": words("agent", "session"), "id": NAME}
_RESEARCHER = {"scope": "agent", "id": "researcher"}


def policy() -> Iterator[Operation]:
    yield Operation(
        method="get",
        path="/v1/policy",
        name="showPolicy",
        says="What is in force.",
        answer=answers.POLICY,
    )
    yield Operation(
        method="post",
        path="/v1/policy/reload",
        name="reloadPolicy",
        says="Reads the policy files again: all of what they say is in force then, or none of it.",
        answer=answers.RELOADED,
        body=body({}),
        refusals=(400, 413, 415, 422),
    )
    yield Operation(
        method="get",
        path="/v1/policy/explain",
        name="explain",
        says="Which rules a start would meet, and what would be answered. Either of a `task`, or "
        "of an `agent` and what else is known.",
        answer=answers.EXPLAINED,
        parameters=(
            query("task", "another start like this task: its id, or a part of it", ID),
            query("agent", "a start of this agent", NAME),
            query("session", "by this session"),
            query("supervisor", "of this supervisor"),
            query("upstream", "on this upstream"),
            query("depth", "at this depth", {**COUNT, "maximum": 1_000}),
        ),
        refusals=(400, 404, 409),
    )
    yield Operation(
        method="get",
        path="/v1/budgets",
        name="listBudgets",
        says="How budgets stand, the 200 scopes that have used the largest share of theirs.",
        answer=answers.BUDGETS,
        parameters=(query("rule", "only this budget"),),
        refusals=(400, 404),
    )
    yield Operation(
        method="post",
        path="/v1/budgets/raise",
        name="raiseBudget",
        says="Adds to a budget in one scope, for good.",
        answer=answers.RAISED,
        body=body(
            {
                "rule": NAME,
                "scope_id": NAME,
                "usd": {"type": "string", "pattern": r"^\d{1,9}(\.\d{1,6})?$"},
                "tokens": {"type": "integer", "minimum": 1, "maximum": 10**15},
                "run_time": DURATION,
                "runs": {"type": "integer", "minimum": 1, "maximum": 10**15},
            },
            required=("rule",),
            examples=[{"rule": "session-usd", "scope_id": "s1", "usd": "5"}],
        ),
        refusals=(400, 404, 409, 413, 415),
    )


def levers() -> Iterator[Operation]:
    yield Operation(
        method="get",
        path="/v1/freeze",
        name="listFreezes",
        says="What is frozen.",
        answer=answers.FROZEN,
    )
    yield Operation(
        method="post",
        path="/v1/freeze",
        name="freeze",
        says="The kill switch: the very next start is refused. `id` is for an agent or a session.",
        answer=answers.FREEZES,
        body=one_of(
            body({**_EVERYTHING, "reason": REASON}, required=("scope",)),
            body({**_SOMEBODY, "reason": REASON}, required=("scope", "id")),
            examples=[{**_RESEARCHER, "reason": "it loops"}, {"scope": "all"}],
        ),
        refusals=(400, 413, 415),
    )
    yield Operation(
        method="post",
        path="/v1/unfreeze",
        name="unfreeze",
        says="Lifts one freeze.",
        answer=answers.FROZEN,
        body=one_of(
            body(_EVERYTHING, required=("scope",)),
            body(_SOMEBODY, required=("scope", "id")),
            examples=[_RESEARCHER],
        ),
        refusals=(400, 404, 413, 415),
    )
    yield Operation(
        method="post",
        path="/v1/reap",
        name="reap",
        says="Ends what lifecycle rules say is stale or orphaned now; or says what would be ended.",
        answer=answers.REAPS,
        parameters=(query("dry_run", "end nothing", FLAG),),
        body=body({"wait_s": HOW["wait_s"]}, examples=[{"wait_s": 5}]),
        refusals=(400, 413, 415),
    )
    yield Operation(
        method="get",
        path="/v1/audit",
        name="audit",
        says="Asks the agent servers for what is not on record. It may take two minutes.",
        answer=answers.AUDIT,
        parameters=(query("upstream", "only this one"), limit(1_000, 200)),
        refusals=(400, 404),
    )
    yield Operation(
        method="post",
        path="/v1/audit",
        name="adopt",
        says="Looks again, and puts on record what it finds.",
        answer=answers.ADOPTED,
        body=body(
            {"upstream": maybe(TEXT), "adopt": {"anyOf": [words("all"), several(ID, minItems=1)]}},
            required=("adopt",),
            examples=[{"adopt": "all"}],
        ),
        refusals=(400, 404, 409, 413, 415),
    )


def process() -> Iterator[Operation]:
    yield Operation(
        method="get",
        path="/metrics",
        name="metrics",
        says="Metrics for Prometheus, in the format that `Accept` asks for.",
        answer={},
        media={"text/plain": TEXT, "application/openmetrics-text": TEXT},
    )
    yield Operation(
        method="get",
        path="/healthz",
        name="healthz",
        says="Whether the process is up.",
        answer=answers.HEALTH,
    )
    yield Operation(
        method="get",
        path="/readyz",
        name="readyz",
        says="Whether the store can be read.",
        answer=answers.READY,
        others={503: {"anyOf": [answers.NOT_READY, ref("Problem")]}},
    )
    yield Operation(
        method="get",
        path="/openapi.json",
        name="openapi",
        says="This.",
        answer={"type": "object"},
    )
