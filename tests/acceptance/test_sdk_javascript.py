"""The JavaScript SDK on node: the same tour directly and through the sidecar."""

import pytest
from tests.acceptance.rig import node
from tests.acceptance.rig.masks import difference
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service
from tests.acceptance.rig.tours import Tour, taken

REFUSED = {
    "threads.get after its delete",
    "runs.create reject",
    "runs.cancel again",
    "runs.wait that fails",
    "runs.get after its delete",
    "threads.get of nobody",
    "threads.get of no id",
    "runs.get of nobody",
}


@pytest.fixture(scope="session")
def tours(langgraph: Service, sidecar_to_langgraph: Sidecar) -> dict[str, Tour]:
    """Side -> the tour."""
    node.require_packages()
    sides = {"direct": langgraph.url, "sidecar": sidecar_to_langgraph.url}
    script = str(node.FOLDER / "tour.mjs")
    return taken({side: [node.node(), script, url] for side, url in sides.items()})


def test_the_server_refuses_what_it_should_and_nothing_else(tours: dict[str, Tour]) -> None:
    assert tours["direct"].refused() == REFUSED


def test_every_sdk_call_returns_the_same_through_the_sidecar(tours: dict[str, Tour]) -> None:
    assert not difference(tours["direct"].results, tours["sidecar"].results)
