"""Where spans go: settings first, then the standard variables; nowhere unless somebody says so."""

from collections.abc import Mapping

import pytest

from subagent_sidecar.telemetry import metrics_every, where, where_metrics

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
Case = tuple[str | None, str | None, Mapping[str, str], str]

CASES: dict[str, Case] = {
    "nobody says so": (None, None, {}, "nowhere"),
    "a protocol alone": (None, "grpc", {}, "nowhere"),
    "a setting": ("http://c:4318", None, {}, "http/protobuf http://c:4318/v1/traces 10"),
    "a path before it": ("http://c/otlp/", None, {}, "http/protobuf http://c/otlp/v1/traces 10"),
    "the whole path": ("http://c/v1/traces", None, {}, "http/protobuf http://c/v1/traces 10"),
    "grpc": ("http://c:4317", "grpc", {}, "grpc http://c:4317 10"),
    "the console": ("console", None, {}, "console None 10"),
    "a setting is stronger": (
        "http://c:4318",
        None,
        {ENDPOINT: "http://other", "OTEL_TRACES_EXPORTER": "none"},
        "http/protobuf http://c:4318/v1/traces 10",
    ),
    "a variable": (None, None, {ENDPOINT: "http://c:4318"}, "http/protobuf None 10"),
    "one for traces": (
        None,
        None,
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://c/t"},
        "http/protobuf None 10",
    ),
    "an empty one": (None, None, {ENDPOINT: " "}, "nowhere"),
    "turned off": (None, None, {ENDPOINT: "http://c", "OTEL_SDK_DISABLED": "TRUE"}, "nowhere"),
    "no traces": (None, None, {ENDPOINT: "http://c", "OTEL_TRACES_EXPORTER": "none"}, "nowhere"),
    "console by variable": (None, None, {"OTEL_TRACES_EXPORTER": "console"}, "console None 10"),
    "protocol and time": (
        None,
        None,
        {
            ENDPOINT: "c:4317",
            "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_TIMEOUT": "3",
        },
        "grpc None 3",
    ),
    "a time that is none": (
        "http://c",
        None,
        {"OTEL_EXPORTER_OTLP_TIMEOUT": "soon"},
        "http/protobuf http://c/v1/traces 10",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_where_spans_go(case: str) -> None:
    endpoint, protocol, environ, expected = CASES[case]
    found = where(endpoint=endpoint, protocol=protocol, environ=environ)
    said = f"{found.protocol} {found.url} {found.timeout_s:g}" if found else "nowhere"
    assert said == expected


METRICS = "OTEL_METRICS_EXPORTER"
PUSHES: dict[str, tuple[bool | None, str | None, Mapping[str, str], str]] = {
    "an endpoint alone": (None, "http://c:4318", {ENDPOINT: "http://c:4318"}, "nowhere"),
    "a setting": (True, "http://c:4318", {}, "http/protobuf http://c:4318/v1/metrics 10"),
    "where traces go": (True, "http://c/v1/traces", {}, "http/protobuf http://c/v1/metrics 10"),
    "the usual place": (True, None, {}, "http/protobuf None 10"),
    "turned off": (False, "http://c:4318", {METRICS: "otlp"}, "nowhere"),
    "a variable": (None, None, {METRICS: "otlp"}, "http/protobuf None 10"),
    "with an endpoint": (
        None,
        "http://c",
        {METRICS: "OTLP"},
        "http/protobuf http://c/v1/metrics 10",
    ),
    "prometheus": (None, "http://c", {METRICS: "prometheus"}, "nowhere"),
    "none": (None, "http://c", {METRICS: "none"}, "nowhere"),
    "all off": (None, None, {METRICS: "otlp", "OTEL_SDK_DISABLED": "true"}, "nowhere"),
    "a setting is stronger": (True, None, {METRICS: "none"}, "http/protobuf None 10"),
    "the console": (None, None, {METRICS: "console"}, "console None 10"),
    "the console, by setting": (True, "console", {}, "console None 10"),
    "protocol and time": (
        None,
        None,
        {
            METRICS: "otlp",
            "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "grpc",
            "OTEL_EXPORTER_OTLP_METRICS_TIMEOUT": "3",
        },
        "grpc None 3",
    ),
}


@pytest.mark.parametrize("case", PUSHES)
def test_where_metrics_are_pushed(case: str) -> None:
    wanted, endpoint, environ, expected = PUSHES[case]
    found = where_metrics(wanted=wanted, endpoint=endpoint, protocol=None, environ=environ)
    said = f"{found.protocol} {found.url} {found.timeout_s:g}" if found else "nowhere"
    assert said == expected


@pytest.mark.parametrize(
    ("given", "seconds"),
    [("", 60), ("15000", 15), ("soon", 60), ("0", 60), ("-5", 60), ("nan", 60), ("inf", 60)],
)
def test_how_often_metrics_are_pushed(given: str, seconds: float) -> None:
    assert metrics_every({"OTEL_METRIC_EXPORT_INTERVAL": given}) == seconds
