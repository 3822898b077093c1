"""Who stands at the door of the admin plane."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from ..admin_token_keeper import AdminTokenKeeper
from ..admin_tokens import AdminTokens
from ..core.metrics.meters import AdminMeter
from ..proxy.admin_acts import Acts
from ..proxy.admin_guard import AdminGuard
from ..proxy.catching_up import catch_up
from ..proxy.foreign_pages import ForeignPages
from .base import Base
from .lifetimes import spawned


def admin_guard(
    stack: AsyncExitStack, base: Base, pages: ForeignPages, renewal_asked: asyncio.Event | None
) -> AdminGuard:
    """Tokens in files are read again when those change or when it is asked, until the stack is
    left."""
    tokens = AdminTokens(base.settings.admin_tokens)
    if tokens.files:
        keeper = AdminTokenKeeper(tokens)
        spawned(stack, keeper.watch(), name="watch admin tokens")
        if renewal_asked is not None:
            spawned(stack, keeper.heed(renewal_asked), name="renew admin tokens when asked")
    acts = Acts(
        record=base.service.levers.acted,
        up_to_date=partial(catch_up, base.service),
        now=base.service.now,
        monotonic=base.clock.monotonic,
    )
    return AdminGuard(
        tokens=tokens, pages=pages, acts=acts, meter=AdminMeter(), now=base.clock.monotonic
    )
