"""`python -m tests.acceptance.tours async|sync URL`: take the tour, print what came back."""

import asyncio
import inspect
import json
import sys
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

from langgraph_sdk import get_client, get_sync_client
from tests.acceptance.tours.steps import Steps, tour

Results = list[tuple[str, Any]]


def _steps(client: Any) -> Steps:
    return tour(client, tag=uuid.uuid4().hex, fixed_id=str(uuid.uuid4()))


async def _async_tour(url: str) -> Results:
    results: Results = []
    async with get_client(url=url) as client:
        steps = _steps(client)
        name, call = next(steps)
        while True:
            results.append((name, value := await _performed(call)))
            try:
                name, call = steps.send(value)
            except StopIteration:
                return results


async def _performed(call: Callable[[], Any]) -> Any:
    try:
        value = call()
        if isinstance(value, AsyncIterator):
            return [_event(part) async for part in value]
        return await value if inspect.isawaitable(value) else value
    except Exception as error:  # noqa: BLE001  # the SDK raises bare Exceptions; all are results
        return _refusal(error)


def _sync_tour(url: str) -> Results:
    results: Results = []
    with get_sync_client(url=url) as client:
        steps = _steps(client)
        name, call = next(steps)
        while True:
            results.append((name, value := _performed_at_once(call)))
            try:
                name, call = steps.send(value)
            except StopIteration:
                return results


def _performed_at_once(call: Callable[[], Any]) -> Any:
    try:
        value = call()
        return [_event(part) for part in value] if isinstance(value, Iterator) else value
    except Exception as error:  # noqa: BLE001  # the SDK raises bare Exceptions; all are results
        return _refusal(error)


def _event(part: Any) -> dict[str, Any]:
    return {"event": part.event, "data": part.data, "id": part.id}


def _refusal(error: Exception) -> dict[str, str]:
    return {"refused": type(error).__name__, "text": str(error)}


def _main() -> None:
    kind, url = sys.argv[1:]
    results = asyncio.run(_async_tour(url)) if kind == "async" else _sync_tour(url)
    json.dump(results, sys.stdout)


if __name__ == "__main__":
    _main()
