"""Starts that go on without a record, because the store cannot be asked and the policy says so."""

import logging
from collections.abc import Callable

from aiohttp import web

from ..core.policy import OnStoreError
from ..core.repeats import Repeats
from ..core.wire import Form
from ..errors import StoreError, StoreRejected
from ..service import Service
from . import forwarding
from .calls import Call

_log = logging.getLogger(__name__)

_PAUSE_S = 60.0


class Unrecorded:
    """Sends on what nobody can count. `now` reads seconds on a clock that never jumps."""

    def __init__(self, *, service: Service, now: Callable[[], float]) -> None:
        self._service = service
        self._now = now
        self._repeats = Repeats(_PAUSE_S)

    async def serve(self, call: Call, error: StoreError) -> web.StreamResponse:
        """Pass on a start of which nothing was sent yet; `error` says why it is not on record, and
        is raised where the start is not to be made then."""
        if not self._may(call, error):
            raise error
        self._tell(call, error)
        timeout = call.limits.start_timeout_s if call.meaning.form is Form.CREATE else None
        exchange = await forwarding.send(call, call.outgoing(timeout=timeout))
        try:
            call.request.let_go()
        except ConnectionError:
            exchange.abort()
            raise
        return await forwarding.give_back(call, exchange)

    def _may(self, call: Call, error: StoreError) -> bool:
        """Not what the store was asked and will never take: that could be made to measure, to slip
        past every rule. Not what has a key: only the store knows if it was made before. And not
        for a supervisor who may start some agents only: which they are is looked at there."""
        asked = "idempotency-key" in call.request.headers or bool(call.agents)
        if asked or isinstance(error, StoreRejected):
            return False
        return self._service.policy.on_store_error is OnStoreError.FAIL_OPEN

    def _tell(self, call: Call, error: StoreError) -> None:
        held_back = self._repeats.held_back(call.target.name, self._now())
        if held_back is None:
            return
        more = f" ({held_back:,} more since the last such line)" if held_back else ""
        _log.warning(
            "a start is sent on without a record, and held against no rule, for the policy says "
            "on_store_error: fail_open: %s%s",
            error.message,
            more,
            extra={"action": "start_unrecorded", "upstream": call.target.name},
        )
