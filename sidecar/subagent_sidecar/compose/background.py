"""What works without being asked: it follows, reads, settles, cancels and prunes."""

from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta

from ..canceller import RunCanceller, TaskCanceller
from ..core.cancel import Rollback
from ..pricing import Prices
from ..reconciler import Reconciler
from ..retention import Retention
from ..usage_reader import UsageReader
from ..watcher import Watcher
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

    def start(self, stack: AsyncExitStack) -> None:
        self.watcher.start()
        self.usage.start()
        spawned(stack, self.reconciler.run(), name="reconciler")
        spawned(stack, self.canceller.resume(), name="resume cancels")


def make(stack: AsyncExitStack, base: Base) -> Background:
    watcher = _watcher(stack, base)
    reconciler = Reconciler(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        patience=base.settings.start_timeout + timedelta(seconds=5),
    )
    usage = _usage(stack, base, watcher)
    canceller = _canceller(stack, base)
    ender = TaskCanceller(
        runs=canceller,
        service=base.service,
        store=base.store,
        servers=base.servers,
        credentials=base.credentials,
    )
    return Background(
        watcher=watcher, reconciler=reconciler, usage=usage, canceller=canceller, ender=ender
    )


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


def _usage(stack: AsyncExitStack, base: Base, watcher: Watcher) -> UsageReader:
    usage = UsageReader(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        credentials=base.credentials,
        cost=Prices(base.settings.prices).cost,
        interval_s=base.settings.usage_interval.total_seconds(),
        spare=watcher.spare,
    )
    base.service.observe(usage)
    stack.push_async_callback(usage.aclose)
    return usage


def _canceller(stack: AsyncExitStack, base: Base) -> RunCanceller:
    canceller = RunCanceller(
        service=base.service,
        store=base.store,
        clock=base.clock,
        servers=base.servers,
        credentials=base.credentials,
        verify_for=base.settings.cancel_verify_for,
        rollback=Rollback(base.settings.cancel_rollback),
    )
    stack.push_async_callback(canceller.aclose)
    return canceller


def prune(stack: AsyncExitStack, base: Base) -> None:
    """Have old tasks forgotten, unless everything is to be kept."""
    if base.settings.retention:
        retention = Retention(store=base.store, clock=base.clock, keep=base.settings.retention)
        spawned(stack, retention.run(), name="retention")
