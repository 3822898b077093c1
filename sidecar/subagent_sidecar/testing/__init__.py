"""Test doubles for the sidecar's own tests and for those of its users.

`FakeAgentServer` is an Agent Protocol server to point a sidecar (or any client) at, with scripted
graphs, a ledger of what it accepted and faults on demand. `FakeClock` is a clock to tick by hand,
`JumpingClock` one that goes by itself and can be set.
"""

from subagent_sidecar.testing.clock import FakeClock, JumpingClock
from subagent_sidecar.testing.faults import Fault, FaultKind, FaultTable
from subagent_sidecar.testing.ledger import Ledger, LedgerEntry, Received, read_ledger
from subagent_sidecar.testing.records import assistant_id_of
from subagent_sidecar.testing.scripts import USUAL_GRAPHS, Outcome, Script, ask, fail, hang, succeed
from subagent_sidecar.testing.server import FakeAgentServer

__all__ = [
    "USUAL_GRAPHS",
    "FakeAgentServer",
    "FakeClock",
    "Fault",
    "FaultKind",
    "FaultTable",
    "JumpingClock",
    "Ledger",
    "LedgerEntry",
    "Outcome",
    "Received",
    "Script",
    "ask",
    "assistant_id_of",
    "fail",
    "hang",
    "read_ledger",
    "succeed",
]
