"""Places where a test can have the process killed, to prove what a crash there leaves behind.

`SUBAGENT_SIDECAR_FAILPOINT=<name>` makes the process SIGKILL itself when it gets to `name`.
Without the variable a failpoint costs one look at `ANY`, where it is looked at first, as on the way
of every start.
"""

import os
import signal

_ARMED = os.environ.get("SUBAGENT_SIDECAR_FAILPOINT")

ANY = _ARMED is not None
"""Whether the process is to die anywhere."""

NAMES = frozenset(
    {
        "start.before_intent",
        "start.after_intent",
        "start.after_send",
        "start.after_head",
        "start.before_settle",
        "start.after_settle",
        "start.after_answer",
        "cancel.before_send",
        "cancel.after_head",
        "thread.after_head",
    }
)


def armed(name: str) -> bool:
    """Whether the process is to die at `name`; for points that need something done first."""
    return _ARMED is not None and name == _ARMED


def hit(name: str) -> None:
    """Die here if the environment says so."""
    if _ARMED is not None and name == _ARMED:
        os.kill(os.getpid(), signal.SIGKILL)
