"""`session_lease`: a block of code that is a session."""

import asyncio
import os
import ssl
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from .exits import keeper_of

DEFAULT_URL = "http://127.0.0.1:8460"
URL_VARIABLE = "SUBAGENT_SIDECAR_URL"


_SHORTEST_S, _LONGEST_S = 10, 86_400


def checked_lease(lease_s: int | None) -> int | None:
    """Raises ValueError for what a sidecar would not take."""
    if lease_s is not None and not _SHORTEST_S <= lease_s <= _LONGEST_S:
        raise ValueError(f"lease_s: {lease_s} is not from {_SHORTEST_S} to {_LONGEST_S:,} seconds")
    return lease_s


def sidecar_url(url: str | None) -> str:
    """The one given, else the environment's, else the default."""
    return url or os.environ.get(URL_VARIABLE) or DEFAULT_URL


class session_lease:
    """Keeps the lease of a session while a block runs, and ends the session after it.

    For `with` and for `async with`. `url` is the sidecar's (SUBAGENT_SIDECAR_URL, else
    http://127.0.0.1:8460). `session_id` is what the block's starts go by: the supervisor's thread
    id, or what it sends as `x-subagent-session`. `lease_s` (10 to 86,400) is the lease to ask for;
    without it the policy says, or it is 15 minutes. `headers` are sent along; `ssl_context` is
    for an https sidecar whose authority this machine does not know, or that wants a client
    certificate. Several blocks may hold the same session: the last one ends it. Raises ValueError
    at once for a `url` or a lease that is none, and nothing afterwards.
    """

    def __init__(
        self,
        url: str | None,
        session_id: str,
        *,
        lease_s: int | None = None,
        headers: Mapping[str, str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._keeper = keeper_of(
            sidecar_url(url), dict(headers or {}), end_at_exit=True, ssl_context=ssl_context
        )
        self.session_id = session_id
        self._lease_s = checked_lease(lease_s)

    def __enter__(self) -> Self:
        self._keeper.use(self.session_id, lease_s=self._lease_s, hold=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._keeper.release(self.session_id, _reason(kind))

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await asyncio.to_thread(self._keeper.release, self.session_id, _reason(kind))


def _reason(kind: type[BaseException] | None) -> str:
    return "its supervisor is done" if kind is None else f"its supervisor failed: {kind.__name__}"
