"""How agents did: what a report asks the record, and what the record answers.

A report is about a stretch of time that ends now. What is counted, and over what:

| what | of |
|---|---|
| endings | runs that ended within it |
| run time, queue | those of them that came to their own end: `success`, `error`, `timeout`. A run that somebody cut off tells how long somebody waited, not how long the agent takes |
| usage | runs that ended within it, and those that have not ended |
| starts, refusals | what was asked for within it |
| polls | tasks that were live within it, with all the polls of their lives |

Agents and sessions are named by callers: no more of them than somebody can read are told, those
with the most runs or polls first.
"""  # noqa: E501 - a table

from collections.abc import Mapping
from dataclasses import dataclass, field

from .model import Timestamp

MOST_AGENTS = 200
MOST_SESSIONS = 20
POLLED_OFTEN = 20
"""Polls from which on a task says something of how its session polls: whoever asks a few times
after a short task asks often a minute, and harms nobody."""

PERCENTS = (50, 95, 99)

SUPERSEDED = "superseded"
"""How a run ended that a follow-up cut off: nobody wanted the task to end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportQuery:
    """What `since` then, and until `now`, was done of all that the filters match."""

    since: Timestamp
    now: Timestamp
    agent_name: str | None = None
    upstream: str | None = None
    session_id: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Times:
    """Percentiles of `of` lengths of time, in milliseconds: the shortest that so many percent of
    them do not exceed. So of fewer than twenty the 95th is the longest of all."""

    of: int
    p50: int
    p95: int
    p99: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentRuns:
    """The runs of one agent.

    `endings` are by how, `SUPERSEDED` among them; those that somebody cut off as `cancelled` are
    by whose act in `cancelled`, and those that the reaper did by the policy's key in `reaped`.
    `metered` runs have usage on record, `unpriced` ones messages without a price among it.
    `upstreams` are those that they were on.
    """

    agent_name: str
    runs: int = 0
    live: int = 0
    started: int = 0
    updated: int = 0
    endings: Mapping[str, int] = field(default_factory=dict)
    cancelled: Mapping[str, int] = field(default_factory=dict)
    reaped: Mapping[str, int] = field(default_factory=dict)
    ran: Times | None = None
    queued: Times | None = None
    tokens: int = 0
    cost_micro_usd: int = 0
    metered: int = 0
    unpriced: int = 0
    refused: Mapping[str, int] = field(default_factory=dict)
    would_refuse: int = 0
    tasks: int = 0
    polls: int = 0
    live_ms: int = 0
    upstreams: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPolls:
    """How often a session asked after those of its tasks that it asked after often; `live_ms` is
    for how long these were live, together."""

    session_id: str
    supervisor: str
    tasks: int
    polls: int
    live_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What the record says. `left_out` are agents beyond those that are told. `whole_from`: see
    core.past.StartPage."""

    agents: tuple[AgentRuns, ...] = ()
    left_out: int = 0
    sessions: tuple[SessionPolls, ...] = ()
    whole_from: Timestamp | None = None


FAILURES = ("error", "timeout", "server_lost")
"""What counts as an agent's failure: its own errors, its server's clock, its server's loss. A run
that was cancelled did not fail, and one that the reaper ended is told of by itself."""


def ended(agent: AgentRuns) -> int:
    return sum(agent.endings.values())


def failed(agent: AgentRuns) -> int:
    own = agent.endings.get("error", 0) + agent.endings.get("timeout", 0)
    return own + agent.cancelled.get("server_lost", 0)


def refused(agent: AgentRuns) -> int:
    return sum(agent.refused.values())


def share(part: int, whole: int) -> float | None:
    """None of nothing, for that is not known."""
    return part / whole if whole else None


def failure_rate(agent: AgentRuns) -> float | None:
    """Of what ended, without what was replaced by a follow-up: that went on."""
    return share(failed(agent), ended(agent) - agent.endings.get(SUPERSEDED, 0))


def refusal_rate(agent: AgentRuns) -> float | None:
    """Of what was asked for, follow-ups included."""
    no = refused(agent)
    return share(no, no + agent.started + agent.updated)


def polls_per_run(agent: AgentRuns) -> float | None:
    return share(agent.polls, agent.runs)


def polls_per_minute(polls: int, live_ms: int) -> float | None:
    """A minute of a task's life. What was shorter than a second is taken for a second."""
    return polls * 60_000 / max(live_ms, 1_000) if polls else (0.0 if live_ms else None)
