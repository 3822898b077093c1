"""How tools speak to agent servers: as a client of the data plane, like everybody else.

So there is one way for a start into the sidecar, whoever asks: policy, intents, sessions, traces,
idempotency, explained endings and all that is yet to come hold for tools as they stand.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

from ..core.principal import Principal
from ..ports import Headers


@dataclass(frozen=True)
class Answered:
    """A whole answer. `cut_off`: its end never came."""

    status: int
    reason: str
    headers: Headers
    body: bytes
    cut_off: bool = False

    @property
    def good(self) -> bool:
        return 200 <= self.status < 300 and not self.cut_off

    @cached_property
    def json(self) -> Any:
        """None where the body is no JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who uses a tool. `session` is None where none is named; `fields` are credentials, which go
    with every request, `context` those of a trace; `key` makes a start one that is made once."""

    principal: Principal
    session: str | None = None
    fields: Headers = ()
    context: Headers = ()
    key: str | None = None

    @property
    def supervisor(self) -> str:
        return self.principal.supervisor


class Door(Protocol):
    """The data plane, from inside."""

    async def ask(
        self,
        method: str,
        target: str,
        *,
        principal: Principal,
        fields: Headers,
        body: Mapping[str, Any] | None = None,
    ) -> Answered:
        """The answer to a request. Being cancelled is a client's leaving: a start that was sent is
        seen through all the same."""
