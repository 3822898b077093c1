"""What the sidecar adds to a start, so that the run can be told from others."""

from ..core.model import Intent
from ..core.splice import with_changed, with_metadata
from ..core.trace_ids import sent_with

TRACEPARENT = "sidecar_traceparent"
"""Under which the context of the run's span is told."""


def metadata(intent: Intent) -> dict[str, str]:
    """For the run's `metadata`."""
    found = {"sidecar_session_id": intent.session_id, "sidecar_depth": str(intent.depth)}
    if (context := sent_with(intent)) is not None:
        found[TRACEPARENT] = context
    if intent.thread_id is not None:
        found["sidecar_task_id"] = intent.thread_id
    return found


def marked(command: bytes, intent: Intent, *, request_id: bool = False) -> bytes:
    """A v2 command with the metadata in its `params`. With `request_id` that is among it: over a
    WebSocket there is no header to carry it, and nothing else to find the run by."""
    found = metadata(intent)
    if request_id:
        found["sidecar_request_id"] = intent.request_id
    return with_changed(command, "params", lambda params: with_metadata(params, found))
