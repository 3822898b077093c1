"""A `langgraph dev` that is ended and started again, as deployments and crashes do.

It keeps its state in memory, and writes it into `.langgraph_api` every ten seconds and when it is
asked to stop: SIGTERM loses nothing, SIGKILL what happened since the last time. Either way it runs
what was running once more, from the last checkpoint it kept.
"""

import signal
from contextlib import ExitStack
from pathlib import Path

from tests.acceptance.rig.servers import langgraph_dev
from tests.acceptance.rig.services import Service
from tests.support.ports import free_port
from tests.support.waiting import eventually

_ENDS_WITHIN = 90.0
_SAVES_WITHIN = 60.0


class MortalServer:
    """To be started and ended in turns: always the same port, the same folder."""

    def __init__(self, folder: Path, *, jobs: int) -> None:
        self._folder = folder
        self._state = folder / ".langgraph_api" / ".langgraph_ops.pckl"
        self._jobs = jobs
        self._port = free_port()
        self._life = ExitStack()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Service:
        life = langgraph_dev(self._folder, port=self._port, sidecar_url=self.url, jobs=self._jobs)
        self._service = self._life.enter_context(life)
        return self._service

    def end(self, number: signal.Signals) -> None:
        """Returns when the process is gone."""
        self._service.end(number, within=_ENDS_WITHIN)
        self._life.close()

    def close(self) -> None:
        self._life.close()

    async def saved(self) -> None:
        """Wait until all that has happened so far is on the disk."""
        for _ in range(2):  # the first may have been on its way
            before = self._saved_at()
            await eventually(lambda: self._saved_at() > before, within=_SAVES_WITHIN)  # noqa: B023

    def _saved_at(self) -> float:
        return self._state.stat().st_mtime if self._state.exists() else 0.0
