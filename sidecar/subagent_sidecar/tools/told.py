"""What a tool gives back."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..core.tool_words import reason
from ..errors import SidecarError, UpstreamBroken
from .door import Answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """`text` for the model; `blocks` what follows it, where an answer holds media. `task` is what
    the text is about, for programs."""

    text: str
    blocks: tuple[Mapping[str, Any], ...] = ()
    task: Mapping[str, Any] | None = None

    @property
    def content(self) -> list[Mapping[str, Any]]:
        """All of it as blocks."""
        return [{"type": "text", "text": self.text}, *self.blocks]


class ToolFailed(Exception):
    """`text` for the model; `cause` is ours, or the answer that was no good one."""

    def __init__(self, text: str, cause: SidecarError | Answered) -> None:
        super().__init__(text)
        self.text = text
        self.cause = cause


def run_of(answered: Answered) -> Mapping[str, Any] | None:
    """What a good answer says of the run that it is about; None where it names none."""
    run = answered.json
    run_id = run.get("run_id") if isinstance(run, dict) else None
    if not isinstance(run_id, str) or not run_id:
        return None
    status = run.get("status")
    return {"run_id": run_id, "status": status if isinstance(status, str) else None}


def names_no_run(words: Callable[[str], str], task_id: str) -> ToolFailed:
    """A server said yes, and not to what: no run may have been made."""
    text = words(
        "the server's answer names no run, so whether there is one is not known; "
        f"`check_async_task` with task_id {task_id} tells in a moment"
    )
    cause = UpstreamBroken(text)
    cause.task_id = task_id
    return ToolFailed(text, cause)


def why(answered: Answered) -> str:
    """Why a request came to nothing."""
    if answered.cut_off:
        return "the server's answer broke off"
    if answered.good:
        return "the server's answer makes no sense"
    return reason(answered.status, answered.reason, answered.json)
