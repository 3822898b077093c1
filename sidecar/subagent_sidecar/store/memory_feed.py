"""Reading the events of the store in memory: the twin of feed.py."""

from collections.abc import Iterator, Mapping, Sequence

from ..core.feed import EventPage, EventQuery, ToldEvent
from ..core.model import Event, Task, Timestamp

Tasks = Mapping[str, Task]


def events_after(
    events: Sequence[Event], tasks: Tasks, query: EventQuery, pruned: int
) -> EventPage:
    """See ports.Store."""
    last = events[-1].seq if events else 0
    fits = [told for told in _told(events, tasks, query) if told.event.seq > query.after]
    page = tuple(fits[: query.limit])
    upto = page[-1].event.seq if len(page) == query.limit else max(last, query.after)
    return EventPage(events=page, upto=upto, last=last, pruned=pruned)


def newest_events(events: Sequence[Event], tasks: Tasks, query: EventQuery) -> list[ToldEvent]:
    """See ports.Store."""
    fits = list(_told(events, tasks, query))
    return fits[max(len(fits) - query.limit, 0) :]


def position_at(events: Sequence[Event], moment: Timestamp) -> int:
    """See ports.Store."""
    return max((event.seq for event in events if event.at < moment), default=0)


def _told(events: Sequence[Event], tasks: Tasks, query: EventQuery) -> Iterator[ToldEvent]:
    for event in events:
        told = _with_its_task(event, tasks)
        if (
            query.task_id in (None, event.task_id)
            and query.session_id in (None, told.session_id)
            and query.agent_name in (None, told.agent_name)
            and query.upstream in (None, told.upstream)
            and (not query.kinds or event.kind in query.kinds)
        ):
            yield told


def _with_its_task(event: Event, tasks: Tasks) -> ToldEvent:
    task = tasks.get(event.task_id or "")
    if task is None:
        named = event.detail
        return ToldEvent(
            event=event, agent_name=named.get("agent"), session_id=named.get("session")
        )
    return ToldEvent(
        event=event,
        agent_name=task.agent_name,
        session_id=task.session_id,
        upstream=task.upstream,
    )
