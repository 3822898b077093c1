"""A bounded map that keeps what is asked for."""

from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.core.generations import Generations


def test_what_is_asked_for_stays() -> None:
    at: Generations[int, str] = Generations(10)
    at.set(-1, "kept")
    for number in range(1_000):
        at.set(number, "x")
        if number % 5 == 0:
            assert at.get(-1) == "kept"
    assert at.get(0) is None
    assert len(at) <= 20


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=200))
def test_the_last_ones_are_known_and_never_a_wrong_value(steps: list[tuple[bool, int]]) -> None:
    at: Generations[int, int] = Generations(8)
    model: dict[int, int] = {}
    recent: list[int] = []
    for step, (is_set, key) in enumerate(steps):
        if is_set:
            at.set(key, step + 1)
            model[key] = step + 1
        found = at.get(key)
        assert found in (None, model.get(key))
        if found is not None:
            recent.append(key)
        assert len(at) <= 16
    for key in set(recent[-1:]):
        assert at.get(key) == model[key]
