"""What holds in every storey: no test is late, and no failure is told in more than can be read."""

from collections.abc import Generator, Iterable
from itertools import islice

import pytest
from hypothesis import HealthCheck, settings

_LINES, _WIDTH = 15, 300

settings.register_profile(
    "no-test-is-late",
    parent=settings.get_profile(settings.get_current_profile_name()),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("no-test-is-late")

Explained = Iterable[str] | None


@pytest.hookimpl(wrapper=True)
def pytest_assertrepr_compare() -> Generator[None, list[Explained], list[Explained]]:
    """How two values differ, in a few lines: with CI set, pytest shows the whole of a megabyte, and
    who reads the log never comes to the name of the test."""
    explained = yield
    return [each and _beginning(each) for each in explained]


def _beginning(lines: Iterable[str]) -> list[str]:
    first = list(islice(lines, _LINES + 1))
    cut = ["..."] if len(first) > _LINES else []
    return [each if len(each) <= _WIDTH else each[:_WIDTH] + "..." for each in first[:_LINES]] + cut
