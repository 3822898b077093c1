"""What the sidecar adds to a start, so that the run can be told from others."""

import json

from ..core.model import Intent
from ..core.splice import quoted, with_changed, with_first, with_metadata
from ..core.trace_ids import sent_with

TRACEPARENT = "sidecar_traceparent"
"""Under which the context of the run's span is told."""


def sent(body: bytes, intent: Intent, *, bare: bool) -> tuple[bytes, str | None]:
    """The body of a start with the run's metadata in it, and the context that it tells. `bare`: it
    is known to be an object without `metadata`."""
    context = sent_with(intent)
    if bare:
        return with_first(body, _member(intent, context, intent.thread_id)), context
    return with_metadata(body, _metadata(intent, context)), context


def _member(intent: Intent, context: str | None, thread_id: str | None) -> bytes:
    """`_metadata` as text. Of most starts half of it is always the same, and a fourth needs no
    escapes."""
    if context is None or thread_id is None:
        members = json.dumps(_metadata(intent, context), separators=(",", ":"))
        return f'"metadata":{members}'.encode()
    return (
        f'"metadata":{{"sidecar_session_id":{quoted(intent.session_id)},'
        f'"sidecar_depth":"{intent.depth}","{TRACEPARENT}":"{context}",'
        f'"sidecar_task_id":{quoted(thread_id)}}}'
    ).encode()


def _metadata(intent: Intent, context: str | None) -> dict[str, str]:
    """For the run's `metadata`."""
    found = {"sidecar_session_id": intent.session_id, "sidecar_depth": str(intent.depth)}
    if context is not None:
        found[TRACEPARENT] = context
    if intent.thread_id is not None:
        found["sidecar_task_id"] = intent.thread_id
    return found


def marked(command: bytes, intent: Intent, *, request_id: bool = False) -> bytes:
    """A v2 command with the metadata in its `params`. With `request_id` that is among it: over a
    WebSocket there is no header to carry it, and nothing else to find the run by."""
    found = _metadata(intent, sent_with(intent))
    if request_id:
        found["sidecar_request_id"] = intent.request_id
    return with_changed(command, "params", lambda params: with_metadata(params, found))
