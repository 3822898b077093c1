"""What a report comes to: advice with the numbers it rests on.

| kind | given when |
|---|---|
| `longer_clock` | the `run` clock ended runs, and those that finish come near it |
| `no_clock` | nothing ends a run that hangs |
| `shorter_clock` | the `run` clock is more than TOO_LONG times what runs take |
| `keep_inline` | the 95th percentile is under the break-even |
| `busy_poll` | a session asks after its tasks more than BUSY times a minute |

Nothing is advised on few runs: see LEAST_RUNS and LEAST_FOR_P99.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from .report import AgentRuns, Report, SessionPolls, polls_per_minute
from .units import duration_text

BREAK_EVEN = timedelta(seconds=30)
"""Under that a task is better done inline. To have one done in the background costs a supervisor's
model two turns at least, to start it and to fetch the result, each some seconds and all of its
context; and the result lies there until it asks."""

LEAST_RUNS = 20
"""Of fewer the 95th percentile is the longest of all: one run more may change it."""

LEAST_FOR_P99 = 100
"""Likewise for the 99th."""

TOO_LONG = 10
NEAR = 2
"""A clock that is less than NEAR times the 95th percentile ends runs that were about to finish."""

BUSY = 6.0
"""Questions a minute after one task: one every ten seconds. A run that is worth starting in the
background takes longer, and where a model asks each question is a turn of it."""

_NICE = tuple(
    timedelta(seconds=seconds)
    for seconds in (1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400)
)
_SHORTEST_CLOCK = timedelta(minutes=1)
_MOST_SHARED = timedelta(seconds=10)
_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """About an agent, or about a session. `setting` is what to write into a policy file."""

    kind: str
    message: str
    agent_name: str | None = None
    session_id: str | None = None
    supervisor: str | None = None
    setting: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Clock:
    """What the policy in force says of an agent's `run` clock. `said` is False where it differs
    from one upstream to the next; `limit` is None where it is off."""

    said: bool = True
    limit: timedelta | None = None


ClockOf = Callable[[AgentRuns], Clock]
KINDS = ("longer_clock", "busy_poll", "keep_inline", "no_clock", "shorter_clock")
"""The most urgent first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adviser:
    """`clock_of` is asked of agents that there is enough known of."""

    clock_of: ClockOf
    break_even: timedelta = BREAK_EVEN
    busy: float = field(default=BUSY)

    def of(self, report: Report) -> list[Advice]:
        """What is most urgent comes first; of one kind what most is known of."""
        found = [advice for agent in report.agents for advice in self._of_agent(agent)]
        found += [advice for session in report.sessions for advice in self._of_session(session)]
        return sorted(found, key=lambda advice: KINDS.index(advice.kind))

    def _of_agent(self, agent: AgentRuns) -> Iterator[Advice]:
        if agent.ran is None or agent.ran.of < LEAST_RUNS:
            return
        if _span(agent.ran.p95) < self.break_even:
            yield _keep_inline(agent, self.break_even)
        clock = self.clock_of(agent)
        if clock.said:
            yield from _clock(agent, clock.limit)

    def _of_session(self, session: SessionPolls) -> Iterator[Advice]:
        rate = polls_per_minute(session.polls, session.live_ms)
        if rate is not None and rate > self.busy:
            yield _busy_poll(session, rate)


def _keep_inline(agent: AgentRuns, break_even: timedelta) -> Advice:
    ran = agent.ran
    assert ran is not None, "asked only of what is known"
    return Advice(
        kind="keep_inline",
        agent_name=agent.agent_name,
        message=(
            f"{agent.agent_name}: 95 of 100 of its {ran.of:,} runs are done within "
            f"{_text(ran.p95)}, half within {_text(ran.p50)}. Below {duration_text(break_even)} "
            "it takes a supervisor longer to start a task and to fetch the result than to have it "
            "done inline"
        ),
    )


def _clock(agent: AgentRuns, limit: timedelta | None) -> Iterator[Advice]:
    ran, cut_off = agent.ran, agent.reaped.get("run", 0)
    assert ran is not None, "asked only of what is known"
    if limit is not None and cut_off and limit < NEAR * _span(ran.p95):
        longer = _nice(max(NEAR * _span(ran.p95), limit * 3 / 2))
        yield _clock_advice(
            "longer_clock",
            agent,
            longer,
            f"{agent.agent_name}: the run clock ended {_runs(cut_off)} after "
            f"{duration_text(limit)}, and of the {ran.of:,} that finished 5 in 100 took "
            f"{_text(ran.p95)} or longer",
        )
    if ran.of < LEAST_FOR_P99:
        return
    shorter = max(_nice(3 * _span(ran.p99)), _SHORTEST_CLOCK)
    took = f"{agent.agent_name}: 99 of 100 of its {ran.of:,} runs are done within {_text(ran.p99)}"
    if limit is None:
        yield _clock_advice(
            "no_clock",
            agent,
            shorter,
            f"{took}, and no run clock ends one that hangs",
        )
    elif limit > TOO_LONG * _span(ran.p99) and shorter < limit:
        held = f"; {_runs(cut_off)} hung for all of it" if cut_off else ""
        yield _clock_advice(
            "shorter_clock",
            agent,
            shorter,
            f"{took}, and the run clock ends one that hangs after {duration_text(limit)}{held}",
        )


def _clock_advice(kind: str, agent: AgentRuns, value: timedelta, message: str) -> Advice:
    setting = f"run: {duration_text(value)}"
    return Advice(
        kind=kind,
        agent_name=agent.agent_name,
        message=f"{message}. Try `{setting}`",
        setting=setting,
    )


def _busy_poll(session: SessionPolls, rate: float) -> Advice:
    gap = timedelta(minutes=1) / rate
    shared = min(_nice(2 * gap), _MOST_SHARED)
    setting = f"polling: {{coalesce: {duration_text(shared)}}}"
    tasks = "a task" if session.tasks == 1 else f"{session.tasks:,} tasks"
    each = "" if session.tasks == 1 else " after each"
    nameless = " (callers that name none)" if session.session_id.startswith("default:") else ""
    return Advice(
        kind="busy_poll",
        session_id=session.session_id,
        supervisor=session.supervisor,
        message=(
            f"session {session.session_id}{nameless} asked {session.polls:,} times after {tasks}, "
            f"{rate:,.0f} times a minute{each}. Let it wait with a tool that waits, join the run, "
            "or pause longer between its questions. What it cannot be broken of can be kept from "
            f"the agent server: `{setting}`"
        ),
        setting=setting,
    )


def _span(ms: int) -> timedelta:
    return timedelta(milliseconds=ms)


def _text(ms: int) -> str:
    """`0.4s`, `42s`, `3m 12s`, `2h 5m`."""
    seconds = ms / 1_000
    if seconds < 10:
        return f"{seconds:.1f}s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = [(hours, "h"), (minutes, "m"), (0 if hours else rest, "s")]
    return " ".join(f"{value}{unit}" for value, unit in parts if value)


def _nice(span: timedelta) -> timedelta:
    """The next length of time that a person would write."""
    for each in _NICE:
        if span <= each:
            return each
    return -(-span // _HOUR) * _HOUR


def _runs(number: int) -> str:
    return f"{number:,} run{'' if number == 1 else 's'}"
