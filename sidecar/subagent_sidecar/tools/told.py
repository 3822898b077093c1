"""What a tool gives back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..core.tool_words import reason
from ..errors import SidecarError
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


def why(answered: Answered) -> str:
    """Why a request came to nothing."""
    if answered.cut_off:
        return "the server's answer broke off"
    return reason(answered.status, answered.reason, answered.json)
