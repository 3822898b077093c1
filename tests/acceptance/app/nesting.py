"""Deep agents that are subagents themselves and start a subagent of their own.

Where the inner one runs is told by the environment, as it would be in production:
`ACCEPTANCE_SIDECAR_URL` for `nester`, `ACCEPTANCE_DIRECT_URL` for `nester-direct`, and
`ACCEPTANCE_GOVERNED_URL`, a sidecar that refuses it, for `nester-governed`.
"""

import os
from typing import Any

from deepagents import AsyncSubAgent, create_deep_agent
from tests.acceptance.driver.model import DelegatingModel


def _nester(url: str) -> Any:
    inner = AsyncSubAgent(
        name="inner", description="Does the actual work.", graph_id="researcher", url=url
    )
    return create_deep_agent(model=DelegatingModel(subagent="inner"), subagents=[inner])


nester = _nester(os.environ["ACCEPTANCE_SIDECAR_URL"])
nester_direct = _nester(os.environ["ACCEPTANCE_DIRECT_URL"])
nester_governed = _nester(os.environ["ACCEPTANCE_GOVERNED_URL"])
