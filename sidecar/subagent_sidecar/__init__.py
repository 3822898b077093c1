"""Observability and governance proxy for async subagents."""

__version__ = "0.1.0"
