"""Answers scrapes: gathers, has it written by a thread, and shares it between those who ask at
once."""

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Sequence

from ..core.metrics.families import Family

_SHARED_S = 1.0


class Page:
    """`gather` is asked at most once a second, however many scrape. `now` is a monotonic clock."""

    def __init__(
        self,
        gather: Callable[[], Awaitable[Sequence[Family]]],
        *,
        now: Callable[[], float],
        shared_s: float = _SHARED_S,
    ) -> None:
        self._gather = gather
        self._now = now
        self._shared_s = shared_s
        self._families: Sequence[Family] = ()
        self._gathered_at = float("-inf")
        self._written: dict[str, tuple[bytes, str]] = {}
        self._one_at_a_time = asyncio.Lock()

    async def families(self) -> Sequence[Family]:
        """All metrics as they stand."""
        async with self._one_at_a_time:
            await self._refresh()
            return self._families

    async def _refresh(self) -> None:
        if self._now() - self._gathered_at >= self._shared_s:
            self._families = await self._gather()
            self._gathered_at = self._now()
            self._written.clear()

    async def written(self, accept: str) -> tuple[bytes, str]:
        """The page in the format that a scraper's `Accept` asks for, and its content type."""
        async with self._one_at_a_time:
            await self._refresh()
            page = self._written.get(accept)
            if page is None:
                page = await asyncio.to_thread(_write, self._families, accept)
                if len(self._written) < _MOST_FORMATS:
                    self._written[accept] = page
            return page


_MOST_FORMATS = 8


def _write(families: Sequence[Family], accept: str) -> tuple[bytes, str]:
    """Thousands of lines take tens of milliseconds: on a thread, for the loop has others to serve.
    prometheus_client is loaded by the first scrape, since many sidecars never see one."""
    module = importlib.import_module(f"{__package__}.exposition")
    page: tuple[bytes, str] = module.write(families, accept)
    return page
