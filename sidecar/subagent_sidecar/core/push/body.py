"""What a push says."""

import json
from collections.abc import Mapping
from typing import Any

from .deliveries import Delivery


def body(delivery: Delivery, task: Mapping[str, Any] | None) -> bytes:
    """JSON. `task` is its record as it is now, which a follow-up may have moved on since; None
    where it is on record no more."""
    told = {
        "id": delivery.id,
        "at": delivery.at,
        "kind": "waiting" if delivery.status == "waiting" else "ended",
        "status": delivery.status,
        "task_id": delivery.task_id,
        "run_id": delivery.run_id,
        "task": task,
    }
    return json.dumps(told, separators=(",", ":")).encode()
