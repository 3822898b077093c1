"""`python -m tests.acceptance.traced.supervise OTLP TURN:AGENT=URL...`: a supervisor that is
instrumented with OpenInference starts these agents, and tells what came of each turn.

OpenInference does not make its spans the current ones. So, as docs/tracing.md has it, there is a
span around each turn, whose context goes along with what the turn starts. The last turn has none.
"""

import asyncio
import json
import sys
from collections.abc import Sequence

from deepagents import AsyncSubAgent
from opentelemetry.propagate import inject
from tests.acceptance.driver.supervisor import Supervisor
from tests.acceptance.traced import emitters

THREAD = "11111111-2222-4333-8444-555555555555"


async def _turn(agent: str, url: str) -> str:
    """The id of the task that was started."""
    headers: dict[str, str] = {}
    inject(headers)
    subagent = AsyncSubAgent(
        name=agent, description="Delegates.", graph_id=agent, url=url, headers=headers
    )
    supervisor = Supervisor([subagent], sync=False, thread_id=THREAD)
    arguments = {"description": "cats sleep=1", "subagent_type": agent}
    await supervisor.turn([{"name": "start_async_task", "args": arguments}])
    (task,) = supervisor.tasks.values()
    return str(task["task_id"])


async def _main(otlp: str, turns: Sequence[str]) -> None:
    provider = emitters.emit("openinference", otlp, service="supervisor")
    tracer = provider.get_tracer("supervisor")
    told = {}
    for turn in turns:
        name, agent, url = _parts(turn)
        with tracer.start_as_current_span("turn") as span:
            trace_id = format(span.get_span_context().trace_id, "032x")
            told[name] = {"task_id": await _turn(agent, url), "trace_id": trace_id}
    _, agent, url = _parts(turns[0])
    told["alone"] = {"task_id": await _turn(agent, url), "trace_id": ""}  # no span, so no context
    provider.shutdown()
    json.dump(told, sys.stdout)


def _parts(turn: str) -> tuple[str, str, str]:
    what, _, url = turn.partition("=")
    name, _, agent = what.partition(":")
    return name, agent, url


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2:]))
