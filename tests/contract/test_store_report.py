"""What every store answers to reports (ports.Reports)."""

from dataclasses import replace

import pytest
from tests.support.books import accepted, at, start
from tests.support.reaping import reap_of
from tests.support.refusals import policy

from subagent_sidecar.core.candidates import Key, ReapClaim
from subagent_sidecar.core.changes import (
    CancelAsked,
    Polled,
    RunSeen,
    UsageSeen,
)
from subagent_sidecar.core.model import EndedBy, RunStatus, UsageEntry
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.core.report import (
    MOST_AGENTS,
    MOST_SESSIONS,
    AgentRuns,
    Report,
    ReportQuery,
    SessionPolls,
    Times,
)
from subagent_sidecar.ports import Store

RUNNING, SUCCESS = RunStatus.RUNNING, RunStatus.SUCCESS
ERROR, INTERRUPTED = RunStatus.ERROR, RunStatus.INTERRUPTED
ALL = ReportQuery(since=at(0), now=at(10_000))
NONE = policy("limits: [{name: none, match: {agent: '*'}, deny: true}]")


async def started(store: Store, second: float, task: str, **facts: str) -> None:
    """A task whose start was asked for and accepted in that second."""
    asked = start(1, task, **{"at": at(second), "intent_id": f"i-{task}", **facts})
    intent = await store.admit(asked)
    await store.apply([accepted(intent, f"{task}'s", second, thread_id=task)])


def seen(task: str, status: RunStatus, second: float) -> RunSeen:
    return RunSeen(thread_id=task, run_id=f"{task}'s", status=status, at=at(second))


async def ran(
    store: Store, task: str, began: float, ended: float, status: RunStatus = SUCCESS, **facts: str
) -> None:
    """A task that was asked for in second 1, seen at work and seen to end."""
    await started(store, 1, task, **facts)
    await store.apply([seen(task, RUNNING, began), seen(task, status, ended)])


async def one(store: Store, query: ReportQuery = ALL) -> AgentRuns:
    (agent,) = (await store.report(query)).agents
    return agent


async def test_of_nothing_there_is_nothing(store: Store) -> None:
    assert await store.report(ALL) == Report()


async def test_run_times_are_ranked_and_the_queue_is_apart(store: Store) -> None:
    for number in range(1, 101):
        await ran(store, f"t{number:03}", 3, 3 + number)
    agent = await one(store)
    assert agent.ran == Times(of=100, p50=50_000, p95=95_000, p99=99_000)
    assert agent.queued == Times(of=100, p50=2_000, p95=2_000, p99=2_000)


async def test_of_few_the_high_percentiles_are_the_longest(store: Store) -> None:
    for number, length in enumerate((1.5, 7.25, 4.0)):
        await ran(store, f"t{number}", 2, 2 + length)
    assert (await one(store)).ran == Times(of=3, p50=4_000, p95=7_250, p99=7_250)


async def test_a_run_nobody_saw_at_work_worked_all_its_life_and_did_not_queue(store: Store) -> None:
    await started(store, 1, "a")
    await store.apply([seen("a", SUCCESS, 5)])
    agent = await one(store)
    assert (agent.ran, agent.queued) == (Times(of=1, p50=4_000, p95=4_000, p99=4_000), None)


async def test_who_was_cut_off_says_nothing_of_how_long_it_takes(store: Store) -> None:
    await ran(store, "a", 2, 12)
    for task, by in (("b", EndedBy.OPERATOR), ("c", EndedBy.SUPERVISOR), ("d", EndedBy.OPERATOR)):
        await started(store, 1, task)
        asked = CancelAsked(thread_id=task, run_id=f"{task}'s", by=by, at=at(900))
        await store.apply([seen(task, RUNNING, 2), asked, seen(task, INTERRUPTED, 901)])
    agent = await one(store)
    assert agent.ran == Times(of=1, p50=10_000, p95=10_000, p99=10_000)
    assert agent.endings == {"success": 1, "cancelled": 3}
    assert agent.cancelled == {"operator": 2, "supervisor": 1}


async def test_a_run_that_a_follow_up_replaced_is_told_apart(store: Store) -> None:
    await started(store, 1, "a")
    intent = await store.admit(start(2, "a", strategy="interrupt"))
    await store.apply([accepted(intent, "a's second", 2, thread_id="a")])
    first = RunSeen(thread_id="a", run_id="a's", status=INTERRUPTED, at=at(3))
    await store.apply([first])
    agent = await one(store)
    assert (agent.endings, agent.cancelled) == ({"superseded": 1}, {})
    assert (agent.runs, agent.live, agent.started, agent.updated) == (2, 1, 1, 1)


async def test_what_ended_before_is_in_no_number_and_what_lives_on_is(store: Store) -> None:
    await ran(store, "old", 2, 50)
    await ran(store, "new", 2, 150, ERROR)
    await started(store, 1, "live")
    late = replace(ALL, since=at(100))
    agent = await one(store, late)
    assert (agent.endings, agent.live, agent.runs) == ({"error": 1}, 1, 2)
    assert (agent.started, agent.tasks) == (0, 2)
    assert (await one(store)).endings == {"success": 1, "error": 1}


