"""SECURITY.md: every attack in its table is tried by a test that exists."""

import re
from pathlib import Path

import pytest
from tests.docs import repository

_ROOT = Path(__file__).parents[2]
_TESTS = re.findall(r"`(tests/[a-z_/]+\.py)::(test_\w+)`", repository.read("SECURITY.md"))


def test_every_attack_has_a_test() -> None:
    table = repository.section(
        repository.read("SECURITY.md"), "Attacks, and the tests that try them"
    )
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) > 20
    assert all("::test_" in row for row in rows)


@pytest.mark.parametrize(("file", "test"), sorted(set(_TESTS)))
def test_the_test_is_there(file: str, test: str) -> None:
    assert f"def {test}(" in (_ROOT / file).read_text("utf-8")
