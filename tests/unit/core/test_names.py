"""Names that were typed, and those that may have been meant."""

import pytest

from subagent_sidecar.core.names import is_pattern, nearest

KNOWN = ["researcher", "coder", "Code Reviewer", "e3b0c442-98fc", "e3b0c442-77aa"]


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("reseacher", ["researcher"]),
        ("Coder", ["coder"]),
        ("code revewer", ["Code Reviewer"]),
        (" coder ", ["coder"]),
        ("e3b0c442", ["e3b0c442-98fc", "e3b0c442-77aa"]),
        ("98fc", ["e3b0c442-98fc"]),
        ("painter", []),
        ("x", []),
        ("", []),
    ],
)
def test_the_nearest_names_are_those_it_is_a_part_of_or_else_like(
    given: str, meant: list[str]
) -> None:
    assert list(nearest(given, KNOWN)) == meant


def test_there_are_at_most_three() -> None:
    assert len(nearest("agent-", [f"agent-{number}" for number in range(9)])) == 3
    assert len(nearest("agnet-1", [f"agent-{number}" for number in range(9)])) == 3
    assert nearest("a-name", []) == ()


@pytest.mark.parametrize("name", ["*", "res*", "code?"])
def test_what_fits_many_is_a_pattern(name: str) -> None:
    assert is_pattern(name)


@pytest.mark.parametrize("name", ["coder", "a b", "[x]", "default:anonymous", "ünï"])
def test_all_else_may_be_a_name(name: str) -> None:
    assert not is_pattern(name)
