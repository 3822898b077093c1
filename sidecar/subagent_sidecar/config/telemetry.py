"""What must fit together for traces to come in and go out."""

from collections.abc import Mapping
from typing import Any

from .. import config_values as parse
from ..config_values import Address
from .problems import Problems

_VARIABLES = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})


def check_telemetry(
    parsed: Mapping[str, Any], environ: Mapping[str, str], problems: Problems
) -> None:
    """What is larger than the buffer would be told to come again for ever, and what a sidecar sends
    to itself would go round for ever: a shell that has the variables for its agent server has them
    for the sidecar, too."""
    if parsed["otlp_max_body"] > parsed["otlp_buffer"]:
        problems.add("otlp_max_body", "must not be more than `otlp_buffer`")
    ours = (parsed["listen"], parsed["admin_listen"])
    if parsed["otlp_endpoint"] is not None:
        if _is_one_of(ours, parsed["otlp_endpoint"]):
            problems.add("otlp_endpoint", "is this sidecar itself")
        return
    off = (environ.get("OTEL_SDK_DISABLED"), environ.get("OTEL_TRACES_EXPORTER"))
    if (off[0] or "").strip().lower() == "true" or (off[1] or "").strip().lower() == "none":
        return
    name = next((each for each in _VARIABLES if environ.get(each, "").strip()), "")
    if name and _is_one_of(ours, environ[name].strip()):
        problems.found.append(
            f"{name}: is this sidecar itself, as it is for those who send it their traces. Say "
            "with --otlp-endpoint where traces go on to, or unset it for the sidecar"
        )


def _is_one_of(ours: tuple[Address, ...], endpoint: str) -> bool:
    try:
        host, port, *_ = parse.server_url(endpoint)
    except ValueError:
        return False  # the console, or what the exporter will have something to say about
    near = host in _THIS_MACHINE
    return any(
        port == each.port and (host == each.host or (near and each.host in _THIS_MACHINE))
        for each in ours
    )
