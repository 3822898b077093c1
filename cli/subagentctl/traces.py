"""A trace as the admin plane gives it: the tree of a task, or the trees of a trace's id."""

from dataclasses import dataclass, field

from subagentctl.client import Client, JsonObject, segment
from subagentctl.fields import Record, nested, records, text

PAGE_SIZE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """All that was fetched of it. `more`: the limit left tasks out. `asked` is "" where it was
    asked for by its own id. `now` is the sidecar's time, as it wrote it."""

    trace_id: str
    asked: str
    now: str
    tasks: list[JsonObject]
    total: int
    more: bool
    events: list[JsonObject]
    refusals: list[JsonObject]
    spans: list[JsonObject] = field(default_factory=list)
    links: Record = field(default_factory=dict)


def fetch_trace(client: Client, given: str, limit: int) -> Trace:
    """Page by page, until there are `limit` tasks, or all (0). `given` is a task's id or any head
    or tail of it that fits only one, its `…` copied along; or a trace's id."""
    path = f"/v1/traces/{segment(given.strip().strip('…'))}"
    pages: list[JsonObject] = []
    cursor, count = "", 0
    while True:
        size = min(limit - count, PAGE_SIZE) if limit else PAGE_SIZE
        page = client.get(path, {"limit": str(size), "cursor": cursor})
        pages.append(page)
        for key in ("tasks", "events", "refusals"):
            if not isinstance(page.get(key), list):
                raise client.surprise(f"its answer holds no {key}")
        count += len(records(page, "tasks"))
        following = text(page, "next_cursor")
        if not following or (limit and count >= limit):
            return _joined(pages, more=bool(following))
        if following == cursor:
            raise client.surprise("its second page is the first one again")
        cursor = following


def trace_json(trace: Trace) -> JsonObject:
    """Everything that was fetched, in one document."""
    return {
        "trace_id": trace.trace_id or None,
        "task_id": trace.asked or None,
        "now": trace.now or None,
        "tasks": trace.tasks,
        "total": trace.total,
        "more": trace.more,
        "events": trace.events,
        "refusals": trace.refusals,
        "spans": trace.spans,
        "links": trace.links,
    }


def _joined(pages: list[JsonObject], *, more: bool) -> Trace:
    """The first page may have had tasks of later ones: each is kept once, in its place by age."""
    first = pages[0]
    tasks = {text(task, "task_id"): task for task in _all(pages, "tasks")}
    in_order = sorted(
        tasks.values(), key=lambda task: (text(task, "created_at"), text(task, "task_id"))
    )
    total = first.get("total")
    return Trace(
        trace_id=text(first, "trace_id"),
        asked=text(first, "task_id"),
        now=text(first, "now"),
        tasks=in_order,
        total=total if isinstance(total, int) else len(tasks),
        more=more,
        events=_once(_all(pages, "events")),
        refusals=_once(_all(pages, "refusals")),
        spans=_once(_all(pages, "spans")),
        links=nested(first, "links"),
    )


def _all(pages: list[JsonObject], key: str) -> list[JsonObject]:
    return [dict(each) for page in pages for each in records(page, key)]


def _once(told: list[JsonObject]) -> list[JsonObject]:
    """Those of tasks that several pages have come once."""
    return list({repr(sorted(each.items())): each for each in told}.values())
