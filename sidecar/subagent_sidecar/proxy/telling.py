"""What the log says of requests that failed."""

import logging
from collections.abc import Callable

from .. import redaction
from ..core.refusal import Refused
from ..core.repeats import Repeats
from ..errors import OutOfSight, SidecarError, StoreError, UpstreamError

_log = logging.getLogger(__name__)

_PAUSE_S = 60.0


class Telling:
    """What the server or we did wrong is for the operator, what the caller did is for the curious.

    While a server is down every request fails in the same way: that is said once a minute at most
    for each upstream and kind of trouble, and of every request only to who debugs. So it is with
    what a rule refuses, for the record has each of these, and with what a supervisor asks for and
    may not see. `now` reads seconds on a clock that never jumps.
    """

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._repeats = Repeats(_PAUSE_S)

    def tell(
        self, error: SidecarError, *, method: str, target: str, supervisor: str | None = None
    ) -> None:
        """`target` is that of the request, as it came; `supervisor` is who sent it."""
        level = logging.WARNING
        match error:
            case UpstreamError():
                about = error.upstream
            case StoreError():
                about = None
            case Refused():
                level, about = logging.INFO, error.deny.check.rule
            case OutOfSight():
                level, about = logging.INFO, supervisor
            case _:
                return _write(logging.INFO, error, method, target)
        held_back = self._repeats.held_back((about, error.code), self._now())
        if held_back is None:
            return _write(logging.DEBUG, error, method, target)
        more = f" (supervisor {supervisor!r})" if isinstance(error, OutOfSight) else ""
        if held_back:
            more += f" ({held_back:,} more like it since the last such line)"
        return _write(level, error, method, target, more)


def _write(level: int, error: SidecarError, method: str, target: str, more: str = "") -> None:
    """The query stays out, and what stands before the host: people put keys into them."""
    if not _log.isEnabledFor(level):
        return
    path = redaction.path(target)
    ids = {name: getattr(error, name, None) for name in ("task_id", "upstream")}
    extra = {"action": error.code, **{name: value for name, value in ids.items() if value}}
    _log.log(level, "%s %r: %s%s", method, path, error.message, more, extra=extra)
