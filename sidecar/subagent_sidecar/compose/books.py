"""The store, and the service that keeps the books in it."""

import asyncio
import logging
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from ..config import Settings
from ..core.model import timestamp
from ..errors import StoreError
from ..ports import Clock, Store
from ..service import Service
from ..store.driver import version
from ..store.memory import MemoryStore
from ..store.sqlite import SqliteStore

_log = logging.getLogger(__name__)

_STORE_FLUSH_S = 5.0


async def open_books(
    stack: AsyncExitStack, settings: Settings, clock: Clock
) -> tuple[Store, Service]:
    """Raises StoreError when the store cannot be opened."""
    store = await _open_store(settings.store, clock)
    stack.push_async_callback(_close_store, store)
    service = Service(store=store, clock=clock, keep_purpose=settings.keep_purpose)
    stack.push_async_callback(_flush, service)
    return store, service


async def _open_store(url: str, clock: Clock) -> Store:
    if url == "memory:":
        return MemoryStore(begun=timestamp(clock.now()))
    return await SqliteStore.open(Path(url.removeprefix("sqlite:///")))


async def _flush(service: Service) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(_STORE_FLUSH_S):
            await service.flush()
            return
    _log.error("not every record reached the store before the deadline")


async def _close_store(store: Store) -> None:
    try:
        async with asyncio.timeout(_STORE_FLUSH_S):
            await store.aclose()
    except (TimeoutError, StoreError) as error:
        _log.error("the store did not close cleanly: %s", error)


def store_engine(settings: Settings) -> str:
    """What will keep the books, and what speaks against it."""
    return "memory: records end with the process" if settings.store == "memory:" else version()
