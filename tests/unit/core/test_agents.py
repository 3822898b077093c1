"""Agents as servers list them."""

from typing import Any

import pytest

from subagent_sidecar.core.agents import MOST, Agent, discovered, startable, together


def listed(graph: str, name: str | None = None, **more: Any) -> dict[str, Any]:
    """An assistant; with a name it is one that somebody made."""
    made_by = {} if name is None else {"name": name}
    metadata = {"created_by": "system" if name is None else "ann"}
    return {
        "assistant_id": f"id-of-{name or graph}",
        "graph_id": graph,
        "metadata": metadata,
        **made_by,
        **more,
    }


def test_a_graph_goes_by_its_name_and_an_assistant_that_somebody_made_by_its_own() -> None:
    found = discovered("a", [listed("writer", "Ghost writer"), listed("writer")])
    assert [(agent.name, agent.assistant_id) for agent in found] == [
        ("Ghost writer", "id-of-Ghost writer"),
        ("writer", "writer"),
    ]


def test_the_order_is_that_of_names() -> None:
    assert [agent.name for agent in discovered("a", map(listed, "cab"))] == ["a", "b", "c"]


def test_a_description_is_one_line_and_not_endless() -> None:
    [agent] = discovered("a", [listed("g", description="Reads\n\nthe web. " + "x" * 1_000)])
    assert agent.description.startswith("Reads the web. xxx") and len(agent.description) == 500
    [silent] = discovered("a", [listed("g", description=None)])
    assert silent.description.startswith("Nothing more is known")


def test_there_are_only_so_many() -> None:
    assert len(discovered("a", (listed(f"g{n}") for n in range(MOST + 50)))) == MOST


@pytest.mark.parametrize(
    "odd", [None, 5, [], {}, {"graph_id": 5}, {"metadata": {"created_by": "ann"}, "name": "x"}]
)
def test_what_is_no_assistant_is_passed_over(odd: Any) -> None:
    assert [agent.name for agent in discovered("a", [odd, listed("g")])] == ["g"]


def test_a_server_that_says_nothing_of_who_made_it_has_graphs() -> None:
    [agent] = discovered("a", [{"graph_id": "g"}])
    assert (agent.name, agent.assistant_id) == ("g", "g")


def test_a_name_on_two_servers_is_the_first_ones() -> None:
    one, two = (Agent(name="x", upstream=name, assistant_id="x") for name in "ab")
    found = together([[one], [two]])
    assert {name: agent.upstream for name, agent in found.items()} == {"x": "a", "b/x": "b"}


@pytest.mark.parametrize(
    ("only", "left"),
    [
        ((), ["researcher", "coder", "mine", "renamed"]),
        (("res*",), ["researcher"]),
        (("mine",), ["mine"]),  # of an id it is not known here which graph it runs
        (("renamed",), []),  # its graph is held against the key as well
        (("renamed", "coding-graph"), ["renamed"]),
        (("nobody",), []),
    ],
)
def test_a_key_for_some_agents_is_offered_no_other(only: tuple[str, ...], left: list[str]) -> None:
    means = {
        "researcher": "researcher",
        "coder": "coder",
        "mine": "01a20b44-fa29-710e-ae2a-6bf994e1d8ca",
        "renamed": "coding-graph",
    }
    agents = {
        name: Agent(name=name, upstream="a", assistant_id=assistant)
        for name, assistant in means.items()
    }
    assert list(startable(agents, only)) == left
