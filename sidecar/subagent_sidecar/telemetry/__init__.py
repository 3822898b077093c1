"""Traces of the sidecar's own, from the record to an OTLP endpoint."""

from .exporting import Exporting, Sender
from .tracer import Numbers, Tracer
from .where import Where, where

__all__ = ["Exporting", "Numbers", "Sender", "Tracer", "Where", "where"]
