"""`subagentctl` as an operator runs it, beside whatever goes on in this process."""

import asyncio
import json
import os
import sys
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Said:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def subagentctl(admin_url: str, *args: str) -> Said:
    """Run it to its end."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("SUBAGENTCTL_")}
    env = {**kept, "SUBAGENTCTL_SERVER": admin_url, "PYTHONUTF8": "1"}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "subagentctl", *args),
        env={key: value for key, value in env.items() if key != "COLUMNS"},
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Said(process.returncode or 0, out.decode(), err.decode())
