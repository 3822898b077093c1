"""The kinds of panels the dashboards are made of, each as Grafana wants it."""

from collections.abc import Mapping, Sequence
from typing import Any

from scripts.dashboards.panels import COUNT, SECONDS, Json, Panel, Query, TraceQuery
from scripts.dashboards.queries import buckets

from subagent_sidecar.core.metrics.instruments import Instrument

_LAST = {"calcs": ["lastNotNull"], "fields": "", "values": False}


def stat(title: str, says: str, expr: str, **more: Any) -> Panel:
    """One number, now, in the colour of how bad it is."""
    background = len(more.get("steps", ())) > 1
    options = {
        "colorMode": "background" if background else "value",
        "graphMode": "none",
        "justifyMode": "center",
        "orientation": "auto",
        "percentChangeColorMode": "standard",
        "reduceOptions": _LAST,
        "showPercentChange": False,
        "textMode": "value",
        "wideLayout": True,
    }
    query = Query(expr=expr, instant=True)
    size = {"width": 3, "height": 4, "queries": (query,)}
    return Panel(kind="stat", title=title, says=says, options=options, **{**size, **more})


def graph(
    title: str,
    says: str,
    *queries: Query,
    stacked: bool = False,
    marked: bool = False,
    bars: bool = False,
    **more: Any,
) -> Panel:
    """Lines over time. `marked`: its thresholds are drawn as lines."""
    custom = {
        "axisPlacement": "auto",
        "drawStyle": "bars" if bars else "line",
        "fillOpacity": 60 if bars else 30 if stacked else 8,
        "gradientMode": "none",
        "lineInterpolation": "linear",
        "lineWidth": 0 if bars else 1,
        "pointSize": 5,
        "showPoints": "auto",
        "spanNulls": False,
        "stacking": {"group": "A", "mode": "normal" if stacked else "none"},
        "thresholdsStyle": {"mode": "dashed" if marked else "off"},
    }
    options = {
        "legend": {
            "calcs": ["lastNotNull", "max"],
            "displayMode": "table",
            "placement": "bottom",
            "showLegend": True,
        },
        "tooltip": {"hideZeros": True, "mode": "multi", "sort": "desc"},
    }
    defaults = {"color": {"mode": "palette-classic"}, "min": 0, **more.pop("defaults", {})}
    return Panel(
        kind="timeseries",
        title=title,
        says=says,
        queries=queries,
        custom=custom,
        options=options,
        defaults=defaults,
        **more,
    )


def states(
    title: str, says: str, query: Query, names: Mapping[int, tuple[str, str]], **more: Any
) -> Panel:
    """Bands over time: a number's name and colour in each."""
    return Panel(
        kind="state-timeline",
        title=title,
        says=says,
        queries=(query,),
        custom={"fillOpacity": 80, "lineWidth": 0},
        options={
            "alignValue": "left",
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
            "mergeValues": True,
            "rowHeight": 0.8,
            "showValue": "auto",
            "tooltip": {"mode": "single", "sort": "none"},
        },
        defaults={"mappings": mapped(names)},
        **more,
    )


def mapped(names: Mapping[int, tuple[str, str]]) -> list[Json]:
    options = {
        str(value): {"color": color, "index": index, "text": text}
        for index, (value, (text, color)) in enumerate(names.items())
    }
    return [{"type": "value", "options": options}]


def heat(title: str, says: str, of: Instrument, **more: Any) -> Panel:
    """How many fell into each bucket of a histogram, over time."""
    query = Query(
        expr=buckets(of, over="$__interval", how="increase"),
        legend="{{le}}",
        form="heatmap",
        exemplars=True,
        step="1m",
    )
    options = {
        "calculate": False,
        "cellGap": 1,
        "cellValues": {"unit": COUNT},
        "color": {"mode": "scheme", "scheme": "Oranges", "steps": 64, "exponent": 0.5}
        | {"fill": "dark-orange", "reverse": False, "scale": "exponential"},
        "exemplars": {"color": "rgba(255,0,255,0.7)"},
        "filterValues": {"le": 1e-9},
        "legend": {"show": True},
        "rowsFrame": {"layout": "auto"},
        "tooltip": {"mode": "single", "showColorScale": False, "yHistogram": False},
        "yAxis": {"axisPlacement": "left", "reverse": False, "unit": SECONDS},
    }
    return Panel(kind="heatmap", title=title, says=says, queries=(query,), options=options, **more)


def bars(title: str, says: str, query: Query, **more: Any) -> Panel:
    """One bar for each series, as it stands now."""
    options = {
        "displayMode": "basic",
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": False},
        "minVizHeight": 16,
        "minVizWidth": 8,
        "namePlacement": "left",
        "orientation": "horizontal",
        "reduceOptions": _LAST,
        "showUnfilled": True,
        "sizing": "auto",
        "valueMode": "color",
    }
    return Panel(kind="bargauge", title=title, says=says, queries=(query,), options=options, **more)


def table(
    title: str, says: str, *queries: Query | TraceQuery, sort: str = "", **more: Any
) -> Panel:
    order = [{"desc": True, "displayName": sort}] if sort else []
    return Panel(
        kind="table",
        title=title,
        says=says,
        queries=queries,
        custom={"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True}
        | {"inspect": False},
        options={"cellHeight": "sm", "showHeader": True, "sortBy": order},
        **{"width": 24, "height": 9, "defaults": {"color": {"mode": "thresholds"}}, **more},
    )


def text(title: str, markdown: str, **more: Any) -> Panel:
    options = {"content": markdown, "mode": "markdown"}
    return Panel(kind="text", title=title, says="", options=options, **more)


def trace(title: str, says: str, query: TraceQuery, **more: Any) -> Panel:
    """One trace, whole."""
    return Panel(kind="traces", title=title, says=says, queries=(query,), **more)


def override(name: str, **properties: Any) -> Json:
    """What is different for one field. `custom__width` stands for `custom.width`."""
    told = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": told}


def colored(**colors: str) -> list[Json]:
    """The colour of each series by its name."""
    return [
        override(name, color={"fixedColor": color, "mode": "fixed"})
        for name, color in colors.items()
    ]


def organized(order: Sequence[str], names: Mapping[str, str], *, hide: Sequence[str] = ()) -> Json:
    """The columns of a table: their order, and what they are called."""
    return {
        "id": "organize",
        "options": {
            "excludeByName": dict.fromkeys(hide, True),
            "includeByName": {},
            "indexByName": {column: index for index, column in enumerate(order)},
            "renameByName": dict(names),
        },
    }
