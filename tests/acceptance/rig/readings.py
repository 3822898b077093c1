"""Read facts out of a recording."""

import json
from typing import Any

Json = dict[str, Any]


def statuses_told(recording: Json) -> list[str]:
    """The statuses that `check_async_task` gave the model, in order; other answers verbatim."""
    return [
        _status(shown[-1]["content"])
        for step in recording["steps"]
        if step["step"] == "check_async_task"
        for shown in step["shown"]
        if shown and shown[-1]["type"] == "tool"
    ]


def _status(answer: str) -> str:
    return str(json.loads(answer)["status"]) if answer.startswith("{") else answer
