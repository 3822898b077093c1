"""What somebody may ask for who does not see every task (row 25 of the failure table)."""

import pytest

from subagent_sidecar.core.access import BY_ACT, Rule, judged, spelt
from subagent_sidecar.core.wire import Act, decoded_path, recognise

T, R = "0a1b2c3d-0000-7000-8000-0123456789ab", "0a1b2c3d-0000-7000-8000-ba9876543210"

LANGGRAPH = {
    "/assistants": {"POST": Rule.CLOSED},
    "/assistants/search": {"POST": Rule.OPEN},
    "/assistants/count": {"POST": Rule.OPEN},
    "/assistants/{assistant_id}": {
        "GET": Rule.OPEN,
        "DELETE": Rule.CLOSED,
        "PATCH": Rule.CLOSED,
    },
    "/assistants/{assistant_id}/graph": {"GET": Rule.OPEN},
    "/assistants/{assistant_id}/subgraphs": {"GET": Rule.OPEN},
    "/assistants/{assistant_id}/subgraphs/{namespace}": {"GET": Rule.OPEN},
    "/assistants/{assistant_id}/schemas": {"GET": Rule.OPEN},
    "/assistants/{assistant_id}/versions": {"POST": Rule.OPEN},
    "/assistants/{assistant_id}/latest": {"POST": Rule.CLOSED},
    "/threads": {"POST": Rule.CREATE},
    "/threads/search": {"POST": Rule.LIST},
    "/threads/count": {"POST": Rule.CLOSED},
    "/threads/prune": {"POST": Rule.CLOSED},
    "/threads/{thread_id}/storage": {"GET": Rule.OWN},
    "/threads/{thread_id}/state": {"GET": Rule.OWN, "POST": Rule.OWN},
    "/threads/{thread_id}/state/{checkpoint_id}": {"GET": Rule.OWN},
    "/threads/{thread_id}/state/checkpoint": {"POST": Rule.OWN},
    "/threads/{thread_id}/history": {"GET": Rule.OWN, "POST": Rule.OWN},
    "/threads/{thread_id}/copy": {"POST": Rule.COPY},
    "/threads/{thread_id}": {"GET": Rule.OWN, "DELETE": Rule.OWN, "PATCH": Rule.OWN},
    "/threads/{thread_id}/stream": {"GET": Rule.OWN},
    "/threads/{thread_id}/stream/events": {"POST": Rule.START},
    "/threads/{thread_id}/commands": {"POST": Rule.START},
    "/threads/{thread_id}/runs": {"GET": Rule.OWN, "POST": Rule.START},
    "/threads/{thread_id}/runs/crons": {"POST": Rule.CLOSED},
    "/threads/{thread_id}/runs/stream": {"POST": Rule.START},
    "/threads/{thread_id}/runs/wait": {"POST": Rule.START},
    "/threads/{thread_id}/runs/{run_id}": {"GET": Rule.OWN, "DELETE": Rule.OWN},
    "/threads/{thread_id}/runs/{run_id}/join": {"GET": Rule.OWN},
    "/threads/{thread_id}/runs/{run_id}/stream": {"GET": Rule.OWN},
    "/threads/{thread_id}/runs/{run_id}/cancel": {"POST": Rule.OWN},
    "/runs/crons": {"POST": Rule.CLOSED},
    "/runs/crons/search": {"POST": Rule.CLOSED},
    "/runs/crons/count": {"POST": Rule.CLOSED},
    "/runs/crons/{cron_id}": {"GET": Rule.CLOSED, "PATCH": Rule.CLOSED, "DELETE": Rule.CLOSED},
    "/runs": {"POST": Rule.START},
    "/runs/stream": {"POST": Rule.START},
    "/runs/wait": {"POST": Rule.START},
    "/runs/batch": {"POST": Rule.START},
    "/runs/cancel": {"POST": Rule.CANCEL},
    "/store/items": {"PUT": Rule.CLOSED, "DELETE": Rule.CLOSED, "GET": Rule.CLOSED},
    "/store/items/search": {"POST": Rule.CLOSED},
    "/store/namespaces": {"POST": Rule.CLOSED},
    "/a2a/{assistant_id}": {"POST": Rule.A2A},
    "/mcp/": {"POST": Rule.MCP, "GET": Rule.CLOSED, "DELETE": Rule.CLOSED},
    "/info": {"GET": Rule.OPEN},
    "/metrics": {"GET": Rule.CLOSED},
    "/docs": {"GET": Rule.OPEN},
    "/ok": {"GET": Rule.OPEN},
}
"""All that langgraph-api 0.16.7 has in its /openapi.json; an acceptance test holds it to that."""

