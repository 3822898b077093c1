"""Values that are made by a function are those that their class makes."""

from dataclasses import dataclass, field

import pytest

from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.model import Event
from subagent_sidecar.core.quick import changed, completed, made, quick


@quick
@dataclass(frozen=True, slots=True)
class Pair:
    one: int
    other: list[int] = field(default_factory=list)


def test_a_function_makes_what_the_class_makes() -> None:
    call = Call(agent="coder", upstream="up", supervisor="ann", session="s", depth=2)
    found = made(Call)(agent="coder", upstream="up", supervisor="ann", session="s", depth=2)
    assert found == call and type(found) is Call
    assert made(Event)(at="now", kind="started") == Event(at="now", kind="started")


def test_no_two_values_share_what_a_factory_made() -> None:
    new_pair = made(Pair)
    assert new_pair(one=1).other == [] and new_pair(one=1).other is not new_pair(one=1).other


def test_what_has_no_default_has_to_be_said() -> None:
    with pytest.raises(TypeError, match="one"):
        made(Pair)(other=[])  # type: ignore[call-arg]


def test_a_value_is_completed_itself_and_changed_as_another() -> None:
    pair = made(Pair)(one=1)
    assert changed(pair, one=2).one == 2 and pair.one == 1
    completed(pair, one=3)
    assert pair.one == 3
