"""The stores the contract holds for, and reading everything one of them knows."""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from subagent_sidecar.core.model import TaskPage, TaskQuery, Timestamp
from subagent_sidecar.ports import Store
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.store.sqlite import SqliteStore

Opener = Callable[[Path], AbstractAsyncContextManager[Store]]

END_OF_TIME: Timestamp = "9999-12-31T23:59:59.999999Z"


@asynccontextmanager
async def open_memory(folder: Path) -> AsyncIterator[Store]:
    store = MemoryStore()
    yield store
    await store.aclose()


@asynccontextmanager
async def open_sqlite(folder: Path) -> AsyncIterator[Store]:
    store = await SqliteStore.open(folder / "books.db")
    try:
        yield store
    finally:
        await store.aclose()


BACKENDS: dict[str, Opener] = {"memory": open_memory, "sqlite": open_sqlite}


async def pages(store: Store, query: TaskQuery) -> list[TaskPage]:
    """All pages of a listing."""
    found = [await store.tasks(query)]
    while (after := found[-1].next_after) is not None:
        found.append(await store.tasks(replace(query, after=after)))
    return found


async def listed(store: Store, query: TaskQuery | None = None) -> list[str]:
    """The ids of a whole listing, in its order."""
    records = [
        record for page in await pages(store, query or TaskQuery()) for record in page.records
    ]
    return [record.task.task_id for record in records]
