"""One list of facts for every agent server: the fake of the package and the real ones.

The server needs four graphs: `researcher` answers, `failing` raises RuntimeError("boom..."),
`asker` interrupts with {"question": "Which region?"}, `hang` never ends by itself.
"""

import asyncio
from collections.abc import Awaitable, Callable

from tests.contract import checks_runs, checks_streams, checks_threads
from tests.contract.agent_client import AgentClient, agent_client

Check = Callable[[AgentClient], Awaitable[None]]

CHECKS: tuple[Check, ...] = (
    *checks_threads.CHECKS,
    *checks_runs.CHECKS,
    *checks_streams.CHECKS,
)

_AT_ONCE = 6


async def check_agent_server(url: str) -> None:
    """Run every check against the server at `url`; raises all that failed as one group.

    Checks use threads of their own and touch nobody else's, so a shared server will do.
    """
    turn = asyncio.Semaphore(_AT_ONCE)

    async def in_turn(check: Check) -> BaseException | None:
        async with turn, agent_client(url) as client:
            (outcome,) = await asyncio.gather(check(client), return_exceptions=True)
        if isinstance(outcome, BaseException):
            outcome.add_note(f"check: {getattr(check, '__name__', check)}")
        return outcome

    outcomes = await asyncio.gather(*(in_turn(check) for check in CHECKS))
    failures = [outcome for outcome in outcomes if isinstance(outcome, Exception)]
    if failures:
        raise ExceptionGroup(f"{len(failures)} of {len(CHECKS)} checks failed at {url}", failures)
