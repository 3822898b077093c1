"""Where spans and metrics go: by the sidecar's own settings, then by the standard variables."""

from collections.abc import Mapping
from dataclasses import dataclass

HTTP, GRPC, CONSOLE = "http/protobuf", "grpc", "console"

_TIMEOUT_S = 10.0
TRACES, METRICS = "TRACES", "METRICS"
"""What is exported, as the standard variables call it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """`url` is None where the exporter reads the standard variables itself."""

    protocol: str
    url: str | None
    timeout_s: float = _TIMEOUT_S

    def __str__(self) -> str:
        if self.protocol == CONSOLE:
            return "the console"
        return f"{self.url or 'the endpoint of OTEL_EXPORTER_OTLP_*'} ({self.protocol})"


def where(
    *, endpoint: str | None, protocol: str | None, environ: Mapping[str, str]
) -> Where | None:
    """Where spans are to be exported to; None where nobody says so. Of the variables these turn it
    on: an OTLP endpoint, or `OTEL_TRACES_EXPORTER=console`; and `OTEL_SDK_DISABLED=true` and
    `OTEL_TRACES_EXPORTER=none` turn off what other variables turned on."""
    if endpoint is not None:
        return _of_setting(endpoint, protocol, environ, TRACES)
    exporter = _exporter(environ, TRACES)
    if exporter == CONSOLE:
        return Where(protocol=CONSOLE, url=None)
    if exporter == "none" or not _first(environ, *_names("ENDPOINT", TRACES)):
        return None
    return _of_environment(protocol, environ, TRACES)


def where_metrics(
    *,
    wanted: bool | None,
    endpoint: str | None,
    protocol: str | None,
    environ: Mapping[str, str],
) -> Where | None:
    """Where metrics are to be pushed to; None where nobody says so. An endpoint alone does not:
    metrics are there to be scraped. `wanted` is our own setting; where that says nothing,
    `OTEL_METRICS_EXPORTER` does."""
    exporter = _exporter(environ, METRICS)
    if wanted is None:
        wanted = exporter in ("otlp", CONSOLE)
        if wanted and exporter == CONSOLE:
            return Where(protocol=CONSOLE, url=None)
    if not wanted:
        return None
    if endpoint is not None:
        return _of_setting(endpoint, protocol, environ, METRICS)
    return _of_environment(protocol, environ, METRICS)


def metrics_every(environ: Mapping[str, str]) -> float:
    """Seconds from one push of metrics to the next; the variable has milliseconds."""
    try:
        found = float(_first(environ, "OTEL_METRIC_EXPORT_INTERVAL") or _EVERY_MS) / 1_000
    except ValueError:
        found = 0.0
    return found if _LEAST_EVERY_S <= found <= _MOST_EVERY_S else _EVERY_MS / 1_000


_EVERY_MS = 60_000
_LEAST_EVERY_S, _MOST_EVERY_S = 0.05, 86_400.0


def _of_setting(
    endpoint: str, protocol: str | None, environ: Mapping[str, str], signal: str
) -> Where:
    if endpoint == CONSOLE:
        return Where(protocol=CONSOLE, url=None)
    found = protocol or _protocol(environ, signal)
    return Where(
        protocol=found,
        url=_below(endpoint, signal) if found == HTTP else endpoint,
        timeout_s=_timeout(environ, signal),
    )


def _of_environment(protocol: str | None, environ: Mapping[str, str], signal: str) -> Where:
    return Where(
        protocol=protocol or _protocol(environ, signal),
        url=None,
        timeout_s=_timeout(environ, signal),
    )


def _exporter(environ: Mapping[str, str], signal: str) -> str:
    """As `OTEL_<signal>_EXPORTER` names it; `none` where everything is turned off."""
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true":
        return "none"
    return environ.get(f"OTEL_{signal}_EXPORTER", "").strip().lower()


def _names(what: str, signal: str) -> tuple[str, str]:
    return f"OTEL_EXPORTER_OTLP_{signal}_{what}", f"OTEL_EXPORTER_OTLP_{what}"


def _protocol(environ: Mapping[str, str], signal: str) -> str:
    return GRPC if _first(environ, *_names("PROTOCOL", signal)) == GRPC else HTTP


def _timeout(environ: Mapping[str, str], signal: str) -> float:
    """Seconds, as the Python SDK reads it."""
    given = _first(environ, *_names("TIMEOUT", signal))
    try:
        found = float(given or _TIMEOUT_S)
    except ValueError:
        return _TIMEOUT_S
    return found if 0 < found < 3_600 else _TIMEOUT_S


def _below(endpoint: str, signal: str) -> str:
    """An endpoint is where a collector listens; each signal has its place below it."""
    bare = endpoint.rstrip("/")
    for each in (TRACES, METRICS):
        bare = bare.removesuffix(f"/v1/{each.lower()}")
    return f"{bare}/v1/{signal.lower()}"


def _first(environ: Mapping[str, str], *names: str) -> str:
    return next((value for name in names if (value := environ.get(name, "").strip())), "")
