"""What an id is that no task has: events of refused and failed starts have one, too."""

from ..core.feed import EventQuery
from ..core.model import Event
from ..ports import Store

_KINDS = frozenset({"refused", "start_failed", "cron_created"})
_LOOKED_AT = 500


async def what_it_is(store: Store, given: str) -> str:
    """A sentence for a 404. `given` is an id, or the begin or end of one; of the latter the newest
    events of such starts are looked at."""
    known = [event for event in await store.events(given, limit=_LOOKED_AT) if event.kind in _KINDS]
    if not known:
        newest = await store.newest_events(EventQuery(kinds=_KINDS, limit=_LOOKED_AT))
        known = [told.event for told in newest if _is_meant(told.event.task_id, given)]
    if not known:
        return f"no task's id begins or ends with '{given[:80]}'"
    return f"{known[-1].task_id} is no task: {_told(known[-1])}"


def _is_meant(task_id: str | None, given: str) -> bool:
    return task_id is not None and (task_id.startswith(given) or task_id.endswith(given))


def _told(event: Event) -> str:
    at = f"{event.at[:19]}Z"
    match event.kind:
        case "refused":
            by = f"rule {event.detail.get('rule')} of policy {event.detail.get('policy')}"
            if event.detail.get("code") == "frozen":
                by = "an operator's freeze"
            elif event.detail.get("code") == "key_agents":
                by = "its supervisor's key"
            return f"its start was refused by {by} at {at}"
        case "start_failed":
            return f"its start came to nothing at {at}: {event.detail.get('reason')}"
        case _:
            return f"it is the thread of a cron, {event.detail.get('cron_id')}"
