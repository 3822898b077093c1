"""A supervisor process with the one line that keeps a lease."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.rig.servers import REPO, python_path
from tests.acceptance.rig.services import end_group

Supervisor = subprocess.Popen[str]


@contextmanager
def supervisor(
    url: str, session: str, log: Path, *, way: str = "async", tasks: int = 1
) -> Iterator[Supervisor]:
    """A deep agent that starts so many tasks that never end; `way` is how it is run."""
    command = [sys.executable, "-m", "tests.acceptance.driver.leased", url, session, way]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*command, str(tasks)],
            cwd=REPO,
            env={**os.environ, **python_path()},
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        end_group(process)
        assert process.stdout is not None
        process.stdout.close()


def started(process: Supervisor, log: Path) -> Sequence[str]:
    """The tasks it says it has started."""
    assert process.stdout is not None
    first, *tasks = process.stdout.readline().split() or [""]
    assert first == "started", log.read_text("utf-8")
    return tasks
