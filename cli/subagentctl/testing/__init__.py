"""A fake admin plane, and records to fill it with, for tests of anything that talks to one.

`python -m subagentctl.testing` serves a made-up day on port 8461 to look at the commands with.
"""

from subagentctl.testing.admin import FakeAdmin, Reply, Request, problem
from subagentctl.testing.records import NOW, demo_events, demo_tasks, make_run, make_task

__all__ = [
    "NOW",
    "FakeAdmin",
    "Reply",
    "Request",
    "demo_events",
    "demo_tasks",
    "make_run",
    "make_task",
    "problem",
]
