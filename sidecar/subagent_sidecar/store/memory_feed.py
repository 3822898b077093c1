"""Reading the events of the store in memory: the twin of feed.py."""

from collections.abc import Iterator, Mapping, Sequence

from ..core.feed import EventPage, EventQuery, ToldEvent, told
from ..core.model import Event, Task, Timestamp

Tasks = Mapping[str, Task]


def events_after(
    events: Sequence[Event], tasks: Tasks, query: EventQuery, pruned: int
) -> EventPage:
    """See ports.Store."""
    last = events[-1].seq if events else 0
    fits = [one for one in _told(events, tasks, query) if one.event.seq > query.after]
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
        mine = told(event, tasks.get(event.task_id or ""))
        if (
            query.task_id in (None, event.task_id)
            and query.session_id in (None, mine.session_id)
            and query.agent_name in (None, mine.agent_name)
            and query.upstream in (None, mine.upstream)
            and (not query.kinds or event.kind in query.kinds)
        ):
            yield mine
