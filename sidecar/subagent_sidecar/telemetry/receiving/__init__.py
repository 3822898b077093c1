"""Spans of others: taken in over OTLP, brought into their tasks' traces, and sent on."""

from .receiver import Received, Receiver, ReceiverNumbers
from .relay import Relay, RelayNumbers

__all__ = ["Received", "Receiver", "ReceiverNumbers", "Relay", "RelayNumbers"]
