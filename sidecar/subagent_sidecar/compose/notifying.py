"""Who is told of the ends of tasks, and what does it."""

import random
from collections.abc import Mapping
from contextlib import AsyncExitStack
from typing import Any

from aiohttp import ThreadedResolver

from ..config import PushSettings
from ..core.model import TaskRecord
from ..notifier import GuardedResolver, HttpPoster, Notifier, Secrets, Sender
from ..notifier.sender import AT_ONCE, Shown
from ..ports import Reachability
from ..proxy.admin_tasks import TaskRoutes
from .base import Base


def notifier(stack: AsyncExitStack, base: Base, reachability: Reachability) -> Notifier | None:
    """None where nobody is to be told."""
    if not base.settings.push:
        return None
    shown = _shown(base, reachability)
    made = Notifier(
        store=base.store,
        clock=base.clock,
        senders=[_sender(base, each, shown) for each in base.settings.push],
        on_news=base.service.on_entered,
    )
    stack.push_async_callback(made.aclose)
    return made


def _sender(base: Base, push: PushSettings, shown: Shown) -> Sender:
    return Sender(
        target=push.target,
        poster=HttpPoster(
            push.url,
            resolver=lambda: GuardedResolver(ThreadedResolver(), base.settings.push_allow),
            at_once=AT_ONCE,
        ),
        secrets=Secrets(push.target.name, given=push.secrets, file=push.secret_file),
        store=base.store,
        clock=base.clock,
        shown=shown,
        chance=random.random,
    )


def _shown(base: Base, reachability: Reachability) -> Shown:
    """As `/v1/tasks` shows it, but for what it is about where that is not to be kept, and for what
    tells whether two tasks are about the same: this leaves the house."""
    routes = TaskRoutes(
        service=base.service,
        store=base.store,
        clock=base.clock,
        reachability=reachability,
        links=base.settings.trace_links,
    )

    def shown(record: TaskRecord) -> Mapping[str, Any]:
        told = routes.shown(record)
        runs = [{**run, "fingerprint": None} for run in told["runs"]]
        purpose = told["purpose"] if base.settings.keep_purpose else None
        return {**told, "runs": runs, "purpose": purpose}

    return shown
