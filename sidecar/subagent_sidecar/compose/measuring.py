"""Who tells the metrics what."""

import asyncio
import platform
from collections.abc import Iterator
from contextlib import AsyncExitStack, suppress

from .. import __version__
from ..core.metrics import instruments as i
from ..core.metrics.families import Family
from ..core.metrics.labels import Whose
from ..core.metrics.meters import AdminMeter
from ..core.metrics.standing import of_budgets, of_policy
from ..core.metrics.traffic import (
    Others,
    Pushes,
    Server,
    of_admin,
    of_gate,
    of_others,
    of_proxy,
    of_pushes,
    of_servers,
    of_store,
    of_traces,
)
from ..errors import StoreError
from ..metrics import Page, RecordFigures
from ..notifier import Notifier
from ..proxy.agent_routes import DataPlane
from ..telemetry import Numbers, Receiver
from .background import Background
from .base import Base
from .lifetimes import spawned

_PATIENCE_S = 2.0
"""For the record; scrapes give up after ten seconds."""


async def record_figures(stack: AsyncExitStack, base: Base) -> RecordFigures:
    """Counting from now on. Raises StoreError."""
    upstreams = base.settings.upstreams
    figures = RecordFigures(
        store=base.store,
        whose=Whose(
            agents=((upstream.name, agent) for upstream in upstreams for agent in upstream.agents),
            upstreams=(upstream.name for upstream in upstreams),
        ),
        policy=lambda: base.service.policy,
        now=base.service.now,
    )
    await figures.begin()
    spawned(stack, figures.run(), name="metrics of the record")
    return figures


def page(
    base: Base,
    background: Background,
    plane: DataPlane,
    record: RecordFigures,
    admin: AdminMeter,
) -> Page:
    async def gather() -> list[Family]:
        tracer = background.tracer
        traced = None if tracer is None else tracer.told
        told = await record.families(patience_s=_PATIENCE_S, told=traced)
        pushed = await _of_pushes(background.notifier)
        return [*told, *_of_process(base, background, plane), *of_admin(admin), *pushed]

    return Page(gather, now=base.clock.monotonic)


def _of_process(base: Base, background: Background, plane: DataPlane) -> Iterator[Family]:
    unrecorded, dropped = base.service.unrecorded
    yield from of_budgets(base.service.policy, background.budgets.uses.now(base.clock.now()))
    yield from of_policy(base.policies.state)
    yield from of_servers([_server(base, background, name) for name in base.clients])
    yield from of_proxy(plane.meter, shared=plane.shared)
    yield from of_gate(None if plane.gate is None else plane.gate.meter)
    yield from of_store(
        base.store.meter, waiting=base.store.waiting, unrecorded=unrecorded, dropped=dropped
    )
    traces = background.tracer.numbers if background.tracer is not None else Numbers()
    yield from of_traces(exported=traces.exported, dropped=traces.dropped, failed=traces.failed)
    yield from of_others(_others(background.receiver))
    yield _build(base)


async def _of_pushes(notifier: Notifier | None) -> list[Family]:
    if notifier is None:
        return list(of_pushes((), {}))
    waiting = None
    with suppress(StoreError, TimeoutError):
        async with asyncio.timeout(_PATIENCE_S):
            waiting = await notifier.waiting()
    pushes = [
        Pushes(target=name, delivered=n.delivered, given_up=n.given_up, failed=n.failed)
        for name, n in notifier.numbers.items()
    ]
    return list(of_pushes(pushes, waiting))


def _others(receiver: Receiver | None) -> Others:
    if receiver is None:
        return Others(done={}, dropped={})
    taken, sent = receiver.numbers, receiver.sent
    return Others(
        done={"rehomed": taken.rehomed, "linked": taken.linked, "passed": taken.passed},
        dropped={**taken.dropped, **sent.dropped},
        held=taken.held,
        waiting=receiver.held_spans,
        sent=sent.sent,
        turned_away=taken.turned_away,
        failed=sent.failed,
        buffered=receiver.buffered_bytes,
    )


def _server(base: Base, background: Background, name: str) -> Server:
    client, watch = base.clients[name], background.watcher.of(name)
    idle = client.idle_connections
    return Server(
        name=name,
        meter=client.meter,
        breaker=client.breaker_state.value,
        down=watch.down,
        watched=len(watch),
        lag_s=watch.lag_s,
        connections=(client.open_connections - idle, idle),
    )


def _build(base: Base) -> Family:
    store = base.settings.store.partition(":")[0]
    return Family(i.BUILD_INFO, {(__version__, platform.python_version(), store): 1})
