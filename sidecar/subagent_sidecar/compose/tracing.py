"""Whether spans are exported, and what does it."""

import importlib
import os
from collections.abc import Mapping
from datetime import timedelta

from ..config import Settings
from ..core.spans import Span, Teller
from ..telemetry import Exporting, Sender, Tracer, Where, where
from .base import Base

_USAGE_WITHIN = timedelta(seconds=10)


def export_to(settings: Settings, environ: Mapping[str, str] = os.environ) -> Where | None:
    """Where spans go; None where nobody wants them."""
    return where(endpoint=settings.otlp_endpoint, protocol=settings.otlp_protocol, environ=environ)


def tracer(base: Base) -> Tracer | None:
    """To be closed before the store is, and after all who write to it."""
    found = export_to(base.settings)
    if found is None:
        return None
    settings = base.settings
    return Tracer(
        service=base.service,
        store=base.store,
        clock=base.clock,
        exporting=Exporting(lambda: _sender(found)),
        teller=Teller(
            servers={u.name: (u.host, u.port) for u in settings.upstreams},
            content=settings.trace_content,
        ),
        usage_within=_USAGE_WITHIN,
    )


def _sender(to: Where) -> Sender[Span]:
    """Called late, and on a thread of its own: the exporters take over a second to load."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it writes between the lines of the log
    sender: Sender[Span] = importlib.import_module("subagent_sidecar.telemetry.otel").sender(to)
    return sender
