"""No limit is ever exceeded, whatever happens in whatever order."""

from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.counting import Counted
from tests.unit.core.test_decide import CALL, NOW, policy

from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.model import timestamp
from subagent_sidecar.core.policy import LimitKind
from subagent_sidecar.core.verdict import Allow

RULES = policy(
    "limits",
    "name: a, concurrent: 3, per: session",
    "name: b, concurrent: 4, per: global",
    "name: c, starts: 3, per: session, window: 5s",
    "name: d, concurrent: 2, per: agent, match: {agent: coder}",
    "name: e, concurrent: 2, per: task",
)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["start", "update", "end", "wait"]),
        st.sampled_from(["s", "s2"]),
        st.sampled_from(["coder", "researcher"]),
        st.integers(0, 9),
    ),
    max_size=60,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_no_limit_is_exceeded_in_any_order_of_starts_and_ends(
    steps: list[tuple[str, str, str, int]],
) -> None:
    numbers, now = Counted(), NOW
    for index, (step, session, agent, pick) in enumerate(steps):
        call = replace(CALL, session=session, agent=agent)
        match step:
            case "wait":
                now += timedelta(seconds=pick)
            case "end" if numbers.runs:
                numbers.runs[pick % len(numbers.runs)].live = False
            case "update" if numbers.runs:
                known = numbers.runs[pick % len(numbers.runs)]
                wakes = not any(run.live for run in numbers.runs if run.task_id == known.task_id)
                call = replace(known.call, update=True, wakes=wakes)
                _start(numbers, known.task_id, call, now)
            case _:
                _start(numbers, f"t{index}", call, now)
        for limit in RULES.limits:
            for seen in {run.call for run in numbers.runs}:
                scope_id = seen.scope_id(limit.per) if limit.per else None
                if scope_id is not None and limit.kind is LimitKind.CONCURRENT:
                    assert numbers.live(limit, scope_id) <= limit.most
                elif scope_id is not None and limit.window is not None:
                    since = timestamp(now - limit.window)
                    assert numbers.started(limit, scope_id, since) <= limit.most


def _start(numbers: Counted, task_id: str, call: Call, now: datetime) -> None:
    if isinstance(decide(RULES, numbers, call, now), Allow):
        numbers.start(task_id, call, timestamp(now))
