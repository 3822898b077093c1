"""Agent servers that do not take the sidecar's credentials: for operators, not for supervisors."""

import logging
from collections.abc import Callable

from ..core.repeats import Repeats

_log = logging.getLogger(__name__)

_PAUSE_S = 60.0


class Denials:
    """Tells the log, once a minute for each server. `now` reads seconds on a clock that never
    jumps."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._repeats = Repeats(_PAUSE_S)

    def denied(self, upstream: str, status: int) -> None:
        held_back = self._repeats.held_back(upstream, self._now())
        if held_back is None:
            return
        more = f", and {held_back:,} more since the last such line" if held_back else ""
        _log.warning(
            "upstream %s answers %d to the sidecar's own credentials%s: with auth on they are "
            "presented in the place of supervisors' (`upstreams.%s.headers`)",
            upstream,
            status,
            more,
            upstream,
            extra={"action": "upstream_denies", "upstream": upstream},
        )
