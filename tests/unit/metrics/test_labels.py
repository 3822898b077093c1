"""Names as label values: bounded, stable, and text."""

import pytest

from subagent_sidecar.core.metrics.labels import MOST_NAMES, OTHER, UNKNOWN, Names, Whose


def test_what_comes_after_the_bound_is_folded_and_what_came_before_keeps_its_name() -> None:
    names = Names(["first"], most=3)
    assert [names.label(name) for name in ("a", "b", "c", "d")] == ["a", "b", OTHER, OTHER]
    assert [names.label(name) for name in ("d", "b", "first")] == [OTHER, "b", "first"]


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_name_is_called_unknown(nothing: str | None) -> None:
    assert Names().label(nothing) == UNKNOWN


def test_a_long_name_is_cut_and_what_is_no_text_is_replaced() -> None:
    names = Names()
    assert len(names.label("x" * 10_000)) < 200
    assert names.label("a\ud800b") == "a?b"


def test_every_upstream_has_a_place_for_others_from_the_beginning() -> None:
    whose = Whose([("one", "coder")], ["one", "two"])
    assert list(whose.pairs) == [("one", OTHER), ("two", OTHER), ("one", "coder")]
    assert (whose.upstreams, whose.agents) == (["one", "two"], [OTHER, "coder"])


def test_a_pair_is_known_once_it_was_seen() -> None:
    whose = Whose([], ["one"])
    assert whose.pair("one", "coder") == whose.pair("one", "coder") == ("one", "coder")
    assert whose.pair(None, None) == (UNKNOWN, UNKNOWN)
    assert list(whose.pairs) == [("one", OTHER), ("one", "coder"), (UNKNOWN, UNKNOWN)]


def test_however_many_agents_there_are_the_pairs_are_bounded() -> None:
    whose = Whose([], ["one"])
    for number in range(10_000):
        whose.pair("one", f"agent {number}")
    assert len(whose.pairs) == MOST_NAMES + 1
