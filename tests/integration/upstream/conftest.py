"""Every test here runs on both loops: deployments have uvloop, tests of users may not."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from typing import Any

import pytest
import uvloop
from tests.integration.upstream.raw_server import Connect, end, new_client

from subagent_sidecar.upstream import HttpUpstream


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"asyncio": asyncio.SelectorEventLoop, "uvloop": uvloop.new_event_loop}


@pytest.fixture
async def connect() -> AsyncIterator[Connect]:
    """Makes clients that are closed after the test."""
    async with AsyncExitStack() as stack:

        def make(port: int, **settings: Any) -> HttpUpstream:
            upstream = new_client(port, **settings)
            stack.push_async_callback(end, upstream)
            return upstream

        yield make
