"""What works without being asked: it follows, reads, settles, cancels and prunes."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from ..auditor import Auditor
from ..budget_watch import BudgetWatch
from ..canceller import RunCanceller, TaskCanceller
from ..core.cancel import Rollback
from ..core.policy import Policy
from ..core.principal import ANONYMOUS
from ..core.spans_seen import SpansSeen
from ..notifier import Notifier
from ..pricing import Prices
from ..reaper import Reaper
from ..reconciler import Reconciler
from ..repricing import Repricing
from ..retention import Retention
from ..telemetry import Receiver, Tracer
from ..tidier import Leftovers, Tidier
from ..usage_reader import UsageReader
from ..watcher import Watcher
from . import notifying, policies, receiving, tracing
from .base import Base
from .lifetimes import spawned


@dataclass(frozen=True, kw_only=True)
class Background:
    """Made first, and started once there is somebody to serve."""

    watcher: Watcher
    reconciler: Reconciler
    usage: UsageReader
    canceller: RunCanceller
    ender: TaskCanceller
    tidier: Tidier
    leftovers: Leftovers
    budgets: BudgetWatch
    repricing: Repricing
    reaper: Reaper
    auditor: Auditor
    tracer: Tracer | None
    seen: SpansSeen
    receiver: Receiver | None
    notifier: Notifier | None

    def start(self, stack: AsyncExitStack) -> None:
        self.watcher.start()
        self.usage.start()
        spawned(stack, self.reconciler.run(), name="reconciler")
        spawned(stack, self.canceller.resume(), name="resume cancels")
        spawned(stack, self.budgets.run(), name="budgets")
        spawned(stack, self.leftovers.run(), name="threads left behind")
        spawned(stack, self.repricing.run(), name="repricing")
        spawned(stack, self.reaper.run(), name="reaper")
        if self.tracer is not None:
            spawned(stack, self.tracer.run(), name="traces")
        if self.receiver is not None:
            spawned(stack, self.receiver.run(), name="traces of others")
        if self.notifier is not None:
            spawned(stack, self.notifier.run(), name="push")


def make(stack: AsyncExitStack, base: Base) -> Background:
    seen = SpansSeen()
    tracer, receiver = tracing.tracer(base), receiving.receiver(base, seen)
    stack.push_async_callback(_closed, tracer, receiver)  # first: when all others have closed
    watcher = _watcher(stack, base)
    notifier = notifying.notifier(stack, base, watcher)
    reconciler = Reconciler(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        patience=base.settings.start_timeout + timedelta(seconds=5),
    )
    prices = Prices({})
    usage = _usage(stack, base, watcher, prices)
    canceller = _canceller(stack, base)
    ender = TaskCanceller(
        runs=canceller,
        service=base.service,
        store=base.store,
        servers=base.servers,
        credentials=base.credentials,
    )
    return Background(
        watcher=watcher,
        reconciler=reconciler,
        usage=usage,
        canceller=canceller,
        ender=ender,
        tidier=_tidier(stack, base),
        leftovers=_leftovers(base),
        budgets=_budgets(stack, base, ender),
        repricing=_repricing(base, prices),
        reaper=_reaper(stack, base, ender, watcher),
        auditor=_auditor(base, watcher),
        tracer=tracer,
        seen=seen,
        receiver=receiver,
        notifier=notifier,
    )


async def _closed(*telling: Tracer | Receiver | None) -> None:
    """Together: each of them may wait for an endpoint for as long as it may."""
    await asyncio.gather(*(each.aclose() for each in telling if each is not None))


def _watcher(stack: AsyncExitStack, base: Base) -> Watcher:
    watcher = Watcher(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        credentials=base.credentials,
    )
    stack.push_async_callback(watcher.aclose)
    return watcher


def _repricing(base: Base, prices: Prices) -> Repricing:
    """`prices` follow the policy from now on."""
    repricing = Repricing(
        service=base.service, store=base.store, has=prices.has, cost=prices.own_cost
    )

    def follow(policy: Policy) -> None:
        prices.charge(policies.prices(base.settings, policy))
        repricing.charged()

    base.policies.follow(follow)
    return repricing


def _usage(stack: AsyncExitStack, base: Base, watcher: Watcher, prices: Prices) -> UsageReader:
    usage = UsageReader(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        credentials=base.credentials,
        cost=prices.cost,
        interval_s=base.settings.usage_interval.total_seconds(),
        spare=watcher.spare,
    )
    base.service.observe(usage, began=usage.runs_began)
    stack.push_async_callback(usage.aclose)
    return usage


def _canceller(stack: AsyncExitStack, base: Base) -> RunCanceller:
    rollback = base.settings.cancel_rollback
    canceller = RunCanceller(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        credentials=base.credentials,
        verify_for=base.settings.cancel_verify_for,
        rollback=None if rollback is None else Rollback(rollback),
    )
    stack.push_async_callback(canceller.aclose)
    return canceller


def _budgets(stack: AsyncExitStack, base: Base, ender: TaskCanceller) -> BudgetWatch:
    watch = BudgetWatch(
        service=base.service,
        store=base.store,
        clock=base.clock,
        upstreams=list(base.servers),
        ender=ender,
    )
    base.service.observe(watch, began=watch.runs_began)
    base.service.usage.observe(watch.usage_seen)
    stack.push_async_callback(watch.aclose)
    return watch


def _reaper(stack: AsyncExitStack, base: Base, ender: TaskCanceller, watcher: Watcher) -> Reaper:
    reaper = Reaper(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        credentials=base.credentials,
        ender=ender,
        reachability=watcher,
        interval_s=base.settings.reap_interval.total_seconds(),
    )
    base.service.observe(reaper, ends_only=True)
    base.service.on_session_ended(reaper.session_ended)
    base.service.sessions.on_beat(reaper.session_beat)
    stack.push_async_callback(reaper.aclose)
    return reaper


def _tidier(stack: AsyncExitStack, base: Base) -> Tidier:
    tidier = Tidier(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        credentials=base.credentials,
    )
    stack.push_async_callback(tidier.aclose)
    return tidier


def _leftovers(base: Base) -> Leftovers:
    return Leftovers(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        credentials=base.credentials,
    )


def _auditor(base: Base, watcher: Watcher) -> Auditor:
    return Auditor(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        agents={one.name: frozenset(one.agents) for one in base.settings.upstreams},
        keep=base.settings.retention,
        supervisor=ANONYMOUS.supervisor,
        spare=watcher.spare,
    )


def prune(stack: AsyncExitStack, base: Base) -> None:
    """Have old tasks forgotten, unless everything is to be kept."""
    if base.settings.retention:
        retention = Retention(store=base.store, clock=base.clock, keep=base.settings.retention)
        spawned(stack, retention.run(), name="retention")
