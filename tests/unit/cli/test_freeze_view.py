"""What is frozen, as text."""

import pytest

from subagentctl.freeze_view import frozen_lines, place_of
from subagentctl.look import Look
from subagentctl.testing import NOW


@pytest.mark.parametrize(
    ("freeze", "said"),
    [
        ({"scope": "all", "id": None}, "all starts"),
        ({"scope": "agent", "id": "coder"}, "agent coder"),
        ({"scope": "session", "id": "\x1b[2Js"}, "session \ufffd[2Js"),
        ({}, ""),
    ],
)
def test_what_is_frozen_has_a_name(freeze: dict[str, object], said: str) -> None:
    assert place_of(freeze) == said


def test_nothing_frozen_is_said() -> None:
    assert frozen_lines([], NOW, Look()) == ["Nothing is frozen."]


def test_a_freeze_without_time_and_reason_is_a_line_all_the_same() -> None:
    [_, line] = frozen_lines([{"scope": "all"}], NOW, Look(unicode=False))
    assert line.split() == ["all", "starts", "-", "-"]
