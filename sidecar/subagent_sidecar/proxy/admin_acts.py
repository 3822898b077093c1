"""Every act on record: what was done by the admin plane, by whom, from where, to what, and what
came of it.

It is written by the guard, not by the routes, so that no route can forget it. It is on record when
the answer goes out, unless the store takes its time; an act that takes longer than a second is on
record before it is over, and an attempt that failed is, too.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import web

from ..core.acts import ActOutcome, AdminActed
from ..core.model import Timestamp
from ..core.repeats import Repeats
from ..core.roles import AdminCaller
from ..errors import SidecarError
from .admin_about import target_of, task_of
from .admin_access import Access

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_UNDER_WAY_S = 1.0
_DENIED_PAUSE_S = 60.0


class Acts:
    """`record` puts an act on record, `up_to_date` waits until it is there, `now` is the time as
    the record has it, `monotonic` seconds on a clock that never jumps."""

    def __init__(
        self,
        *,
        record: Callable[[AdminActed], None],
        up_to_date: Callable[[], Awaitable[None]],
        now: Callable[[], Timestamp],
        monotonic: Callable[[], float],
        under_way_s: float = _UNDER_WAY_S,
    ) -> None:
        self._record = record
        self._up_to_date = up_to_date
        self._now = now
        self._monotonic = monotonic
        self._under_way_s = under_way_s
        self._denials = Repeats(_DENIED_PAUSE_S)

    async def on_record(
        self, request: web.Request, handler: Handler, access: Access, caller: AdminCaller
    ) -> web.StreamResponse:
        """The answer of `handler`."""
        asked_at = self._now()

        def tell(outcome: ActOutcome, status: int | None = None, code: str | None = None) -> None:
            self._record(self._act(request, access, caller, asked_at, outcome, status, code))

        slow = asyncio.get_running_loop().call_later(self._under_way_s, tell, ActOutcome.UNDER_WAY)
        try:
            try:
                answer = await handler(request)
            finally:
                slow.cancel()
        except (asyncio.CancelledError, ConnectionError):
            tell(ActOutcome.CUT_SHORT)
            raise
        except Exception as error:
            tell(*_failure(error))
            await self._up_to_date()
            raise
        tell(_outcome(answer.status), answer.status)
        await self._up_to_date()
        return answer

    def denied(self, request: web.Request, access: Access, caller: AdminCaller) -> None:
        """Somebody tried what their token may not; told once a minute, with how often."""
        if access.act is None:
            return
        held_back = self._denials.held_back((caller.name, access.act), self._monotonic())
        if held_back is None:
            return
        now = self._now()
        act = self._act(request, access, caller, now, ActOutcome.DENIED, 403, "role_needed")
        self._record(replace(act, times=1 + held_back))

    def _act(
        self,
        request: web.Request,
        access: Access,
        caller: AdminCaller,
        asked_at: Timestamp,
        outcome: ActOutcome,
        status: int | None,
        code: str | None,
    ) -> AdminActed:
        return AdminActed(
            act=access.act or "",
            by=caller.name,
            role=caller.role.value,
            address=request.remote or "unknown",
            asked_at=asked_at,
            outcome=outcome,
            at=self._now(),
            target=target_of(request, access.about),
            status=status,
            code=code,
            task_id=task_of(request),
        )


def _failure(error: Exception) -> tuple[ActOutcome, int, str | None]:
    match error:
        case SidecarError():
            return _outcome(error.status), error.status, error.code
        case web.HTTPException():
            return _outcome(error.status), error.status, None
        case _:
            return ActOutcome.FAILED, 500, None


def _outcome(status: int) -> ActOutcome:
    if status < 400:
        return ActOutcome.DONE
    return ActOutcome.REFUSED if status < 500 else ActOutcome.FAILED
