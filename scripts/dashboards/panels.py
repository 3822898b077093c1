"""What stands on a dashboard, and how Grafana's JSON says it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from scripts.dashboards.rules import alerts, finite, threshold

Json = dict[str, Any]
Steps = Sequence[tuple[float | None, str]]

GREEN, YELLOW, ORANGE, RED, BLUE, GREY = "green", "yellow", "orange", "red", "blue", "#808080"

PROMETHEUS = {"type": "prometheus", "uid": "${metrics}"}
TEMPO = {"type": "tempo", "uid": "${traces}"}

SECONDS, RATIO, USD, PER_MINUTE, PER_SECOND = "s", "percentunit", "currencyUSD", "cpm", "reqps"
COUNT, BYTES, NANOSECONDS = "short", "bytes", "ns"


@dataclass(frozen=True, kw_only=True)
class Query:
    """PromQL. `instant`: its value now, as a stat or a table wants it. `step`: no two points are
    closer than that, however near one looks."""

    expr: str
    legend: str = ""
    instant: bool = False
    exemplars: bool = False
    form: str = "time_series"
    step: str = ""

    def json(self, ref: str) -> Json:
        return {
            "datasource": PROMETHEUS,
            "editorMode": "code",
            "exemplar": self.exemplars,
            "expr": self.expr,
            "format": self.form,
            "instant": self.instant,
            **({"interval": self.step} if self.step else {}),
            "legendFormat": self.legend or "__auto",
            "range": not self.instant,
            "refId": ref,
        }


@dataclass(frozen=True, kw_only=True)
class TraceQuery:
    """TraceQL, as a table of spans; or the id of a trace, as that trace."""

    query: str
    limit: int = 100

    def json(self, ref: str) -> Json:
        return {
            "datasource": TEMPO,
            "filters": [],
            "limit": self.limit,
            "query": self.query,
            "queryType": "traceql",
            "refId": ref,
            "spss": 20,
            "tableType": "spans",
        }


@dataclass(frozen=True, kw_only=True)
class Panel:
    """`says`: what it shows, and what to do where it shows something bad. `width` is of 24."""

    kind: str
    title: str
    says: str
    queries: Sequence[Query | TraceQuery] = ()
    width: int = 8
    height: int = 8
    unit: str = COUNT
    steps: Steps = ((None, GREEN),)
    alert: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    custom: Mapping[str, Any] = field(default_factory=dict)
    defaults: Mapping[str, Any] = field(default_factory=dict)
    overrides: Sequence[Json] = ()
    transformations: Sequence[Json] = ()
    links: Sequence[Json] = ()

    def json(self, number: int, place: Json) -> Json:
        return {
            **self._datasource(),
            "description": self._description(),
            "fieldConfig": {"defaults": self._defaults(), "overrides": list(self.overrides)},
            "gridPos": place,
            "id": number,
            "links": [*([runbook(self.alert)] if self.alert else []), *self.links],
            "options": dict(self.options),
            "targets": [
                query.json(ref) for ref, query in zip("ABCDEFGHIJ", self.queries, strict=False)
            ],
            "title": self.title,
            "transformations": list(self.transformations),
            "type": self.kind,
        }

    def _datasource(self) -> Json:
        if not self.queries:
            return {}
        return {"datasource": TEMPO if isinstance(self.queries[0], TraceQuery) else PROMETHEUS}

    def _description(self) -> str:
        return f"{self.says}\n\nAlert and runbook: {self.alert}" if self.alert else self.says

    def _defaults(self) -> Json:
        steps = [{"color": color, "value": value} for value, color in self.steps]
        return {
            "color": {"mode": "thresholds" if len(steps) > 1 else "palette-classic"},
            "custom": dict(self.custom),
            "mappings": [],
            "thresholds": {"mode": "absolute", "steps": steps},
            "unit": self.unit,
            **self.defaults,
        }


RUNBOOKS = "subagent-runbooks"
"""The uid of the dashboard that has the runbooks; a panel each, numbered as the alerts are."""


def runbook(alert: str) -> Json:
    """A link to what to do about an alert."""
    number = list(alerts()).index(alert) + 1
    return {
        "title": f"Runbook: {alert}",
        "type": "link",
        "url": f"/d/{RUNBOOKS}?viewPanel={number}",
        "icon": "doc",
        "targetBlank": True,
    }


def red_from(value: float) -> Steps:
    return ((None, GREEN), (finite(value), RED))


def orange_from(value: float) -> Steps:
    return ((None, GREEN), (finite(value), ORANGE))


def red_as(alert: str) -> Steps:
    """Red where the alert fires, which is above a number; above 0 means from 1 on."""
    value = threshold(alert)
    return red_from(value or 1)
