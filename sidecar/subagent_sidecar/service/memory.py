"""What the service remembers of runs and threads."""

from dataclasses import dataclass, field
from typing import Any

from ..core.model import RunStatus, ThreadStatus

_KNOWN_LIMIT = 50_000


@dataclass(slots=True)
class Memory:
    """What saves a look at the store: the last status of each run and thread, by who told it,
    and the threads' homes."""

    statuses: dict[tuple[str, str], RunStatus] = field(default_factory=dict)
    threads: dict[tuple[str, str], ThreadStatus] = field(default_factory=dict)
    homes: dict[str, str] = field(default_factory=dict)

    def trim(self) -> None:
        """Forget the oldest tenth of whatever has grown too large."""
        _trim(self.statuses)
        _trim(self.threads)
        _trim(self.homes)


def _trim(table: dict[Any, Any]) -> None:
    if len(table) > _KNOWN_LIMIT:
        for key in list(table)[: len(table) - _KNOWN_LIMIT * 9 // 10]:
            del table[key]
