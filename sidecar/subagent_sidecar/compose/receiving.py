"""Whether traces of others are taken in, and where they go."""

import importlib
import os

from ..core.rehoming.homes import Mode
from ..core.spans_seen import SpansSeen
from ..telemetry import Receiver, Relay, Where
from ..telemetry.poster import Poster
from .base import Base
from .tracing import export_to

_OFF = "off"


def receiver(base: Base, seen: SpansSeen) -> Receiver | None:
    """To be closed before the store is, and when nobody is served any more."""
    settings = base.settings
    if settings.otlp_receive == _OFF:
        return None
    found = export_to(settings)
    return Receiver(
        store=base.store,
        seen=seen,
        relay=None if found is None else _relay(found, base),
        mode=Mode(settings.otlp_receive),
        hold_s=settings.otlp_hold.total_seconds(),
        buffer=settings.otlp_buffer,
        most=settings.otlp_max_body,
        now=base.clock.monotonic,
    )


def _relay(to: Where, base: Base) -> Relay:
    return Relay(lambda: _poster(to), now=base.clock.monotonic)


def _poster(to: Where) -> Poster:
    """Called late, and on a thread of its own: what it needs takes its time to load."""
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it writes between the lines of the log
    posting = importlib.import_module("subagent_sidecar.telemetry.posting")
    poster: Poster = posting.poster(to, os.environ)
    return poster
