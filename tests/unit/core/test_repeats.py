"""Which of many messages about one thing are worth a line."""

from subagent_sidecar.core.repeats import Repeats


def test_the_first_is_a_line_and_those_that_follow_are_held_back() -> None:
    repeats = Repeats(60.0)
    assert [repeats.held_back("a", now) for now in (5.0, 5.0, 64.9)] == [0, None, None]


def test_one_a_pause_is_a_line_and_tells_how_many_were_not() -> None:
    repeats = Repeats(60.0)
    moments = (0.0, 1.0, 2.0, 60.0, 61.0, 120.0, 500.0)
    assert [repeats.held_back("a", now) for now in moments] == [0, None, None, 2, None, 1, 0]


def test_what_is_about_another_thing_is_a_line_of_its_own() -> None:
    repeats = Repeats(60.0)
    assert repeats.held_back("a", 0.0) == repeats.held_back("b", 1.0) == 0
    assert repeats.held_back("b", 60.5) is None
    assert repeats.held_back("a", 60.5) == 0
