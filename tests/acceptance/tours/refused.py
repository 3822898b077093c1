"""Calls that are refused: `python -m tests.acceptance.tours.refused async|sync URL AGENT...` makes
each call once for each agent, on a thread of its own, and prints `[[agent, call, thread id, error
text], ...]` as JSON."""

import asyncio
import json
import sys
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

from langgraph_sdk import get_client, get_sync_client

Told = list[tuple[str, str, str, str]]

_CALLS = ("create", "stream", "wait")
_INPUT = {"messages": [{"role": "user", "content": "work"}]}


async def _async(url: str, agents: list[str]) -> Told:
    async with get_client(url=url) as client:

        async def do(call: str, thread_id: str, agent: str) -> None:
            value: Any = getattr(client.runs, call)(thread_id, agent, input=_INPUT)
            if isinstance(value, AsyncIterator):
                async for _ in value:
                    pass
            elif isinstance(value, Awaitable):
                await value

        return [await _told(do, agent, call) for agent in agents for call in _CALLS]


async def _told(
    do: Callable[[str, str, str], Awaitable[None]], agent: str, call: str
) -> tuple[str, str, str, str]:
    thread_id = str(uuid.uuid4())
    try:
        await do(call, thread_id, agent)
    except Exception as error:  # noqa: BLE001  # the SDK raises bare Exceptions
        return agent, f"runs.{call}", thread_id, _text(error)
    return agent, f"runs.{call}", thread_id, ""


def _sync(url: str, agents: list[str]) -> Told:
    async def do(call: str, thread_id: str, agent: str) -> None:
        value: Any = getattr(client.runs, call)(thread_id, agent, input=_INPUT)
        if isinstance(value, Iterator):
            list(value)

    async def all_of_them() -> Told:
        return [await _told(do, agent, call) for agent in agents for call in _CALLS]

    with get_sync_client(url=url) as client:
        return asyncio.run(all_of_them())


def _text(error: Exception) -> str:
    """As a traceback shows it: `runs.wait` has the answer's body in a note only."""
    return "\n".join([str(error), *getattr(error, "__notes__", ())])


def _main() -> None:
    kind, url, *agents = sys.argv[1:]
    told = asyncio.run(_async(url, agents)) if kind == "async" else _sync(url, agents)
    json.dump(told, sys.stdout)


if __name__ == "__main__":
    _main()
