"""The composition root: which class stands behind which port, and who owns whose lifetime.

Nothing else in the project constructs an edge. Lifetimes are entered on one AsyncExitStack in the
order in which they depend on one another, and left in the reverse one: the books are opened first
and closed last (`base`), then come those who work without being asked (`background`), then those
who are asked (`planes`), then their sockets (`listening`).
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from ..config import Settings
from ..ports import Clock
from ..proxy.agent_routes import DataPlane
from ..proxy.foreign_pages import ForeignPages
from . import background as workers
from . import guarding, machine, measuring, planes, pushing
from .base import open_base
from .books import store_engine
from .gating import supervisors_admitted
from .guarding import operators_admitted
from .listening import Listeners, bind, secured, serve_admin, serve_data
from .policies import FirstPolicies, read_policies
from .pushing import push_to
from .renewing import Renewing
from .risks import risks
from .tracing import export_to

__all__ = [
    "FirstPolicies",
    "Listeners",
    "bind",
    "export_to",
    "operators_admitted",
    "push_to",
    "read_policies",
    "risks",
    "running",
    "sources",
    "store_engine",
    "supervisors_admitted",
]


@asynccontextmanager
async def running(
    settings: Settings,
    listeners: Listeners,
    *,
    policies: FirstPolicies | None = None,
    reload_asked: asyncio.Event | None = None,
    renewal_asked: asyncio.Event | None = None,
    clock: Clock | None = None,
) -> AsyncIterator[DataPlane]:
    """A sidecar that serves while the context is open, and has drained when it is closed.

    `policies` are those of `settings`, if they were read already; they are read again when
    `reload_asked` is set, and files of certificates, credentials and tokens when `renewal_asked`
    is. `clock` is for tests that set it; the default is the machine's.
    Raises StoreError when the store cannot be opened, ConfigError when the policies cannot be used
    or this build of aiohttp cannot be trusted with requests.
    """
    machine.refuse_lenient_parser()
    machine.raise_file_limit()
    first = policies or read_policies(settings.policy, clock=clock)
    async with AsyncExitStack() as stack:
        renewing = Renewing(stack)
        tls = secured(settings, renewing)
        base = await open_base(stack, settings, clock, first, reload_asked, renewing)
        record = await measuring.record_figures(stack, base)
        background = workers.make(stack, base)
        if background.tracer is not None:
            await background.tracer.begin()
        if background.notifier is not None:
            await background.notifier.begin()
        pages = ForeignPages(settings.allowed_hosts)
        plane = await planes.data_plane(stack, base, background, pages)
        background.start(stack)
        workers.prune(stack, base)
        guard = await guarding.admin_guard(base, pages, renewing)
        page = measuring.page(base, background, plane, record, guard.meter)
        pushing.push_metrics(stack, base, page, port=listeners.admin.getsockname()[1])
        admin = planes.admin_plane(base, background, plane, page, guard)
        await serve_admin(stack, admin, settings, listeners.admin, tls.admin)
        await serve_data(stack, plane, settings, listeners.data, tls.data)
        if renewal_asked is not None:
            renewing.heed(renewal_asked)
        yield plane
        plane.draining = True


def sources(settings: Settings) -> Sequence[str]:
    """One line for each upstream, for the log."""
    return [f"{upstream.name} -> {upstream.url}" for upstream in settings.upstreams]
