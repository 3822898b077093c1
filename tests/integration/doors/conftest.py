from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.integration.doors.rig import Rig, rig


@pytest.fixture
async def doors(tmp_path: Path) -> AsyncIterator[Rig]:
    async with rig(tmp_path) as made:
        yield made