UNLISTED = [
    ("GET", "/", Rule.OPEN),
    ("GET", "/openapi.json", Rule.OPEN),
    ("GET", "/.well-known/agent-card.json", Rule.OPEN),
    ("GET", f"/a2a/{R}/.well-known/agent-card.json", Rule.OPEN),
    ("GET", f"/threads/{T}/stream/events", Rule.START),
    ("GET", f"/threads/{T}/runs/{R}/protocol", Rule.CLOSED),
    ("GET", "/a2a/researcher", Rule.CLOSED),
    ("GET", "/custom/route", Rule.CLOSED),
    ("POST", "/ok", Rule.CLOSED),
    ("POST", f"/threads/{T}", Rule.CLOSED),
    ("GET", f"/threads/{T}/files", Rule.CLOSED),
    ("GET", "/THREADS/" + T, Rule.CLOSED),
    ("GET", "/threads", Rule.CLOSED),
    ("GET", "/assistants", Rule.CLOSED),
    ("DELETE", "/threads/search", Rule.OWN),
    ("PURGE", f"/threads/{T}", Rule.CLOSED),
    ("OPTIONS", "*", Rule.OPEN),
]


def rule_of(method: str, raw_path: str) -> Rule:
    path = decoded_path(raw_path)
    return judged(method, path, raw_path, recognise(method, path)).rule


def requests() -> list[tuple[str, str, Rule]]:
    named = {"{thread_id}": T, "{run_id}": R}
    found = []
    for template, methods in LANGGRAPH.items():
        path = template
        for name, value in named.items():
            path = path.replace(name, value)
        found += [(method, path, rule) for method, rule in methods.items()]
    return [*found, *UNLISTED]


@pytest.mark.parametrize(("method", "path", "rule"), requests())
def test_every_route_is_ruled_on(method: str, path: str, rule: Rule) -> None:
    assert rule_of(method, path) is rule


def test_every_act_is_ruled_on() -> None:
    assert set(BY_ACT) == set(Act)


def test_head_and_options_are_ruled_as_get_is() -> None:
    for method, path, rule in requests():
        if method == "GET":
            assert {rule_of("HEAD", path), rule_of("OPTIONS", path)} == {rule}, path


@pytest.mark.parametrize(
    "path",
    [
        f"/threads/{T}%2Fruns",
        f"/threads/{T}%2fruns",
        f"/threads/%2F{T}",
        f"/threads/{T}%5Cruns",
        f"/threads%252F{T}",
        f"/threads/{T}/%2572uns",
    ],
)
def test_a_path_that_servers_may_read_differently_is_closed(path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert rule_of(method, path) is Rule.CLOSED


@pytest.mark.parametrize(
    "given",
    [T, T.upper(), T.replace("-", ""), "{" + T + "}", "urn:uuid:" + T, T.replace("a", "A", 1)],
)
def test_an_id_is_taken_in_every_spelling_that_servers_take(given: str) -> None:
    assert spelt(given) == T
    path = f"/threads/{given}/runs/{given}"
    meaning = judged("GET", path, path, recognise("GET", path)).meaning
    assert (meaning.thread_id, meaning.run_id) == (T, T)


def test_what_is_no_uuid_is_taken_as_it_is() -> None:
    assert spelt("Thread-1") == "Thread-1"
    assert spelt("\ud800") == "?"
