"""The door of the admin plane: every request comes through here before its route sees it.

Pages of strangers are turned away first, then who has no token, then whose token may not do that;
and a POST must say that it is JSON, which a page cannot without asking first.
"""

import logging
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web
from aiohttp.typedefs import Middleware

from ..admin_tokens import AdminTokens, Standing
from ..core.metrics.meters import AdminMeter
from ..core.repeats import Repeats
from ..core.roles import EVERYBODY, AdminCaller
from ..errors import BadHeader, ForeignOrigin, NotJson, RoleNeeded, TokenNeeded
from .admin_access import OPEN, Access, access_of
from .admin_acts import Acts
from .foreign_pages import ForeignPages

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

CALLER = web.RequestKey("caller", AdminCaller)
"""Who asks; not there where nobody said so, which only open routes let pass."""

STANDING = web.RequestKey("standing", Standing)
"""Whether the token that let it in is good still, for answers that take long; not there where none
was needed."""

_log = logging.getLogger(__name__)

_PAUSE_S = 60.0
_CHALLENGE = 'Bearer realm="subagent-sidecar"'
_HOW = (
    "send one as `Authorization: Bearer TOKEN`; subagentctl does with SUBAGENTCTL_TOKEN or "
    "--token-file"
)


class AdminGuard:
    """`now` reads seconds on a clock that never jumps."""

    def __init__(
        self,
        *,
        tokens: AdminTokens,
        pages: ForeignPages,
        acts: Acts,
        meter: AdminMeter,
        now: Callable[[], float],
    ) -> None:
        self._tokens = tokens
        self._pages = pages
        self._acts = acts
        self.meter = meter
        self._now = now
        self._repeats = Repeats(_PAUSE_S)

    @property
    def middleware(self) -> Middleware:
        @web.middleware
        async def guarded(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._guarded(request, handler)

        return guarded

    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._refuse_pages(request)
        access = access_of(request)
        caller = self._caller(request, access)
        if caller is None:
            return await handler(request)
        request[CALLER] = caller
        if access is None or access.role is None:
            return await handler(request)
        if not caller.role.may(access.role):
            self._acts.denied(request, access, caller)
            raise self._without_role(request, access, caller)
        if request.method == hdrs.METH_POST and request.content_type != "application/json":
            raise NotJson("send this with content-type: application/json")
        if access.act is None:
            return await handler(request)
        return await self._acts.on_record(request, handler, access, caller)

    def _refuse_pages(self, request: web.Request) -> None:
        try:
            self._pages.refuse(request)
        except ForeignOrigin:
            self.meter.refused("page")
            raise

    def _caller(self, request: web.Request, access: Access | None) -> AdminCaller | None:
        """None: nobody in particular asks what everybody may ask. Raises TokenNeeded, BadHeader."""
        if not self._tokens.needed:
            return EVERYBODY
        presented = _presented(request)
        caller = None if presented is None else self._tokens.caller(presented)
        if caller is not None and presented is not None:
            request[STANDING] = self._tokens.standing(presented)
            return caller
        if presented is not None:
            self._failed(request, "wrong_token", "with a token that is none of ours")
        if access is OPEN:
            return None
        if presented is not None:
            raise TokenNeeded(
                f"that token is none of this sidecar's; {_HOW}",
                challenge=f'{_CHALLENGE}, error="invalid_token"',
            )
        self._failed(request, "no_token", "without a token")
        raise TokenNeeded(f"the admin plane wants a token: {_HOW}", challenge=_CHALLENGE)

    def _without_role(
        self, request: web.Request, access: Access, caller: AdminCaller
    ) -> RoleNeeded:
        self._failed(request, "role", f"with the role {caller.role} (token '{caller.name}')")
        return RoleNeeded(
            f"this needs the role {access.role}, and the token '{caller.name}' has "
            f"{caller.role}: use one that has it"
        )

    def _failed(self, request: web.Request, reason: str, how: str) -> None:
        """Count it, and say it once a minute: somebody may be trying tokens one by one."""
        self.meter.refused(reason)
        held_back = self._repeats.held_back((reason, how), self._now())
        if held_back is None:
            return
        more = f"; {held_back:,} more like it since the last such line" if held_back else ""
        _log.warning(
            "the admin plane refused a request from %s %s%s",
            request.remote,
            how,
            more,
            extra={"action": "admin_refused", "reason": reason},
        )


def _presented(request: web.Request) -> str | None:
    """The bearer token of a request; what is of another scheme is none."""
    fields = request.headers.getall(hdrs.AUTHORIZATION, [])
    if len(fields) > 1:
        raise BadHeader("Authorization stands twice, and one is meant")
    if not fields:
        return None
    scheme, _, token = fields[0].partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
