"""Whether a server answers, and whom. One line in the log when that changes, however many ask.

    well --(a failure)--> doubtful --(another)--> down --(an answer)--> well

Credentials are another matter: a server that wants some is well, and says nothing to those who
have none.
"""

import logging
from collections.abc import Callable

from ..core.model import Timestamp
from ..errors import UpstreamError, UpstreamRefused
from ..ports import Headers

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_FAILURES = 2
_LOCKED = (401, 403)


def is_locked(error: UpstreamError) -> bool:
    """Whether the server wants (other) credentials."""
    return isinstance(error, UpstreamRefused) and error.answered in _LOCKED


def is_about_the_question(error: UpstreamError) -> bool:
    """Whether the server is well, and only this question is one it will not answer."""
    return (
        isinstance(error, UpstreamRefused) and 400 <= error.answered < 500 and error.answered != 429
    )


class Health:
    """`now` reads the time for the record, `jitter` draws from 0 to 1."""

    def __init__(
        self, name: str, *, now: Callable[[], Timestamp], jitter: Callable[[], float]
    ) -> None:
        self.retry_at = float("-inf")
        """Not to be asked before; but for one question, which finds out."""
        self.proven_at = float("-inf")
        """When it last answered a question with something that only an agent server would say."""
        self.back_at = float("-inf")
        """When it was last seen to answer after it had been down."""
        self._name = name
        self._now = now
        self._jitter = jitter
        self._failures = 0
        self._failing_since: Timestamp | None = None
        self._failed_at = float("-inf")
        self._locked: dict[Headers, Timestamp] = {}

    @property
    def failing(self) -> bool:
        return self._failures > 0

    @property
    def troubled(self) -> bool:
        """Whether it fails, or some get no answer."""
        return self._failures > 0 or bool(self._locked)

    @property
    def down_since(self) -> Timestamp | None:
        """Since when nothing is known; None while it is well, or has failed but once."""
        return self._failing_since if self._failures >= _FAILURES else None

    @property
    def locked(self) -> bool:
        return bool(self._locked)

    def locked_since(self, auth: Headers) -> Timestamp | None:
        """Since when those credentials get no answer."""
        return self._locked.get(auth)

    def answered(self, moment: float, *, proof: bool) -> None:
        if proof:
            self.proven_at = moment
        if self.down_since is not None:
            self.back_at = moment
            _log.warning(
                "upstream %s answers again; its tasks are followed",
                self._name,
                extra={"action": "upstream_back", "upstream": self._name},
            )
        self._failures, self._failing_since = 0, None
        self.retry_at = float("-inf")

    def failed(self, asked_at: float, moment: float, error: UpstreamError) -> None:
        """Questions that were on their way together fail together, which counts once."""
        if self.failing and asked_at < self._failed_at:
            return
        self._failures, self._failed_at = self._failures + 1, moment
        if self._failing_since is None:
            self._failing_since = self._now()
        if self._failures == _FAILURES:
            _log.warning(
                "upstream %s does not answer (%s); until it does, the states of its tasks are "
                "those last seen",
                self._name,
                error.message,
                extra={"action": "upstream_down", "upstream": self._name},
            )
        pause = min(_FIRST_PAUSE_S * 2.0 ** min(self._failures - 1, 10), _LONGEST_PAUSE_S)
        self.retry_at = moment + pause * (1 - 0.3 * self._jitter())

    def probe_now(self) -> None:
        """There is a sign of life from elsewhere."""
        self.retry_at = float("-inf")

    def locked_out(self, auth: Headers) -> None:
        if not self._locked:
            _log.warning(
                "upstream %s wants credentials the sidecar does not have; tasks started with them "
                "are followed again when a client presents its own, or the upstream's `headers` "
                "hold some",
                self._name,
                extra={"action": "upstream_locked", "upstream": self._name},
            )
        self._locked.setdefault(auth, self._now())

    def let_in(self, auth: Headers) -> None:
        if self._locked.pop(auth, None) is not None and not self._locked:
            _log.warning(
                "upstream %s takes the credentials again",
                self._name,
                extra={"action": "upstream_unlocked", "upstream": self._name},
            )
