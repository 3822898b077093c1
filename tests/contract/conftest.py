"""The stores the contract is held against."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.support.stores import BACKENDS

from subagent_sidecar.ports import Store


@pytest.fixture(params=BACKENDS)
async def store(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Store]:
    """An empty store of each kind."""
    async with BACKENDS[request.param](tmp_path) as opened:
        yield opened
