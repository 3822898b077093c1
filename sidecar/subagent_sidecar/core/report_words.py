"""A report as the admin plane tells it."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from .candidates import Key
from .matching import Call
from .model import EndedBy
from .policy import Policy
from .prices import usd_text
from .report import (
    SUPERSEDED,
    AgentRuns,
    Report,
    ReportQuery,
    SessionPolls,
    Times,
    ended,
    failed,
    failure_rate,
    polls_per_minute,
    polls_per_run,
    refusal_rate,
    refused,
)
from .report_advice import LEAST_RUNS, Advice, Adviser, Clock

_ENDINGS = ("success", "error", "timeout", "cancelled", SUPERSEDED)
_MOST_RULES = 20


def report_words(
    report: Report, query: ReportQuery, policy: Policy, break_even: timedelta
) -> dict[str, Any]:
    """Everything, rates and advice included; times in seconds, money as decimal text."""
    adviser = Adviser(clock_of=lambda agent: clock_of(policy, agent), break_even=break_even)
    return {
        "since": query.since,
        "until": query.now,
        "whole_from": report.whole_from,
        "break_even_s": break_even.total_seconds(),
        "least_runs": LEAST_RUNS,
        "agents": [_agent(agent, clock_of(policy, agent)) for agent in report.agents],
        "left_out": report.left_out,
        "sessions": [_session(session) for session in report.sessions],
        "advice": [_advice(advice) for advice in adviser.of(report)],
    }


def clock_of(policy: Policy, agent: AgentRuns) -> Clock:
    """The `run` clock of an agent's tasks, on the upstreams that they were on, as the policy has
    it for a supervisor and a session that no rule names."""
    found = {
        policy.lifecycle_for(
            Call(agent=agent.agent_name, upstream=upstream, supervisor="", session="")
        ).values.run
        for upstream in agent.upstreams
    }
    if len(found) != 1:
        return Clock(said=False)
    return Clock(limit=found.pop() or None)


def _agent(agent: AgentRuns, clock: Clock) -> dict[str, Any]:
    ran = agent.ran
    return {
        "agent_name": agent.agent_name,
        "upstreams": list(agent.upstreams),
        "started": agent.started,
        "updated": agent.updated,
        "live_runs": agent.live,
        "ended_runs": ended(agent),
        "endings": _all(_ENDINGS, agent.endings),
        "cancelled_by": _all(EndedBy, agent.cancelled),
        "reaped": _all(Key, agent.reaped),
        "failed": failed(agent),
        "failure_rate": _rate(failure_rate(agent)),
        "run_time_s": _times(ran),
        "queue_s": _times(agent.queued),
        "few": ran is None or ran.of < LEAST_RUNS,
        "run_clock_s": clock.limit.total_seconds() if clock.limit is not None else None,
        "refused": refused(agent),
        "refused_by": dict(list(agent.refused.items())[:_MOST_RULES]),
        "refusal_rate": _rate(refusal_rate(agent)),
        "would_refuse": agent.would_refuse,
        "tokens": agent.tokens,
        "cost_usd": _cost(agent),
        "metered_runs": agent.metered,
        "unpriced_runs": agent.unpriced,
        "tasks": agent.tasks,
        "polls": agent.polls,
        "polls_per_run": _rate(polls_per_run(agent)),
        "polls_per_minute": _rate(polls_per_minute(agent.polls, agent.live_ms)),
    }


def _cost(agent: AgentRuns) -> str | None:
    """What is known of it. None where that is nothing: no price is not the price 0."""
    known = agent.cost_micro_usd or agent.metered > agent.unpriced
    return usd_text(agent.cost_micro_usd) if known else None


def _session(session: SessionPolls) -> dict[str, Any]:
    return {
        "session_id": session.session_id,
        "supervisor": session.supervisor,
        "tasks": session.tasks,
        "polls": session.polls,
        "polls_per_minute": _rate(polls_per_minute(session.polls, session.live_ms)),
    }


def _advice(advice: Advice) -> dict[str, Any]:
    return {
        "kind": advice.kind,
        "agent_name": advice.agent_name,
        "session_id": advice.session_id,
        "supervisor": advice.supervisor,
        "setting": advice.setting,
        "message": advice.message,
    }


def _times(times: Times | None) -> dict[str, Any] | None:
    if times is None:
        return None
    return {
        "of": times.of,
        "p50": times.p50 / 1_000,
        "p95": times.p95 / 1_000,
        "p99": times.p99 / 1_000,
    }


def _all(words: Any, found: Mapping[str, int]) -> dict[str, int]:
    """Every word there can be, and what another version may have written."""
    return {**{str(word): 0 for word in words}, **found}


def _rate(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
