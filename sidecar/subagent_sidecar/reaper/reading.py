"""What is live, read a page at a time so that nobody waits for it."""

from collections.abc import Sequence

from ..core.candidates import Candidate
from ..core.model import Timestamp
from ..core.sessions import Session, SessionKey
from ..ports import Store

_PAGE = 500


async def candidates(store: Store, upstreams: Sequence[str]) -> list[Candidate]:
    """The live tasks on all upstreams. Raises StoreError."""
    found: list[Candidate] = []
    for upstream in upstreams:
        after: tuple[Timestamp, str] | None = None
        while page := await store.candidates(upstream, after=after, limit=_PAGE):
            found += page
            after = page[-1].created_at, page[-1].task_id
            if len(page) < _PAGE:
                break
    return found


async def sessions(store: Store) -> dict[SessionKey, Session]:
    """What the sessions of live tasks said of themselves. Raises StoreError."""
    found: dict[SessionKey, Session] = {}
    after: SessionKey | None = None
    while page := await store.leases(after=after, limit=_PAGE):
        found.update((session.key, session) for session in page)
        after = page[-1].key
        if len(page) < _PAGE:
            break
    return found
