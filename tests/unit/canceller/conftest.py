"""The desk that most tests here work at."""

import pytest
from tests.unit.canceller.desk import Desk


@pytest.fixture
async def desk() -> Desk:
    found = Desk()
    await found.start()
    return found
