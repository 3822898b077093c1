"""The orders an instruction may carry, and the gate a subagent waits at.

A test steers a fake subagent by words in its instruction:

    gate=HOST:PORT/NAME   report to the gatekeeper (`rig/gates.py`), go on when it says so
    sleep=SECONDS         take that long
    words=COUNT           answer with that many words
"""

import asyncio
import re
from dataclasses import dataclass

_ORDER = re.compile(r"\s*\b(gate|sleep|words)=(\S+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """What an instruction asks of the fake; `topic` is the rest of its text."""

    topic: str
    gate: str | None = None
    sleep: float = 0.0
    words: int = 5


def orders_in(instruction: str) -> Orders:
    found = dict(_ORDER.findall(instruction))
    return Orders(
        topic=_ORDER.sub("", instruction).strip(),
        gate=found.get("gate"),
        sleep=float(found.get("sleep", 0)),
        words=int(found.get("words", 5)),
    )


async def obey_waits(orders: Orders) -> None:
    """Pass the gate, then sleep. Cancelling it hangs up on the gatekeeper, who notices."""
    if orders.gate is not None:
        await _pass_gate(orders.gate)
    await asyncio.sleep(orders.sleep)


async def _pass_gate(gate: str) -> None:
    """A gatekeeper that is gone lets everybody through: no subagent outlives its test."""
    address, name = gate.split("/", 1)
    host, port = address.rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(f"{name}\n".encode())
        await reader.readline()
    finally:
        writer.close()
