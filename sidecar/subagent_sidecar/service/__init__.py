"""What the sidecar does, one method each, on top of the store.

The proxy tells it what passed by; the watcher and the reconciler tell it what they read. Starts
wait for the store (they must be durable before they are sent); everything else is posted and
entered behind the answer, in the order in which it happened.

`Service` has what concerns starts. The rest stands with it by subject: `seen` (sightings.py),
`cancels`, `usage`, `polls`, `levers` and, from next door, `sessions`.
"""

from .service import Service

__all__ = ["Service"]
