"""What every other part is handed."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from ..clock import SystemClock
from ..config import Settings
from ..credentials import Credentials
from ..keyring import Keyring
from ..own_fields import OwnFields
from ..policy_keeper import PolicyKeeper
from ..ports import AgentServer, Clock, Store
from ..service import Service
from ..upstream.pool import HttpUpstream
from . import books, gating, identities, policies, upstreams
from .renewing import Renewing


@dataclass(frozen=True, kw_only=True)
class Base:
    """The books, the upstreams by name, and what all parts go by."""

    settings: Settings
    clock: Clock
    store: Store
    service: Service
    keyring: Keyring
    policies: PolicyKeeper
    clients: dict[str, HttpUpstream]
    servers: dict[str, AgentServer]
    credentials: Credentials
    own: dict[str, OwnFields]


async def open_base(
    stack: AsyncExitStack,
    settings: Settings,
    clock: Clock | None,
    first: policies.FirstPolicies,
    reload_asked: asyncio.Event | None,
    renewing: Renewing,
) -> Base:
    """Raises StoreError when the store cannot be opened."""
    clock = clock or SystemClock()
    store, service = await books.open_books(stack, settings, clock)
    keeper = policies.keep(stack, first, service, clock, reload_asked)
    clients: dict[str, HttpUpstream] = {}
    for upstream in settings.upstreams:
        client = clients[upstream.name] = upstreams.client(upstream, settings, clock)
        stack.push_async_callback(client.aclose)
    own = identities.own_fields(settings)
    await identities.renewed(own, renewing)
    return Base(
        settings=settings,
        clock=clock,
        store=store,
        service=service,
        keyring=await gating.keyring(stack, settings, store, service),
        policies=keeper,
        clients=clients,
        servers={
            u.name: upstreams.server(u, clients[u.name], own[u.name]) for u in settings.upstreams
        },
        credentials=Credentials(),
        own=own,
    )
