"""`subagent-sidecar demo`: play the story, and leave nothing behind however it ends."""

import asyncio
import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..tasks import spawn
from . import words
from .parts import missing_packages
from .performance import Performance
from .processes import DemoFailed, Stage
from .render import Style

_PREFIX = "subagent-sidecar-demo-"
_DEATH_NOTICE_SECONDS = 0.3


async def play(
    *,
    keep: bool,
    out: Callable[[str], None],
    err: Callable[[str], None],
    style: Style | None = None,
) -> int:
    """Play the demo and return the exit code: 0, 1 for a failure, 128 + n for signal n.

    With `keep` the agent server and the sidecar stay up after the story until Ctrl-C, which is
    then the expected end (0). `out` gets the story, `err` what went wrong.
    """
    if missing_packages():
        err(words.INSTALL)
        return 1
    with tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True) as name:
        stage = Stage(Path(name))
        performance = Performance(stage, out=out, style=style or Style.of(sys.stdout))
        ending = await _Playing(stage, performance).to_the_end(keep=keep)
        if ending.failure:
            err(ending.failure)
            err(f"The logs of its parts are in {_rescue(stage.logs)}")
        return ending.code


@dataclass(frozen=True, slots=True)
class _Ending:
    code: int
    failure: str = ""


class _Playing:
    """A performance, and what can cut it short: a signal, or a part that ends by itself."""

    def __init__(self, stage: Stage, performance: Performance) -> None:
        self._stage = stage
        self._performance = performance
        self._ending: _Ending | None = None
        stage.on_death(lambda child: self._end(_Ending(1, child.obituary())))

    async def to_the_end(self, *, keep: bool) -> _Ending:
        self._task = spawn(_outcome(self._performance.run(keep=keep)), name="demo")
        with _signals(self._interrupt):
            try:
                match await self._task:
                    case DemoFailed() as error:
                        # A part that dies lets others fail first: its own end says more.
                        await asyncio.sleep(_DEATH_NOTICE_SECONDS)
                        self._end(_Ending(1, str(error)))
                    case BrokenPipeError() as error:
                        raise error
                    case None:
                        pass
            except asyncio.CancelledError:
                if self._ending is None:
                    raise
            finally:
                await self._stage.stop()
        return self._ending or _Ending(0)

    def _end(self, ending: _Ending) -> None:
        if self._ending is None:
            self._ending = ending
            self._task.cancel()

    def _interrupt(self, number: int) -> None:
        if self._ending is not None:
            self._stage.kill()
        self._end(_Ending(0 if self._performance.kept else 128 + number))


async def _outcome(run: Coroutine[Any, Any, None]) -> DemoFailed | BrokenPipeError | None:
    """The expected errors as values: `spawn` reports what a task raises as a bug."""
    try:
        await run
    except (DemoFailed, BrokenPipeError) as error:
        return error
    return None


@contextlib.contextmanager
def _signals(act: Callable[[int], None]) -> Iterator[None]:
    """Hand SIGINT, SIGTERM and, unless it is ignored as under nohup, SIGHUP to `act`."""
    loop = asyncio.get_running_loop()
    wanted = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
        wanted.append(signal.SIGHUP)
    for number in wanted:
        loop.add_signal_handler(number, act, number)
    try:
        yield
    finally:
        for number in wanted:
            loop.remove_signal_handler(number)


def _rescue(logs: Path) -> Path:
    """Move the logs out of the directory that is about to be removed."""
    kept = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}logs-"))
    return Path(shutil.copytree(logs, kept, dirs_exist_ok=True))
