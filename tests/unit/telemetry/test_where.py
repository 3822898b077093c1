"""Where spans go: settings first, then the standard variables; nowhere unless somebody says so."""

from collections.abc import Mapping

import pytest

from subagent_sidecar.telemetry import where

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
