"""The twin of `replies` in memory."""

from ..core.idempotency import Reply
from ..core.model import Timestamp


class MemoryReplies:
    """core.idempotency.ReplyTable. What is done to it is the last thing its transaction does, so it
    never has to be taken back."""

    def __init__(self) -> None:
        self._replies: dict[str, Reply] = {}

    def reply(self, key: str) -> Reply | None:
        return self._replies.get(key)

    def put_reply(self, reply: Reply) -> None:
        self._replies[reply.key] = reply

    def drop_reply(self, key: str) -> None:
        self._replies.pop(key, None)

    def prune(self, upto: Timestamp, limit: int) -> int:
        """Remove at most `limit` of those made at `upto` or before; how many went."""
        by_age = sorted(self._replies.values(), key=lambda reply: reply.created_at)
        old = [reply.key for reply in by_age if reply.created_at <= upto][:limit]
        for key in old:
            del self._replies[key]
        return len(old)
