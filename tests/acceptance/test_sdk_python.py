"""The Python SDK, async and sync: the same tour directly and through the sidecar."""

import sys

import pytest
from tests.acceptance.rig.masks import difference
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service
from tests.acceptance.rig.tours import Tour, taken

CLIENTS = ("async", "sync")
REFUSED = {
    "threads.get after its delete",
    "runs.create reject",
    "runs.cancel again",
    "runs.wait that fails",
    "runs.get after its delete",
    "threads.get of nobody",
    "threads.get of no id",
    "runs.create of no graph",
    "runs.get of nobody",
}


@pytest.fixture(scope="session")
def tours(langgraph: Service, sidecar_to_langgraph: Sidecar) -> dict[str, Tour]:
    """`client/side` -> the tour."""
    sides = {"direct": langgraph.url, "sidecar": sidecar_to_langgraph.url}
    return taken(
        {
            f"{client}/{side}": [sys.executable, "-m", "tests.acceptance.tours", client, url]
            for client in CLIENTS
            for side, url in sides.items()
        }
    )


@pytest.mark.parametrize("client", CLIENTS)
def test_the_server_refuses_what_it_should_and_nothing_else(
    client: str, tours: dict[str, Tour]
) -> None:
    assert tours[f"{client}/direct"].refused() == REFUSED


@pytest.mark.parametrize("client", CLIENTS)
def test_every_sdk_call_returns_the_same_through_the_sidecar(
    client: str, tours: dict[str, Tour]
) -> None:
    direct, through = tours[f"{client}/direct"], tours[f"{client}/sidecar"]
    assert not difference(direct.results, through.results)
