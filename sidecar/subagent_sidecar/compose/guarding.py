"""Who stands at the door of the admin plane."""

from functools import partial

from ..admin_tokens import AdminTokens
from ..config import Settings
from ..core.metrics.meters import AdminMeter
from ..proxy.admin_acts import Acts
from ..proxy.admin_guard import AdminGuard
from ..proxy.catching_up import catch_up
from ..proxy.foreign_pages import ForeignPages
from ..renewals import renew_admin_tokens
from .base import Base
from .renewing import Renewing


async def admin_guard(base: Base, pages: ForeignPages, renewing: Renewing) -> AdminGuard:
    """Tokens in files are read again when those change or when it is asked."""
    tokens = AdminTokens(base.settings.admin_tokens)
    if tokens.files:
        renew = partial(renew_admin_tokens, tokens)
        keeper = renewing.keep(tokens.files, renew, name="admin tokens")
        await keeper.renew(why="start")  # the settings may have been read a while ago
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
