"""Take an SDK's tour to several addresses at once, each in its own process."""

import json
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.acceptance.rig.servers import REPO, python_path
from tests.acceptance.rig.services import end_group

_LIMIT = 150.0


@dataclass(frozen=True, slots=True)
class Tour:
    """`results` are `(step, what came back)`, in order."""

    results: Sequence[tuple[str, Any]]

    def refused(self) -> set[str]:
        """The steps that ended in an error."""
        return {
            name for name, value in self.results if isinstance(value, dict) and "refused" in value
        }


def taken(commands: Mapping[str, Sequence[str]]) -> dict[str, Tour]:
    """Name -> the tour that its command printed."""
    processes = {name: _started(command) for name, command in commands.items()}
    try:
        return {name: _tour(process) for name, process in processes.items()}
    finally:
        for process in processes.values():
            end_group(process)


def _started(command: Sequence[str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        command,
        cwd=REPO,
        env={**os.environ, **python_path()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def _tour(process: subprocess.Popen[bytes]) -> Tour:
    """Tours print less than a pipe holds only by luck: read while they run."""
    out, err = process.communicate(timeout=_LIMIT)
    if process.returncode != 0:
        raise RuntimeError(err.decode(errors="replace")[-4000:])
    return Tour([(name, value) for name, value in json.loads(out)])
