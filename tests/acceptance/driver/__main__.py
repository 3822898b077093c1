"""`python -m tests.acceptance.driver SUITE --side JSON --out FILE`: play a suite, keep the record.

A process of its own: deep agents never meet the test runner's event loop or warning filters.
"""

import argparse
import asyncio
import json
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.acceptance.driver import explained, five_tools, refused, topology

_SYNC_SCENARIOS_AT_ONCE = 16


def _suite(name: str, side: dict[str, Any]) -> Coroutine[Any, Any, dict[str, Any]]:
    if name == "five-tools":
        return five_tools.record(five_tools.Side(**side))
    if name == "explained":
        return explained.record(explained.Side(**side))
    if name == "refused":
        return refused.record(refused.Side(**side))
    return topology.record(topology.Side(**side))


async def _played(name: str, side: dict[str, Any]) -> dict[str, Any]:
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(_SYNC_SCENARIOS_AT_ONCE))
    return await _suite(name, side)


def _main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suite", choices=("five-tools", "topology", "explained", "refused"))
    parser.add_argument("--side", required=True, type=json.loads)
    parser.add_argument("--out", required=True, type=Path)
    options = parser.parse_args()
    recordings = asyncio.run(_played(options.suite, options.side))
    options.out.write_text(json.dumps(recordings, indent=1), encoding="utf-8")


if __name__ == "__main__":
    _main()
