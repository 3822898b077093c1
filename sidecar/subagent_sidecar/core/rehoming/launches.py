"""Which span of a supervisor's own trace started which task.

Where a supervisor sends no context along, its trace and those of its tasks have nothing in common.
But all emitters call the span of a tool by the tool's name, and what deepagents' tool answers
stands in it: `Launched async subagent. task_id: ...`. So that span can point to the task.
"""

import re
from collections.abc import Iterable
from itertools import islice

from .mentions import Attribute

TOOL = "start_async_task"

_LAUNCHED = re.compile(r"Launched async subagent\. task_id: ([0-9A-Za-z-]{4,64})")
_MOST_ATTRIBUTES = 200
_LONGEST = 64 * 1024


def launched(attributes: Iterable[Attribute]) -> str | None:
    """The task that a span of TOOL started; None where it does not say so."""
    for each in islice(attributes, _MOST_ATTRIBUTES):
        text = each.value.string_value
        if 0 < len(text) <= _LONGEST and (found := _LAUNCHED.search(text)):
            return found[1]
    return None
