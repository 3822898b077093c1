"""Waiting for parts to become ready: who is, who is not yet, and who never will be."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from ..tasks import spawn
from .processes import Child, DemoFailed

READY_WITHIN = 90.0
REMIND_EVERY = 4.0

# `langgraph dev` does not fail on a port that was taken a moment ago: it moves to another one.
_MOVED = "is already in use, using port"


async def all_ready(
    parts: Mapping[Child, Awaitable[object]],
    *,
    ready: Callable[[str, float], None],
    waiting: Callable[[Sequence[str], float], None],
    within: float = READY_WITHIN,
    remind_every: float = REMIND_EVERY,
) -> None:
    """Return when every part's awaitable has, telling `ready` of each and `waiting` now and then.

    Both are given names and the seconds since the beginning. Raises DemoFailed when one takes
    longer than `within` or listens where nobody looks for it.
    """
    clock = asyncio.get_running_loop().time
    began = clock()
    open_ = {spawn(_done(awaited), name=child.name): child for child, awaited in parts.items()}
    try:
        while open_:
            done, _ = await asyncio.wait(
                open_, timeout=remind_every, return_when=asyncio.FIRST_COMPLETED
            )
            for child in [open_.pop(task) for task in done]:
                ready(child.name, clock() - began)
            if not done:
                _give_up_on(list(open_.values()), overdue=clock() - began > within)
                waiting([child.name for child in open_.values()], clock() - began)
    finally:
        for task in open_:
            task.cancel()


def _give_up_on(children: Sequence[Child], *, overdue: bool) -> None:
    for child in children:
        if _MOVED in child.log.read_text(errors="replace"):
            raise DemoFailed(
                f"Another program took the port of the {child.name} just now. Please try again."
            )
    if overdue:
        late = children[0]
        raise DemoFailed("\n".join([f"The {late.name} does not become ready.", *late.last_words()]))


async def _done(awaited: Awaitable[object]) -> None:
    await awaited
