"""A dashboard: its variables, what is noted on its graphs, and where its panels stand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from scripts.dashboards.panels import PROMETHEUS, Json, Panel

COLUMNS = 24
TAG = "subagent-sidecar"
SCHEMA = 41
"""As Grafana 11.6 writes dashboards; newer ones bring it up to date when they load it."""


@dataclass(frozen=True, kw_only=True)
class Row:
    title: str
    panels: Sequence[Panel]
    collapsed: bool = False


@dataclass(frozen=True, kw_only=True)
class Board:
    """`uid` is also the name of its file, and its address: /d/UID."""

    uid: str
    title: str
    says: str
    rows: Sequence[Row]
    variables: Sequence[Json] = ()
    since: str = "now-3h"
    refresh: str = "30s"
    noted: bool = True

    def json(self) -> Json:
        return {
            "annotations": {"list": _annotations() if self.noted else []},
            "description": self.says,
            "editable": True,
            "fiscalYearStartMonth": 0,
            "graphTooltip": 1,
            "id": None,
            "links": [_to_the_others()],
            "panels": list(_placed(self.rows)),
            "preload": False,
            "refresh": self.refresh,
            "schemaVersion": SCHEMA,
            "tags": [TAG],
            "templating": {"list": list(self.variables)},
            "time": {"from": self.since, "to": "now"},
            "timepicker": {},
            "timezone": "browser",
            "title": self.title,
            "uid": self.uid,
            "version": 1,
            "weekStart": "",
        }


def _placed(rows: Sequence[Row]) -> Iterator[Json]:
    """Panels from left to right, and down where a line is full; numbered as they come."""
    number, y = 0, 0
    for row in rows:
        number, top = number + 1 if row.title else number, y
        placed: list[Json] = []
        y = y + 1 if row.title else y
        x = line = 0
        for offset, panel in enumerate(row.panels, start=1):
            if x + panel.width > COLUMNS:
                x, y, line = 0, y + line, 0
            place = {"h": panel.height, "w": panel.width, "x": x, "y": y}
            placed.append(panel.json(number + offset, place))
            x, line = x + panel.width, max(line, panel.height)
        y += line
        if row.title:
            yield _row(row, number, top, placed if row.collapsed else [])
        if not row.collapsed:
            yield from placed
        number += len(placed)


def _row(row: Row, number: int, y: int, inside: Sequence[Json]) -> Json:
    return {
        "collapsed": row.collapsed,
        "gridPos": {"h": 1, "w": COLUMNS, "x": 0, "y": y},
        "id": number,
        "panels": list(inside),
        "title": row.title,
        "type": "row",
    }


def _to_the_others() -> Json:
    """The dashboards of this set, with what is chosen here."""
    return {
        "asDropdown": False,
        "icon": "external link",
        "includeVars": True,
        "keepTime": True,
        "tags": [TAG],
        "targetBlank": False,
        "title": "",
        "tooltip": "",
        "type": "dashboards",
        "url": "",
    }


def _annotations() -> list[Json]:
    """What explains a bend in a graph."""
    return [
        _noted(
            "Policy taken up",
            'subagent_policy_loaded_timestamp_seconds{job=~"$job"} * 1000',
            "blue",
            at_value=True,
        ),
        _noted(
            "Sidecar started",
            'process_start_time_seconds{job=~"$job"} * 1000',
            "purple",
            at_value=True,
        ),
        _noted(
            "Alerts that page",
            'ALERTS{alertname=~"Subagent.+", alertstate="firing", severity="page"}',
            "red",
            title="{{alertname}}",
            text="{{upstream}} {{agent}}",
        ),
    ]


def _noted(
    name: str,
    expr: str,
    color: str,
    *,
    at_value: bool = False,
    title: str = "",
    text: str = "{{instance}}",
) -> Json:
    return {
        "datasource": PROMETHEUS,
        "enable": True,
        "expr": expr,
        "hide": False,
        "iconColor": color,
        "name": name,
        "step": "60s",
        "tagKeys": "",
        "textFormat": text,
        "titleFormat": title or name,
        "useValueForTime": at_value,
    }


def datasource(name: str, label: str, kind: str) -> Json:
    return {
        "current": {},
        "includeAll": False,
        "label": label,
        "multi": False,
        "name": name,
        "options": [],
        "query": kind,
        "refresh": 1,
        "regex": "",
        "type": "datasource",
    }


def choice(name: str, label: str, query: str, says: str) -> Json:
    """One, several or all of the values that a label has."""
    return {
        "allValue": ".*",
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
        "datasource": PROMETHEUS,
        "definition": query,
        "description": says,
        "includeAll": True,
        "label": label,
        "multi": True,
        "name": name,
        "options": [],
        "query": {"qryType": 1, "query": query, "refId": "PrometheusVariableQueryEditor"},
        "refresh": 2,
        "regex": "",
        "sort": 1,
        "type": "query",
    }


def textbox(name: str, label: str, says: str, value: str = "") -> Json:
    return {
        "current": {"selected": True, "text": value, "value": value},
        "description": says,
        "label": label,
        "name": name,
        "options": [{"selected": True, "text": value, "value": value}],
        "query": value,
        "type": "textbox",
    }


METRICS = datasource("metrics", "Metrics", "prometheus")
TRACES = datasource("traces", "Traces", "tempo")
JOB = choice(
    "job",
    "Job",
    "label_values(subagent_build_info, job)",
    "The sidecars of one store are one job.",
)
UPSTREAM = choice(
    "upstream",
    "Upstream",
    'label_values(subagent_upstream_up{job=~"$job"}, upstream)',
    "Agent servers. Figures that know none are shown whatever is chosen.",
)
AGENT = choice(
    "agent",
    "Agent",
    'label_values(subagent_tasks_started_total{job=~"$job"}, agent)',
    "Figures that know none are shown whatever is chosen.",
)
FILTERS: Sequence[Any] = (METRICS, JOB, UPSTREAM, AGENT)
