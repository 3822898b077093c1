"""What a target says, by the short way that most requests take and by the long one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from subagent_sidecar.core.wire import Act, Meaning
from subagent_sidecar.errors import BadTarget
from subagent_sidecar.proxy.targets import Route, read, route

METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"]
PARTS = st.one_of(
    st.sampled_from(
        ["threads", "runs", "stream", "wait", "crons", "search", "t-1", "sidecar", "to"]
    ),
    st.text("ab1-_.%2fF/?#;\\ é\n", max_size=4),
)
TARGETS = st.one_of(
    st.lists(PARTS, max_size=5).map(lambda parts: "/" + "/".join(parts)),
    st.builds(
        lambda thread, run: f"/threads/{thread}/runs{run}",
        PARTS,
        st.one_of(st.just(""), PARTS.map(lambda part: f"/{part}")),
    ),
)


@given(st.sampled_from(METHODS), TARGETS)
def test_the_short_way_says_nothing_that_the_long_one_does_not(method: str, target: str) -> None:
    try:
        expected = read(method, target)
    except BadTarget:
        with pytest.raises(BadTarget):
            route(method, target)
    else:
        assert route(method, target) == expected


@pytest.mark.parametrize(
    ("method", "target", "meaning"),
    [
        ("POST", "/threads/t-1/runs", Meaning(Act.RUN_START, "t-1")),
        ("GET", "/threads/t-1/runs/r", Meaning(Act.RUN_GET, "t-1", "r")),
    ],
)
def test_a_start_and_a_check(method: str, target: str, meaning: Meaning) -> None:
    assert route(method, target) == Route(False, None, target, target, target, meaning)


def test_behind_a_prefix_nothing_is_our_own() -> None:
    assert route("GET", "/sidecar/x").own
    behind = route("GET", "/to/one/sidecar/x?y=1")
    assert (behind.own, behind.prefix, behind.raw_target) == (False, "one", "/sidecar/x?y=1")
    assert behind.raw_path == "/sidecar/x"
