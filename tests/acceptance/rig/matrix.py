"""Which scenarios there are: known to the driver that plays them and to the tests that judge."""

import itertools

_CLIENTS = ("async", "sync")
_STRATEGIES = ("interrupt", "enqueue")
_AGENTS = {
    "langgraph": ("researcher", "failing", "asker", "hang"),
    "self-hosted": ("researcher", "failing", "hang"),
}


def scenario_names(kind: str) -> list[str]:
    """The scenarios a kind of server is put through, as `client/strategy/agent`."""
    return ["/".join(axis) for axis in itertools.product(_CLIENTS, _STRATEGIES, _AGENTS[kind])]
