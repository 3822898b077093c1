"""What docs/refusals.md shows a model reading is what it reads."""

import re

from tests.docs.repository import read
from tests.unit.core.denials import AGAIN
from tests.unit.core.test_refusal_budgets import HELD_TEXTS


def test_the_example_of_a_reserve_is_one() -> None:
    page = read("docs/refusals.md")
    section = page.partition("## Spent or reserved")[2]
    example = re.search(r"^```text\n(.*?)^```", section, re.M | re.S)
    assert example is not None
    assert " ".join(example[1].split()) == f"Not started: {HELD_TEXTS[0][2]} {AGAIN}"
