"""Whether metrics are pushed, and what does it."""

import importlib
import os
import socket
from collections.abc import Mapping
from contextlib import AsyncExitStack

from ..config import Settings
from ..metrics import Page
from ..telemetry import (
    Exporting,
    MetricsPush,
    Reading,
    Sender,
    Where,
    metrics_every,
    where_metrics,
)
from .base import Base
from .lifetimes import spawned


def push_to(settings: Settings, environ: Mapping[str, str] = os.environ) -> Where | None:
    """Where metrics go; None where nobody wants them pushed."""
    return where_metrics(
        wanted=settings.otlp_metrics,
        endpoint=settings.otlp_endpoint,
        protocol=settings.otlp_protocol,
        environ=environ,
    )


def push_metrics(
    stack: AsyncExitStack,
    base: Base,
    page: Page,
    *,
    port: int,
    environ: Mapping[str, str] = os.environ,
) -> None:
    """Until the stack is left, if anybody wants it: last when nobody is served any more.
    `port` is that of the admin plane, which tells this sidecar from others on its host."""
    found = push_to(base.settings, environ)
    if found is None:
        return
    instance = f"{socket.gethostname()}:{port}"
    push = MetricsPush(
        gather=page.families,
        clock=base.clock,
        exporting=Exporting(lambda: _sender(found, instance), thread="metrics-export"),
        every_s=metrics_every(environ),
    )
    stack.push_async_callback(push.aclose)
    spawned(stack, push.run(), name="metrics push")


def _sender(to: Where, instance: str) -> Sender[Reading]:
    """Called late, and on a thread of its own: the exporters take over a second to load."""
    module = importlib.import_module("subagent_sidecar.telemetry.otel_metrics")
    sender: Sender[Reading] = module.sender(to, instance)
    return sender
