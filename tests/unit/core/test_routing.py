"""Where a request goes: each rung of the order, and what is said when none decides."""

from dataclasses import replace

import pytest

from subagent_sidecar.core.routing import UpstreamNames, choose, split_prefix
from subagent_sidecar.errors import AmbiguousUpstream, NoSuchUpstream

ONE = UpstreamNames(names=["only"], agents={}, default="only")
SEVERAL = UpstreamNames(
    names=["a", "b", "c", "d"], agents={"coder": "c", "asst-1": "d"}, default=None
)
WITH_DEFAULT = replace(SEVERAL, default="a")

TARGETS = [
    ("/threads/t", (None, "/threads/t")),
    ("/to/a/threads/t", ("a", "/threads/t")),
    ("/to/a/threads?limit=1", ("a", "/threads?limit=1")),
    ("/to/a", ("a", "/")),
    ("/to/a/", ("a", "/")),
    ("/to/a?x=1", ("a", "/?x=1")),
    ("/to/a?back=/threads/t", ("a", "/?back=/threads/t")),
    ("/to/a//b", ("a", "//b")),
    ("/to/a/%2e%2e", ("a", "/%2e%2e")),
    ("/to/a/to/b/x", ("a", "/to/b/x")),
    ("/to/", ("", "/")),
    ("/to//x", ("", "/x")),
    ("/to", (None, "/to")),
    ("/tools/x", (None, "/tools/x")),
    ("/x?next=/to/a/", (None, "/x?next=/to/a/")),
]


@pytest.mark.parametrize(("target", "expected"), TARGETS)
def test_the_prefix_comes_off(target: str, expected: tuple[str | None, str]) -> None:
    assert split_prefix(target) == expected


def test_the_prefix_is_stronger_than_everything() -> None:
    assert choose(WITH_DEFAULT, prefix="b", header="a", thread="c", agents=("coder",)) == "b"


def test_the_header_is_stronger_than_the_threads_home() -> None:
    assert choose(WITH_DEFAULT, header="b", thread="c", agents=("asst-1",)) == "b"


def test_the_threads_home_is_stronger_than_the_agent() -> None:
    assert choose(WITH_DEFAULT, thread="b", agents=("coder",)) == "b"


def test_the_agent_is_stronger_than_the_default() -> None:
    assert choose(WITH_DEFAULT, agents=("coder",)) == "c"


def test_the_first_agent_that_is_listed_decides() -> None:
    assert choose(SEVERAL, agents=("nobody", None, "asst-1", "coder")) == "d"


def test_what_nothing_else_places_goes_to_the_default() -> None:
    assert choose(WITH_DEFAULT, agents=(None, "nobody")) == "a"
    assert choose(ONE) == "only"


def test_a_home_that_is_configured_no_more_decides_nothing() -> None:
    assert choose(SEVERAL, thread="gone", agents=("coder",)) == "c"


@pytest.mark.parametrize(
    ("prefix", "header", "named"),
    [("x", None, "path prefix"), (None, "x", "x-subagent-upstream"), ("", None, "path prefix")],
)
def test_a_name_nobody_has_is_not_found(prefix: str | None, header: str | None, named: str) -> None:
    with pytest.raises(NoSuchUpstream, match=named) as error:
        choose(SEVERAL, prefix=prefix, header=header)
    assert "a, b, c, d" in error.value.message
    assert error.value.status == 404


def test_a_wrong_prefix_is_not_healed_by_a_right_header() -> None:
    with pytest.raises(NoSuchUpstream):
        choose(SEVERAL, prefix="x", header="a")


def test_a_long_wrong_name_is_not_repeated_in_full() -> None:
    with pytest.raises(NoSuchUpstream) as error:
        choose(SEVERAL, prefix="x" * 5_000)
    assert len(error.value.message) < 300


def test_when_nothing_decides_every_way_out_is_named() -> None:
    with pytest.raises(AmbiguousUpstream) as error:
        choose(SEVERAL, agents=("nobody",))
    assert error.value.status == 421
    ways = ("a, b, c, d", "/to/<upstream>", "x-subagent-upstream", "`agents`", "`default_upstream`")
    assert [way for way in ways if way not in error.value.message] == []
