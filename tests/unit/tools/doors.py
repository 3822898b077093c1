"""tools.door.Door by hand."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from subagent_sidecar.core.principal import Principal
from subagent_sidecar.ports import Headers
from subagent_sidecar.tools import Answered


@dataclass
class ScriptedDoor:
    """`answer` is given method and target, and says (status, JSON)."""

    answer: Callable[[str, str], tuple[int, Any]]
    asked: list[str] = field(default_factory=list)

    async def ask(
        self,
        method: str,
        target: str,
        *,
        principal: Principal,
        fields: Headers,
        body: Mapping[str, Any] | None = None,
    ) -> Answered:
        self.asked.append(f"{method} {target}")
        status, told = self.answer(method, target)
        return Answered(status, "", (), json.dumps(told).encode())
