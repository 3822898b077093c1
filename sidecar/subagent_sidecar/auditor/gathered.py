"""What an audit knows of a server so far."""

from collections import Counter
from collections.abc import Sequence

from ..core.ghosts import Audit, Found, Not, SeenThread


class Gathered:
    """Ghosts, at most `most` of them, and why everything else is none."""

    def __init__(self, upstream: str, most: int) -> None:
        self.upstream = upstream
        self.ghosts: list[Found] = []
        self.others: Counter[Not] = Counter()
        self.problem: str | None = None
        self.more = False
        self._most = most
        self._seen: set[str] = set()

    @property
    def threads(self) -> int:
        return len(self._seen)

    @property
    def full(self) -> bool:
        return len(self.ghosts) >= self._most

    def unseen(self, page: Sequence[SeenThread]) -> list[SeenThread]:
        """The threads of a page that were on no page before."""
        found = {one.thread_id: one for one in page if one.thread_id not in self._seen}
        self._seen.update(found)
        return list(found.values())

    def audit(self) -> Audit:
        return Audit(
            upstream=self.upstream,
            ghosts=tuple(self.ghosts),
            threads=self.threads,
            others=dict(self.others),
            problem=self.problem,
            more=self.more,
        )
