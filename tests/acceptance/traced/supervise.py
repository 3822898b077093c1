"""`python -m tests.acceptance.traced.supervise OTLP NAME=URL...`: a supervisor that is instrumented
with OpenInference starts the first task on each of these servers, and tells what came of it.

OpenInference does not make its spans the current ones. So, as docs/tracing.md has it, there is a
span around each turn, whose context goes along with what the turn starts. The last turn has none.
"""

import asyncio
import json
import sys

from deepagents import AsyncSubAgent
from opentelemetry.propagate import inject
from tests.acceptance.driver.supervisor import Supervisor
from tests.acceptance.traced import emitters

THREAD = "11111111-2222-4333-8444-555555555555"
_CALL = {
    "name": "start_async_task",
    "args": {"description": "cats sleep=1", "subagent_type": "first"},
}


async def _turn(url: str) -> str:
    """The id of the task that was started."""
    headers: dict[str, str] = {}
    inject(headers)
    first = AsyncSubAgent(
        name="first", description="Delegates.", graph_id="first", url=url, headers=headers
    )
    supervisor = Supervisor([first], sync=False, thread_id=THREAD)
    await supervisor.turn([_CALL])
    (task,) = supervisor.tasks.values()
    return str(task["task_id"])


async def _main(otlp: str, servers: dict[str, str]) -> None:
    provider = emitters.emit("openinference", otlp, service="supervisor")
    tracer = provider.get_tracer("supervisor")
    told = {}
    for name, url in servers.items():
        with tracer.start_as_current_span("turn") as span:
            trace_id = format(span.get_span_context().trace_id, "032x")
            told[name] = {"task_id": await _turn(url), "trace_id": trace_id}
    url = next(iter(servers.values()))
    told["alone"] = {"task_id": await _turn(url), "trace_id": ""}  # no span, so no context
    provider.shutdown()
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], dict(each.split("=", 1) for each in sys.argv[2:])))
