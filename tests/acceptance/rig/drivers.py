"""Run the driver on one or several sides at once, each in its own process."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.acceptance.rig.servers import REPO, python_path
from tests.acceptance.rig.services import end_group

Json = dict[str, Any]

NO_KEEP_ALIVE = {"connection": "close"}
"""For supervisors that talk to a server directly: uvicorn closes idle connections after 5 s, the
very age up to which httpx reuses them, and a scenario must not fail by that race. Through the
sidecar connections are kept: there it has to cope."""

_LIMIT = 170.0


def played(suite: str, sides: Mapping[str, Mapping[str, Any]], folder: Path) -> dict[str, Json]:
    """Side name -> scenario name -> recording."""
    processes = {name: _start(suite, side, folder / name) for name, side in sides.items()}
    try:
        return {name: _result(process, folder / name) for name, process in processes.items()}
    finally:
        for process in processes.values():
            end_group(process)


def _start(suite: str, side: Mapping[str, Any], base: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.acceptance.driver", suite]
    command += ["--side", json.dumps(side), "--out", str(base.with_suffix(".json"))]
    with base.with_suffix(".log").open("wb") as log:
        return subprocess.Popen(
            command,
            cwd=REPO,
            env={**os.environ, **python_path()},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _result(process: subprocess.Popen[bytes], base: Path) -> Json:
    if process.wait(timeout=_LIMIT) != 0:
        raise RuntimeError(base.with_suffix(".log").read_text(encoding="utf-8")[-4000:])
    recordings: Json = json.loads(base.with_suffix(".json").read_text(encoding="utf-8"))
    return recordings
