"""Who may come in: the one place where requests of supervisors are held against their keys.

Everything on the data plane needs a key but `GET /sidecar/health`, OPTIONS included: a preflight
that browsers send for a page cannot carry one, and a supervisor's key does not belong in a page.
It is decided by the head alone, before a body is read and before anything looks at what is asked;
and what carried the key is taken off the request, so that it can get to no server, record or tool.
"""

import logging
from collections.abc import Callable, Sequence
from typing import NoReturn

from ..core.keys import PREFIX, Standing
from ..core.metrics.meters import GateMeter
from ..core.repeats import Repeats
from ..errors import (
    BadHeader,
    KeyBusy,
    KeyExpired,
    KeyMissing,
    KeyRevoked,
    KeyUnknown,
    Unauthenticated,
)
from ..keyring import Keyring
from .request import DataRequest

_log = logging.getLogger(__name__)

HEALTH = "/sidecar/health"
_PAUSE_S = 60.0
_NAMES = ("x-subagent-key", "x-api-key", "authorization")
_OWN, _API, _AUTHORIZATION = _NAMES
_SCHEME = "bearer "
_NONE: Sequence[str] = ()
_MAKE = "an operator makes one with `subagentctl keys create NAME`"
_ANOTHER = "an operator makes another with `subagentctl keys create NAME`"


class Gate:
    """Lets in whoever has a key on the ring, with so many requests at a time. `now` reads seconds
    on a clock that never jumps."""

    def __init__(
        self, keyring: Keyring, *, now: Callable[[], float], max_key_requests: int | None = None
    ) -> None:
        self._keyring = keyring
        self._most = max_key_requests
        self._now = now
        self._repeats = Repeats(_PAUSE_S)
        self.meter = GateMeter()

    def admit(self, request: DataRequest) -> None:
        """Find out who asks, and take off what told. Raises Unauthenticated, BadHeader where it
        says two things, KeyBusy where too much is going on by that key."""
        if is_health(request):
            return
        text, carriers = _presented(request)
        if text is None:
            self._refuse(request, "missing", _missing())
        found, held = self._keyring.look_up(text)
        if held is None:
            self._refuse(request, found.value, _REASONS[found])
        served = request.let_in(held.principal, held.key.key_id, less=carriers)
        if self._most is not None and served > self._most:
            raise KeyBusy(
                f"as many requests of this key as may be ({self._most}) are being served, streams "
                "and WebSockets included; wait for one of them to end"
            )

    def opens(self, key_id: str) -> bool:
        """Whether what was let in by a key may go on."""
        return self._keyring.opens(key_id)

    def _refuse(self, request: DataRequest, reason: str, error: "_Error") -> NoReturn:
        self.meter.refused[reason] += 1
        held_back = self._repeats.held_back(reason, self._now())
        if held_back is not None:
            more = f", and {held_back:,} more since the last such line" if held_back else ""
            _log.warning(
                "a request from %s was refused: %s%s",
                request.peer_host.decode(),
                _LINES[reason],
                more,
                extra={"action": f"key_{reason}"},
            )
        kind, text = error
        raise kind(text)


_Error = tuple[type[Unauthenticated], str]


def is_health(request: DataRequest) -> bool:
    return request.method in ("GET", "HEAD") and request.raw_target.partition("?")[0] == HEALTH


def _presented(request: DataRequest) -> tuple[str | None, frozenset[bytes]]:
    """The key, and the fields that carry one, whether it is the one that counts or not."""
    found: dict[str, str] = {}
    for name in _NAMES:
        values = request.headers.getall(name, _NONE)
        if len(values) > 1:
            raise BadHeader(f"the header {name} stands twice; send it once")
        if values:
            given = values[0]
            if name == _AUTHORIZATION:
                given = given[len(_SCHEME) :].strip() if given[:7].lower() == _SCHEME else ""
            if name == _OWN or given.startswith(PREFIX):
                found[name] = given
    text = next(iter(found.values()), None)
    return text, frozenset(name.encode() for name in found)


def _missing() -> _Error:
    return KeyMissing, (
        "this sidecar serves supervisors by key, and the request has none: send one (ssk_...) as "
        f"x-subagent-key, x-api-key or `Authorization: Bearer`; {_MAKE}"
    )


_REASONS: dict[Standing, _Error] = {
    Standing.UNKNOWN: (KeyUnknown, f"nobody here has this key; {_MAKE}"),
    Standing.EXPIRED: (KeyExpired, f"this key has expired; {_ANOTHER}"),
    Standing.REVOKED: (KeyRevoked, f"this key was revoked; {_ANOTHER}"),
}
_LINES = {
    "missing": "it has no supervisor key",
    "unknown": "its supervisor key is unknown",
    "expired": "its supervisor key has expired",
    "revoked": "its supervisor key was revoked",
}
