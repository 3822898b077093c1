"""Arize Phoenix, a backend for traces that none of us wrote, and its opinion of what it got."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.acceptance.rig import isolated
from tests.acceptance.rig.services import Service, running
from tests.support import parts
from tests.support.ports import free_port

REQUIREMENT = "arize-phoenix==20.26.1"
_INSTALL_LIMIT_S = 600.0
_START_LIMIT_S = 300.0
"""It compiles 150 packages when it is first run."""

_PROJECT = "default"
_TOPS = """
query ($after: String) {
  getProjectByName(name: "%s") {
    spans(first: 500, after: $after, filterCondition: "parent_span is None") {
      edges { node { name parentId cumulativeTokenCountTotal trace { traceId } } }
      pageInfo { hasNextPage endCursor }
    }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Top:
    """A span with none above it: a root, or one that is `lost`, as its parent never came.

    `tokens` are those of all the calls of models below it.
    """

    name: str
    lost: bool
    tokens: float


@dataclass(frozen=True, slots=True)
class Phoenix:
    """Its API: GraphQL, which its own pages ask, and REST."""

    http: httpx.AsyncClient

    async def tops(self) -> dict[str, list[Top]]:
        """By trace, of all that there are."""
        found: dict[str, list[Top]] = {}
        after: str | None = None
        while True:
            spans = (await self._ask(after))["spans"]
            for node in (edge["node"] for edge in spans["edges"]):
                lost, tokens = bool(node["parentId"]), node["cumulativeTokenCountTotal"]
                found.setdefault(node["trace"]["traceId"], []).append(
                    Top(node["name"], lost, tokens)
                )
            if not spans["pageInfo"]["hasNextPage"]:
                return found
            after = spans["pageInfo"]["endCursor"]

    async def _ask(self, after: str | None) -> Any:
        body = {"query": _TOPS % _PROJECT, "variables": {"after": after}}
        answer = (await self.http.post("/graphql", json=body)).raise_for_status().json()
        assert "errors" not in answer, answer
        return answer["data"]["getProjectByName"]

    async def spans(self, trace_id: str) -> list[Any]:
        """Those of a trace, as its REST API gives them."""
        query: dict[str, str | int] = {"trace_id": trace_id, "limit": 1000}
        answer = await self.http.get(f"/v1/projects/{_PROJECT}/spans", params=query)
        answer.raise_for_status()
        assert answer.json()["next_cursor"] is None
        found: list[Any] = answer.json()["data"]
        return found


def command() -> list[str]:
    """What starts it. It is big, so whoever wants it says so."""
    if not parts.is_required("phoenix"):
        pytest.skip(
            "installs 150 packages and takes a minute or more: SIDECAR_TEST_REQUIRE=phoenix runs it"
        )
    python = isolated.python(REQUIREMENT, part="phoenix", limit=_INSTALL_LIMIT_S)
    return [*python, "-m", "phoenix.server.main", "serve"]


@contextmanager
def phoenix(command: list[str], folder: Path) -> Iterator[Service]:
    """A new one, with all that it keeps in `folder`. Whatever is set for another one of the
    caller's, such as its database, does not count."""
    port = free_port()
    of_another = [name for name in os.environ if name.startswith("PHOENIX_")]
    unset = ["env", *(part for name in of_another for part in ("-u", name))]
    env: Mapping[str, str] = {
        "PHOENIX_HOST": "127.0.0.1",
        "PHOENIX_PORT": str(port),
        "PHOENIX_GRPC_PORT": str(free_port()),
        "PHOENIX_WORKING_DIR": str(folder),
        "PHOENIX_TELEMETRY_ENABLED": "false",
        "PHOENIX_ALLOW_EXTERNAL_RESOURCES": "false",
    }
    settings = [f"{name}={value}" for name, value in env.items()]
    with running(
        "phoenix", [*unset, *settings, *command], url=f"http://127.0.0.1:{port}",
        ready_path="/readyz", folder=folder, patience=_START_LIMIT_S,
    ) as service:  # fmt: skip
        yield service
