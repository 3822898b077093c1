"""Names as label values, and no more of them than somebody can look at.

Every value of a label is a time series of its own, kept by Prometheus for ever. Agents and models
are named by callers, so after the first MOST_NAMES further ones are folded into OTHER: the sums
stay right, and what was told apart once stays told apart.
"""

from collections.abc import Iterable

MOST_NAMES = 50
OTHER = "other"
UNKNOWN = "unknown"
_LONGEST = 120


class Names:
    """First come, first named. `known` have their places from the beginning."""

    def __init__(self, known: Iterable[str] = (), *, most: int = MOST_NAMES) -> None:
        self._labels: dict[str, str] = {}
        self._most = most
        for name in known:
            self._add(name)

    def label(self, name: str | None) -> str:
        """What a name is called."""
        if not name:
            return UNKNOWN
        found = self._labels.get(name)
        if found is None:
            if len(self._labels) >= self._most:
                return OTHER
            found = self._add(name)
        return found

    def _add(self, name: str) -> str:
        # A name that is too long or no text is one all the same.
        plain = name[:_LONGEST].encode("utf-8", "replace").decode()
        self._labels[name] = plain
        return plain


class Whose:
    """The (upstream, agent) pairs there are, each with its labels. Of every upstream there is
    OTHER from the beginning, so that no metric is missing until its first task."""

    def __init__(self, agents: Iterable[tuple[str, str]], upstreams: Iterable[str]) -> None:
        listed = list(agents)
        self.upstreams = list(upstreams)
        self._upstreams = Names(self.upstreams)
        self._agents = Names(agent for _, agent in listed)
        self.pairs: dict[tuple[str, str], None] = {(name, OTHER): None for name in self.upstreams}
        for upstream, agent in listed:
            self.pair(upstream, agent)

    def pair(self, upstream: str | None, agent: str | None) -> tuple[str, str]:
        """The labels of both; known from now on."""
        found = self._upstreams.label(upstream), self._agents.label(agent)
        self.pairs.setdefault(found)
        return found

    def upstream(self, name: str | None) -> str:
        return self._upstreams.label(name)

    def agent(self, name: str | None) -> str:
        return self._agents.label(name)

    @property
    def agents(self) -> list[str]:
        """The labels of all agents that are known."""
        return list(dict.fromkeys(agent for _, agent in self.pairs))
