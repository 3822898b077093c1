"""Tasks as the admin plane gives them: the questions asked, the records, the pages."""

from collections.abc import Mapping
from dataclasses import dataclass

from subagentctl.client import Client, JsonObject, segment

LIVE = ("pending", "running", "waiting")
STATUSES = (*LIVE, "success", "error", "timeout", "cancelled")
PAGE_SIZE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """Which tasks are wanted. `limit` 0 means all; `since` is ISO-8601 UTC; "" means any."""

    session: str = ""
    agent: str = ""
    status: str = ""
    upstream: str = ""
    supervisor: str = ""
    since: str = ""
    all: bool = False
    limit: int = 50

    @property
    def filtered(self) -> bool:
        """Whether a task may be missing because of a filter."""
        return any(self._filters().values())

    def parameters(self) -> dict[str, str]:
        """The query string, as names and values; empty values are left out by the client."""
        return {**self._filters(), "all": "true" if self.all else ""}

    def _filters(self) -> dict[str, str]:
        return {
            "session": self.session,
            "agent": self.agent,
            "status": self.status,
            "upstream": self.upstream,
            "supervisor": self.supervisor,
            "since": self.since,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Tasks, newest first. `more`: the limit left some out; `hidden`: ended too long ago."""

    tasks: list[JsonObject]
    more: bool = False
    hidden: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskPage:
    """One task and its story."""

    task: JsonObject
    events: list[JsonObject]


def fetch_listing(client: Client, query: Query) -> Listing:
    """Ask page by page until `query.limit` tasks are there, or all."""
    tasks: list[JsonObject] = []
    cursor = ""
    while True:
        wanted = query.limit - len(tasks) if query.limit else PAGE_SIZE
        page = client.get("/v1/tasks", _page_parameters(query, min(wanted, PAGE_SIZE), cursor))
        tasks += _records(client, page, "tasks")
        following = page.get("next_cursor")
        if not following or (query.limit and len(tasks) >= query.limit):
            return _listing(query, tasks, page)
        if following == cursor:
            raise client.surprise("its second page is the first one again")
        cursor = str(following)


def fetch_task(client: Client, task_id: str) -> TaskPage:
    """`task_id` may be the full id or any unique head or tail of it, its `…` copied along."""
    page = client.get(f"/v1/tasks/{segment(task_id.strip().strip('…'))}")
    task = page.get("task")
    if not isinstance(task, dict):
        raise client.surprise("its answer holds no task")
    return TaskPage(task=task, events=_records(client, page, "events"))


def _page_parameters(query: Query, size: int, cursor: str) -> Mapping[str, str]:
    return {**query.parameters(), "limit": str(size), "cursor": cursor}


def _listing(query: Query, tasks: list[JsonObject], last: JsonObject) -> Listing:
    hidden = last.get("hidden")
    kept = tasks[: query.limit] if query.limit else tasks
    return Listing(
        tasks=kept,
        more=bool(last.get("next_cursor")) or len(kept) < len(tasks),
        hidden=hidden if isinstance(hidden, int) else 0,
    )


def _records(client: Client, page: JsonObject, key: str) -> list[JsonObject]:
    """The list of objects under `key`; anything else is not the admin plane's answer."""
    records = page.get(key)
    if not isinstance(records, list) or not all(isinstance(each, dict) for each in records):
        raise client.surprise(f"its answer holds no {key}")
    return records
