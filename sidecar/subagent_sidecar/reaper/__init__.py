"""Ends stale and orphaned tasks, as lifecycle rules say.

`reaper` is the loop: every few seconds, and at once when a session or a parent ends, it reads what
is live (`reading`), asks the core what is to end (core/reap.py), and has that done: each task is
looked at on its server once more (`sighting`), claimed in the store, and ended (`falling`); what is
to be terminated is removed from its server once its end is verified (`terminating`).
"""

from .reaper import Reaper

__all__ = ["Reaper"]
