"""Traces: the sidecar's own, from the record to an OTLP endpoint, and those of others."""

from .exporting import Exporting, Sender
from .receiving import Receiver, ReceiverNumbers, Relay
from .tracer import Numbers, Tracer
from .where import Where, where

__all__ = [
    "Exporting",
    "Numbers",
    "Receiver",
    "ReceiverNumbers",
    "Relay",
    "Sender",
    "Tracer",
    "Where",
    "where",
]
