"""What takes encoded requests to an OTLP endpoint, and what may become of one."""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Taken:
    """`rejected`: spans of it that the endpoint says it did not take."""

    rejected: int = 0


@dataclass(frozen=True, slots=True)
class Refused:
    """Sending it again would not help."""

    why: str


@dataclass(frozen=True, slots=True)
class Later:
    """It may be taken in `after_s` seconds, where it says so. `reached`: somebody answered."""

    why: str
    after_s: float | None
    reached: bool


Result = Taken | Refused | Later


class Poster(Protocol):
    """What takes encoded requests out of here; called on one thread, and as slow as it likes."""

    def post(self, payload: bytes) -> Result: ...

    def close(self) -> None:
        """Give up what is under way. Called from another thread."""
