"""The tools, which go in by the data plane's door like everybody else."""

from contextlib import AsyncExitStack

from ..tools import Catalog, Door, Interrupts, Tools, Waits
from .background import Background
from .base import Base


def make(stack: AsyncExitStack, base: Base, background: Background, door: Door) -> Tools:
    waits = Waits()
    base.service.observe(waits)
    interrupts = Interrupts(door, background.ender)
    stack.push_async_callback(interrupts.aclose)
    settings = base.settings
    return Tools(
        door=door,
        catalog=Catalog(
            door,
            declared=settings.agents,
            upstreams=[upstream.name for upstream in settings.upstreams],
            listed={upstream.name: upstream.agents for upstream in settings.upstreams},
            now=base.clock.monotonic,
        ),
        service=base.service,
        store=base.store,
        ender=background.ender,
        interrupts=interrupts,
        waits=waits,
        result_limit=settings.tool_result_limit,
        now=base.clock.monotonic,
    )
