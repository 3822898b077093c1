"""Finds what went around the sidecar, and puts it on record."""

from .auditor import Auditor

__all__ = ["Auditor"]
