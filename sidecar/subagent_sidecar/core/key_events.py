"""What is told of supervisor keys: that there is one more, and that one opens nothing any more."""

from typing import Any

from .keys import Key
from .model import Event, Timestamp


def key_created(key: Key) -> Event:
    detail: dict[str, Any] = {
        "key_id": key.key_id,
        "supervisor": key.name,
        "agents": list(key.agents),
        "every_task": key.every_task,
        "expires_at": key.expires_at,
    }
    return Event(at=key.created_at, kind="key_created", detail=_by(detail, key.created_by))


def key_revoked(key_id: str, name: str, at: Timestamp, by: str | None) -> Event:
    detail = {"key_id": key_id, "supervisor": name}
    return Event(at=at, kind="key_revoked", detail=_by(detail, by))


def _by(detail: dict[str, Any], who: str | None) -> dict[str, Any]:
    """With who did it, where admin tokens tell."""
    return detail if who is None else {**detail, "by": who}
