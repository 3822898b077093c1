"""What the sidecar tells an OTLP endpoint: traces, its own from the record and those of others; and
metrics, where somebody wants them pushed."""

from .batches import Numbers
from .exporting import Exporting, Sender
from .push import MetricsPush, Reading
from .receiving import Receiver, ReceiverNumbers, Relay
from .tracer import Tracer
from .where import Where, metrics_every, where, where_metrics

__all__ = [
    "Exporting",
    "MetricsPush",
    "Numbers",
    "Reading",
    "Receiver",
    "ReceiverNumbers",
    "Relay",
    "Sender",
    "Tracer",
    "Where",
    "metrics_every",
    "where",
    "where_metrics",
]
