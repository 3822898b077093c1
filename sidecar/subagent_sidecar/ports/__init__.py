"""What the service needs from the outside, as small protocols.

The classes behind them are chosen in `compose`; the public fakes are in `testing`.
"""

from .agent import AgentServer, ServerRun, ThreadState
from .books import (
    Deliveries,
    Figures,
    Owners,
    Replies,
    Reports,
    SpanPlaces,
    SupervisorKeys,
    Trees,
)
from .clock import Clock
from .ending import Canceller, Reaping, TaskEnder, Tidier
from .following import Began, CancelObserver, Doubts, Follower, Observer, Reachability
from .governing import Auditor, PolicyKeeping, Remaining
from .store import Store
from .upstream import Exchange, Headers, Outgoing, Repeated, Upstream, as_written

__all__ = [
    "AgentServer",
    "Auditor",
    "Began",
    "CancelObserver",
    "Canceller",
    "Clock",
    "Deliveries",
    "Doubts",
    "Exchange",
    "Figures",
    "Follower",
    "Headers",
    "Observer",
    "Outgoing",
    "Owners",
    "PolicyKeeping",
    "Reachability",
    "Reaping",
    "Remaining",
    "Repeated",
    "Replies",
    "Reports",
    "ServerRun",
    "SpanPlaces",
    "Store",
    "SupervisorKeys",
    "TaskEnder",
    "ThreadState",
    "Tidier",
    "Trees",
    "Upstream",
    "as_written",
]
