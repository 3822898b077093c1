"""What a `ChaosProxy` can do to one direction of a connection; the names are toxiproxy's."""

from dataclasses import dataclass
from enum import StrEnum


class Way(StrEnum):
    """UP is from the client to the server, DOWN is back."""

    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Latency:
    """All data arrives `seconds` (give or take `jitter`) later, in order, at full throughput."""

    seconds: float
    jitter: float = 0.0


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """At most this many bytes per second."""

    bytes_per_second: float


@dataclass(frozen=True, slots=True)
class SlowClose:
    """The end of the stream arrives `seconds` late."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Timeout:
    """Nothing passes any more; after `seconds` the connection is closed (0: never)."""

    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class ResetPeer:
    """RST to both ends: `seconds` from now, or once `after_bytes` more have passed this way."""

    seconds: float = 0.0
    after_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Slicer:
    """Data arrives in pieces of about `size` bytes, `delay` seconds apart."""

    size: int
    variation: int = 0
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class LimitData:
    """The connection is closed (FIN) once this many more bytes have passed this way."""

    max_bytes: int


Toxic = Latency | Bandwidth | SlowClose | Timeout | ResetPeer | Slicer | LimitData
