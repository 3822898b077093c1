"""docs/faults.md is the fault table that the tests play, row by row, and nothing else."""

import re

import pytest
from tests.docs import repository
from tests.integration.faults.table import ROWS, SECTIONS

from subagent_sidecar.testing import FaultKind

PAGE = repository.read("docs/faults.md")
TABLES = [
    repository.read(f"tests/integration/faults/rows/{name}.py")
    for name in ("starts", "polls", "cancels", "clocks")
]


def cells(heading: str) -> list[list[str]]:
    """The rows of the table under a heading."""
    lines = re.findall(r"^\| ([A-Z]\d+ \| .*) \|$", repository.section(PAGE, heading), re.MULTILINE)
    return [line.split(" | ") for line in lines]


@pytest.mark.parametrize("heading", SECTIONS)
def test_the_page_says_what_is_played(heading: str) -> None:
    assert cells(heading) == [
        [row.number, row.fault, row.client, row.at_once, row.then, row.at_last]
        for row in SECTIONS[heading]
    ]


def test_no_two_rows_have_one_number() -> None:
    numbers = [row.number for row in ROWS]
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize("kind", FaultKind)
def test_every_fault_the_fake_server_knows_is_in_the_table(kind: FaultKind) -> None:
    assert any(f"FaultKind.{kind.name}" in table for table in TABLES)
