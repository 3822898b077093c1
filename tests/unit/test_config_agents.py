"""`agents` of the config file."""

from pathlib import Path

import pytest
from tests.support.settings import parsed, problems

from subagent_sidecar.compose.upstreams import names
from subagent_sidecar.core.agents import Agent, UpdateStrategy

TWO = "upstreams: {a: http://a, b: http://b}\n"


def test_an_agent_needs_nothing_but_a_name(tmp_path: Path) -> None:
    [agent] = parsed(tmp_path, "agents: [{name: one}]").agents
    assert agent == Agent(name="one", upstream="default", assistant_id="one")


def test_an_agent_may_say_all(tmp_path: Path) -> None:
    text = TWO + (
        "agents: [{name: one, description: ' reads ', upstream: b, assistant_id: g,"
        " update_strategy: cancel_first}]"
    )
    [agent] = parsed(tmp_path, text, upstreams=()).agents
    assert agent == Agent(
        name="one",
        description="reads",
        upstream="b",
        assistant_id="g",
        update_strategy=UpdateStrategy.CANCEL_FIRST,
    )


@pytest.mark.parametrize(
    ("text", "key", "words"),
    [
        ("agents: {}", "agents", "must be a list"),
        ("agents: [one]", "agents.0", "must be a mapping with a `name`"),
        ("agents: [{description: d}]", "agents.0", "`name` is missing"),
        ("agents: [{name: one, odd: 1}]", "agents.0.odd", "unknown key; known: name, desc"),
        ("agents: [{name: 5}]", "agents.0.name", "must be text"),
        ("agents: [{name: a b}]", "agents.0.name", "letters, digits"),
        ("agents: [{name: one, upstream: x}]", "agents.0.upstream", "'x' is none of: default"),
        ("agents: [{name: o, update_strategy: x}]", "agents.0.update_strategy", "one of: interr"),
        ("agents: [{name: one}, {name: one}]", "agents.1.name", "'one' stands twice"),
    ],
)
def test_a_mistake_is_named_with_its_place(tmp_path: Path, text: str, key: str, words: str) -> None:
    [problem] = problems(tmp_path, text)
    assert f": {key}: " in problem and words in problem


def test_with_several_upstreams_an_agent_says_which(tmp_path: Path) -> None:
    [problem] = problems(tmp_path, TWO + "agents: [{name: one}]", upstreams=())
    assert "`upstream` is missing; there are: a, b" in problem


def test_requests_go_where_the_agent_is_declared_unless_an_upstream_lists_it(
    tmp_path: Path,
) -> None:
    text = (
        "upstreams: {a: {url: http://a, agents: [two]}, b: http://b}\n"
        "agents: [{name: one, upstream: b}, {name: two, upstream: b}]"
    )
    assert names(parsed(tmp_path, text, upstreams=())).agents == {"one": "b", "two": "a"}
