"""One sidecar on each kind of store."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.idempotency.rig import Rig, rig


@pytest.fixture(params=["memory", "sqlite"])
async def sidecar(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path if request.param == "sqlite" else None) as made:
        yield made
