"""Deployments have uvloop, tests of users may not: what depends on how a loop tells of lost
connections runs on both. Nothing here may log more than what the operator should act on."""

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping

import pytest
import uvloop

_ON_BOTH_LOOPS = frozenset(
    {"test_disconnects", "test_handing_over", "test_streams", "test_websocket"}
)


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    factories: dict[str, Callable[[], asyncio.AbstractEventLoop]]
    factories = {"uvloop": uvloop.new_event_loop}
    if item.path.stem in _ON_BOTH_LOOPS:
        factories["asyncio"] = asyncio.SelectorEventLoop
    return factories


@pytest.fixture(autouse=True)
def quiet(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No traceback, no warning, no error, whatever clients and servers do (row 15); but trouble
    with a server, and a start whose outcome cannot be found out, are worth a warning."""
    caplog.set_level(logging.DEBUG)
    yield
    loud = [
        record.getMessage() + (record.exc_text or "")
        for record in caplog.get_records("call")
        if record.name != "subagent_sidecar.reconciler"
        and not getattr(record, "action", "").startswith("upstream_")
        and (record.levelno >= logging.WARNING or record.exc_info)
    ]
    assert not loud
