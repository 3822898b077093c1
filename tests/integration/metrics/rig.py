"""What a scrape says, as a scraper reads it."""

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.samples import Sample
from tests.contract.agent_client import AgentClient
from tests.support.waiting import eventually_got

OPEN = "application/openmetrics-text;version=1.0.0"
WITHIN = 30.0


class Scrape:
    """The samples of one page."""

    def __init__(self, text: str) -> None:
        parse: Callable[[str], Iterable[Metric]] = text_string_to_metric_families
        self.families = list(parse(text))
        self.samples: list[Sample] = [s for family in self.families for s in family.samples]

    def value(self, name: str, **labels: str) -> float:
        """The sum over all samples of that name which have those labels."""
        return sum(
            s.value for s in self.samples if s.name == f"subagent_{name}" and _has(s, labels)
        )

    def labels(self, name: str, label: str) -> set[str]:
        """The values that a label of a metric has."""
        return {s.labels[label] for s in self.samples if s.name == f"subagent_{name}"}


def _has(sample: Sample, labels: Mapping[str, str]) -> bool:
    return labels.items() <= sample.labels.items()


async def scraped(admin: AgentClient) -> Scrape:
    answer = await admin.call("GET", "/metrics", headers={"accept": OPEN})
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    return Scrape(answer.body.decode())


async def scraped_when(admin: AgentClient, name: str, wanted: float, **labels: str) -> Scrape:
    """A scrape that says so."""
    return await eventually_got(
        lambda: scraped(admin), lambda s: s.value(name, **labels) == wanted, within=WITHIN
    )
