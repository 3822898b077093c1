"""What to present upstream when asking about a thread on our own account.

A server may want its caller's own key. The newest one seen with a thread is kept, in memory only,
for as many threads as there is room for.
"""

from .ports import Headers

_THREADS = 50_000


class Credentials:
    """Newest credentials by thread. Threads of one caller share one copy."""

    def __init__(self, *, limit: int = _THREADS) -> None:
        self._limit = limit
        self._kept: dict[str, Headers] = {}
        self._last: Headers = ()

    def keep(self, thread_id: str, auth: Headers) -> None:
        """A caller presented `auth` with a request about the thread."""
        if not auth:
            return
        if (presented := tuple(auth)) != self._last:
            self._last = presented
        self._kept.pop(thread_id, None)
        self._kept[thread_id] = self._last
        if len(self._kept) > self._limit:
            del self._kept[next(iter(self._kept))]

    def of(self, thread_id: str) -> Headers:
        return self._kept.get(thread_id, ())
