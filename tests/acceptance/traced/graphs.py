"""Agents three deep, of which each is on another server than the one that starts it; and such of
which all are here.

`TRACED_NEXT` is where the second one is for the first, `TRACED_BACK` where the third one is for the
second, `TRACED_HERE` this server: all through the sidecar. What emits traces is told by the
environment, too.
"""

import os
from typing import Any

from deepagents import AsyncSubAgent, create_deep_agent
from tests.acceptance.app.graphs import researcher
from tests.acceptance.driver.model import DelegatingModel
from tests.acceptance.traced import emitters

emitters.emit(os.environ["TRACED_EMITTER"], os.environ["TRACED_OTLP"], service="server")


def _delegating(subagent: str, url: str) -> Any:
    inner = AsyncSubAgent(name=subagent, description="Does the work.", graph_id=subagent, url=url)
    return create_deep_agent(model=DelegatingModel(subagent=subagent), subagents=[inner])


first = _delegating("second", os.environ["TRACED_NEXT"])
second = _delegating("third", os.environ["TRACED_BACK"])
third = researcher

first_here = _delegating("second-here", os.environ["TRACED_HERE"])
second_here = _delegating("third", os.environ["TRACED_HERE"])
