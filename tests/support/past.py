"""Starts and refusals as they would be on record, in a line each; one second a unit of time."""

from pathlib import Path
from typing import Any

import yaml
from tests.support.books import at

from subagent_sidecar.core.decisions import Decision, Verdict
from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.past import PastStart
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.policy_file import parse
from subagent_sidecar.yaml_file import Document


def rules(limits: str = "", budgets: str = "") -> Policy:
    """A policy of rules as a file has them, separated by semicolons."""
    found: dict[str, Any] = {"version": 1}
    for section, text in (("limits", limits), ("budgets", budgets)):
        found[section] = [yaml.safe_load("{" + rule + "}") for rule in text.split(";") if rule]
    return parse([Document(Path("p.yaml"), found, {})])


def started(
    second: float,
    task_id: str,
    *,
    until: float | None = None,
    run_id: str = "",
    began: float | None = None,
    left: float | None = None,
    parent: str | None = None,
    usd: float = 0.0,
    **facts: Any,
) -> PastStart:
    """A run that was at work from its start on, `until` then. It used a hundred tokens."""
    call = {"agent": "coder", "upstream": "up", "supervisor": "ann", "session": "s", "depth": 0}
    of_call = {key: facts.pop(key) for key in (*call, "fingerprint", "update") if key in facts}
    tree = facts.pop("tree", None)
    if parent is not None:
        of_call = {"session": parent, "depth": 1, **of_call}
    usual: dict[str, Any] = {
        "run_id": run_id or f"{task_id}-r",
        "at": at(second),
        "task_at": at(second),
        "request_id": f"q-{run_id or task_id}",
        "parent_task_id": parent,
        "started_at": at(second if began is None else began),
        "ended_at": None if until is None else at(until),
        "left_at": None if until is None else at(left or until),
        "tokens": 100,
        "cost_micro_usd": round(usd * 1_000_000),
        "settled": until is not None,
    }
    return PastStart(
        call=Call(**{**call, **of_call, "task_id": task_id, "tree_id": tree or parent or task_id}),
        **{**usual, **facts},
    )


def refused(second: float, intent_id: str, thread_id: str | None = None, **facts: Any) -> Decision:
    """A start that was refused on record."""
    call = {"agent": "coder", "upstream": "up", "supervisor": "ann", "session": "s", "depth": 0}
    seq, times = facts.pop("seq", 0), facts.pop("times", 1)
    verdict = facts.pop("verdict", Verdict.DENY)
    return Decision(
        at=at(second),
        intent_id=intent_id,
        verdict=verdict,
        call=Call(**{**call, **facts}),
        checks=(),
        thread_id=thread_id,
        rule="some",
        times=times,
        until=at(second) if times > 1 else None,
        seq=seq,
    )
