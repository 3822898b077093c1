"""Bodies that servers run although they are odd: the agent is seen all the same."""

import json

import pytest

from subagent_sidecar.proxy.bodies import batch_items, run_body


def as_json(value: object) -> bytes:
    return json.dumps(value).encode()


@pytest.mark.parametrize("odd", ["sup", ["sup"], 7, {"thread_id": "sup"}])
@pytest.mark.parametrize("pad", [0, 1_000_000])
def test_no_odd_part_hides_the_agent_however_long_the_body(odd: object, pad: int) -> None:
    run: dict[str, object] = {
        "assistant_id": "coder",
        "metadata": {"subagent_name": "writer"},
        "config": {"configurable": {"deepagents_parent": odd, "pad": "p" * pad}},
    }
    alone = run_body(as_json(run))
    assert (alone.assistant_id, alone.agent_name) == ("coder", "writer")
    assert [item.assistant_id for item in batch_items(as_json([run] * 3))] == ["coder"] * 3
    run = {**run, "config": {}, "metadata": [odd, "p" * pad]}
    assert run_body(as_json(run)).assistant_id == "coder"


ID = "a4f50df0-146c-55a5-b4f0-264c9e73bb20"


@pytest.mark.parametrize(
    "spelt",
    [
        ID,
        ID.upper(),
        ID.replace("-", ""),
        f"{{{ID}}}",
        f"urn:uuid:{ID}",
        "-".join(ID),
        "-" * 300 + ID,
        ID.replace("4", "\N{FULLWIDTH DIGIT FOUR}"),
    ],
)
def test_an_assistants_id_is_one_however_it_is_spelt(spelt: str) -> None:
    assert run_body(as_json({"assistant_id": spelt})).assistant_id == ID


@pytest.mark.parametrize("graph", ["coder", "c" * 40, f"{ID}0", f"x{ID}"])
def test_the_name_of_a_graph_stays_as_it_is(graph: str) -> None:
    assert run_body(as_json({"assistant_id": graph})).assistant_id == graph
