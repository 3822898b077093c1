"""Families as the tests ask them: by name and labels."""

from collections.abc import Iterable

from subagent_sidecar.core.metrics.families import Family
from subagent_sidecar.core.metrics.meters import Histogram


class Shown:
    """What some families say."""

    def __init__(self, families: Iterable[Family]) -> None:
        self.families = {family.instrument.name: family for family in families}

    def value(self, name: str, *labels: str) -> float:
        return self.families[f"subagent_{name}"].values[labels]

    def values(self, name: str) -> dict[tuple[str, ...], float]:
        return dict(self.families[f"subagent_{name}"].values)

    def some(self, name: str) -> dict[tuple[str, ...], float]:
        """Those that are not 0."""
        return {labels: value for labels, value in self.values(name).items() if value}

    def histogram(self, name: str, *labels: str) -> Histogram:
        return self.families[f"subagent_{name}"].histograms[labels]

    def fit(self) -> bool:
        """Whether every value has as many labels as its metric."""
        return all(
            len(labels) == len(family.instrument.labels)
            for family in self.families.values()
            for labels in (*family.values, *family.histograms)
        )
