"""Seen through the sidecar, an agent server keeps every promise it makes directly."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.contract.agent_server_checks import CHECKS, Check
from tests.integration.faults.rig import Rig, running_rig

from subagent_sidecar.testing import USUAL_GRAPHS

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    folder = tmp_path_factory.mktemp("through")
    async with running_rig(folder, graphs=USUAL_GRAPHS) as parts:
        yield parts


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
async def test_the_facts_of_an_agent_server_hold(rig: Rig, check: Check) -> None:
    await check(rig.client)