async def test_usage_is_added_up_and_what_has_no_price_is_counted(store: Store) -> None:
    for task, cost in (("a", 700), ("b", None)):
        await ran(store, task, 2, 3)
        entry = UsageEntry(
            task_id=task, message_id="m", run_id=f"{task}'s", at=at(4), model="x",
            input_tokens=10, output_tokens=1, cost_micro_usd=cost,
        )  # fmt: skip
        await store.apply([UsageSeen(thread_id=task, run_id=f"{task}'s", entries=(entry,))])
    await ran(store, "c", 2, 3)
    agent = await one(store)
    assert (agent.tokens, agent.cost_micro_usd) == (22, 700)
    assert (agent.metered, agent.unpriced) == (2, 1)


async def test_refusals_are_those_of_their_agent_by_rule(store: Store) -> None:
    await ran(store, "a", 2, 3, agent_name="coder")
    for number, agent in ((5, "coder"), (6, "coder"), (7, "painter")):
        with pytest.raises(Refused) as refused:
            await store.admit(start(number, f"n{number}", agent_name=agent), NONE)
        assert refused.value.record is not None
        await store.apply([refused.value.record])
    told = {agent.agent_name: agent for agent in (await store.report(ALL)).agents}
    assert told["coder"].refused == {"none": 2}
    assert told["painter"] == AgentRuns(agent_name="painter", refused={"none": 1})
    late = await store.report(replace(ALL, since=at(6)))
    assert [a.refused for a in late.agents] == [{"none": 1}, {"none": 1}]


async def test_polls_are_told_with_the_life_of_the_tasks(store: Store) -> None:
    await ran(store, "a", 2, 61)
    await started(store, 1, "b")
    await store.apply([Polled(task_id="a", times=30, at=at(60))])
    agent = await one(store, replace(ALL, now=at(121)))
    assert (agent.tasks, agent.polls, agent.live_ms) == (2, 30, 180_000)


async def test_sessions_that_ask_often_come_with_the_busiest_first(store: Store) -> None:
    for task, session, polls in (("a", "busy", 60), ("b", "calm", 20), ("c", "seldom", 19)):
        await ran(store, task, 2, 61, header_session=session)
        await store.apply([Polled(task_id=task, times=polls, at=at(60))])
    assert (await store.report(ALL)).sessions == (
        SessionPolls(session_id="busy", supervisor="ann", tasks=1, polls=60, live_ms=60_000),
        SessionPolls(session_id="calm", supervisor="ann", tasks=1, polls=20, live_ms=60_000),
    )


async def test_filters_hold_for_every_number(store: Store) -> None:
    for task, agent, upstream, session in (
        ("a", "coder", "up", "s1"),
        ("b", "coder", "other", "s2"),
        ("c", "painter", "up", "s2"),
    ):
        await ran(store, task, 2, 61, agent_name=agent, upstream=upstream, header_session=session)
        await store.apply([Polled(task_id=task, times=40, at=at(60))])
    for query, names, polled in (
        (replace(ALL, agent_name="coder"), ["coder"], ["s1", "s2"]),
        (replace(ALL, upstream="up"), ["coder", "painter"], ["s1", "s2"]),
        (replace(ALL, session_id="s1"), ["coder"], ["s1"]),
        (replace(ALL, agent_name="coder", upstream="up", session_id="s2"), [], []),
    ):
        found = await store.report(query)
        assert [agent.agent_name for agent in found.agents] == names
        assert [one.session_id for one in found.sessions] == polled
    of_coder = await one(store, replace(ALL, agent_name="coder"))
    assert (of_coder.runs, of_coder.polls, of_coder.upstreams) == (2, 80, ("other", "up"))


async def test_reaps_are_told_by_the_clock_that_ended_them(store: Store) -> None:
    for task, key in (("a", Key.RUN), ("b", Key.RUN), ("c", Key.STALL)):
        await started(store, 1, task)
        await store.apply([seen(task, RUNNING, 2)])
        (live,) = await store.candidates("up", after=None, limit=10)
        claim = ReapClaim(reap_of(live, key=key), at(50))
        assert list(await store.claim_reaps([claim])) == [True]
        asked = CancelAsked(
            thread_id=task, run_id=f"{task}'s", by=EndedBy.REAPER, at=at(50), reason="late"
        )
        await store.apply([asked, seen(task, INTERRUPTED, 51)])
    agent = await one(store)
    assert (agent.cancelled, agent.reaped) == ({"reaper": 3}, {"run": 2, "stall": 1})
    assert (await one(store, replace(ALL, since=at(51)))).reaped == {}


async def test_no_more_agents_and_sessions_are_told_than_somebody_can_read(store: Store) -> None:
    for number in range(MOST_AGENTS + 5):
        task = f"t{number}"
        await started(store, 1, task, agent_name=f"agent{number:04}", header_session=task)
        await store.apply([Polled(task_id=task, times=20, at=at(2))])
    found = await store.report(ALL)
    assert (len(found.agents), found.left_out) == (MOST_AGENTS, 5)
    assert len(found.sessions) == MOST_SESSIONS
