"""Where spans go: by the sidecar's own settings, then by the standard `OTEL_*` variables."""

from collections.abc import Mapping
from dataclasses import dataclass

HTTP, GRPC, CONSOLE = "http/protobuf", "grpc", "console"

_TIMEOUT_S = 10.0
_PATH = "/v1/traces"


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
    if endpoint is None:
        return _by_environment(protocol, environ)
    if endpoint == CONSOLE:
        return Where(protocol=CONSOLE, url=None)
    found = protocol or _protocol(environ)
    return Where(
        protocol=found,
        url=_for_traces(endpoint) if found == HTTP else endpoint,
        timeout_s=_timeout(environ),
    )


def _by_environment(protocol: str | None, environ: Mapping[str, str]) -> Where | None:
    exporter = environ.get("OTEL_TRACES_EXPORTER", "").strip().lower()
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return None
    if exporter == CONSOLE:
        return Where(protocol=CONSOLE, url=None)
    if not _first(environ, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT"):
        return None
    return Where(protocol=protocol or _protocol(environ), url=None, timeout_s=_timeout(environ))


def _protocol(environ: Mapping[str, str]) -> str:
    named = _first(environ, "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
    return GRPC if named == GRPC else HTTP


def _timeout(environ: Mapping[str, str]) -> float:
    """Seconds, as the Python SDK reads it."""
    given = _first(environ, "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_EXPORTER_OTLP_TIMEOUT")
    try:
        found = float(given or _TIMEOUT_S)
    except ValueError:
        return _TIMEOUT_S
    return found if 0 < found < 3_600 else _TIMEOUT_S


def _for_traces(endpoint: str) -> str:
    """An endpoint is where a collector listens; traces have their place below it."""
    bare = endpoint.rstrip("/")
    return bare if bare.endswith(_PATH) else bare + _PATH


def _first(environ: Mapping[str, str], *names: str) -> str:
    return next((value for name in names if (value := environ.get(name, "").strip())), "")
