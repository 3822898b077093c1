"""Who stands at the door of the admin plane."""

import asyncio
from contextlib import AsyncExitStack
from functools import partial

from ..admin_token_keeper import AdminTokenKeeper
from ..admin_tokens import AdminTokens
from ..config import Settings
from ..config_values import is_loopback
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


def operators_admitted(settings: Settings) -> str:
    """Who gets in at the admin plane, for people."""
    tokens = settings.admin_tokens
    if not tokens:
        return "everybody on this machine is an admin there (no admin_tokens)"
    return "tokens of " + ", ".join(f"{each.name} ({each.role})" for each in tokens)


def admin_in_the_clear(settings: Settings) -> str | None:
    """Where tokens and records cross a network unencrypted; None where they do not."""
    if settings.admin_tls is not None or is_loopback(settings.admin_listen):
        return None
    return settings.admin_listen.url


def keys_for_everybody(settings: Settings) -> bool:
    """Whether those who are held to keys, or their neighbours, can make keys for themselves."""
    return settings.auth and not settings.admin_tokens
