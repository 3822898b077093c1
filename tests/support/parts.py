"""Parts that may be missing on a machine. `SIDECAR_TEST_REQUIRE` lists those that may not."""

import os
from typing import NoReturn

import pytest


def is_required(part: str) -> bool:
    return part in os.environ.get("SIDECAR_TEST_REQUIRE", "").split(",")


def missing(part: str, reason: str) -> NoReturn:
    """The calling test is skipped, or fails where the part is required."""
    if is_required(part):
        pytest.fail(f"SIDECAR_TEST_REQUIRE={part}, but {reason}")
    pytest.skip(reason)
