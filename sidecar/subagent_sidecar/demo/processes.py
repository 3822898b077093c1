"""The demo's child processes: each in its own group, its output in a log, its death noticed."""

import asyncio
import contextlib
import os
import re
import signal
import socket
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..tasks import spawn

_STOP_GRACE_SECONDS = 4.0
_LAST_LINES = 8
_LONGEST_TAIL = 96
_LONGEST_LINE = 1 << 20
_ANSI = re.compile(r"\x1b\[[0-9;]*m")

# Settings of the person who tries the demo must not reach its parts: they would send traces and
# keys to somebody's account, or start the parts with other options than the demo's.
_PRIVATE = ("LANGSMITH_", "LANGCHAIN_", "LANGGRAPH_", "OTEL_", "SUBAGENT_SIDECAR_", "SUBAGENTCTL_")
_OFFLINE = {
    "LANGSMITH_TRACING": "false",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
    "NO_COLOR": "1",
    "PYTHONUNBUFFERED": "1",
    "PYTHONUTF8": "1",
}


class DemoFailed(Exception):
    """The demo cannot go on; the text is one sentence for the person in front of it."""


def child_environment(ours: Mapping[str, str], columns: int = 0) -> dict[str, str]:
    """What a child sees of our environment: no keys, no telemetry, no proxy to ourselves."""
    kept = {name: value for name, value in ours.items() if not name.startswith(_PRIVATE)}
    return kept | _OFFLINE | ({"COLUMNS": str(columns)} if columns else {})


def free_ports(count: int) -> list[int]:
    """Different TCP ports of 127.0.0.1 that nobody listens on."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        try:
            for held in sockets:
                held.bind(("127.0.0.1", 0))
        except OSError as error:
            raise DemoFailed(f"No free port on 127.0.0.1: {error}.") from error
        return [held.getsockname()[1] for held in sockets]


@dataclass(frozen=True, slots=True, eq=False)
class Child:
    """A running part of the demo."""

    name: str
    process: Process
    log: Path

    def signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)

    async def read(self) -> bytes:
        """The next line it prints; one that has gone prints nothing any more, for ever."""
        assert self.process.stdout is not None
        return await self.process.stdout.readline() or await self._silence()

    async def write(self, line: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(line.encode() + b"\n")
        with contextlib.suppress(ConnectionError):  # the stage hears of its end and says why
            await self.process.stdin.drain()

    async def _silence(self) -> bytes:
        # Whoever waits here gets cancelled: the stage is told of every child that ends.
        nothing: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        return await nothing

    def obituary(self) -> str:
        """One sentence on how it ended, and the last lines of its log."""
        ending = f"The {self.name} stopped unexpectedly ({_exit_words(self.process.returncode)})."
        return "\n".join([ending, *self.last_words()])

    def last_words(self) -> list[str]:
        """The end of its log, marked as a quotation."""
        return [f"  | {line}" for line in tail(self.log.read_text(errors="replace"))]


class Stage:
    """Starts the children, says when one of them ends by itself, and ends them all."""

    def __init__(self, directory: Path) -> None:
        self.work, self.logs = directory / "work", directory / "logs"
        self.work.mkdir()
        self.logs.mkdir()
        self._died: Callable[[Child], None] = lambda child: None
        self._children: list[Child] = []
        self._stopping: set[Child] = set()
        self._watchers: list[asyncio.Task[None]] = []

    def on_death(self, tell: Callable[[Child], None]) -> None:
        """Call `tell` with every child that ends before it was told to."""
        self._died = tell

    async def start(
        self, name: str, argv: Sequence[str], *, talks: bool = False, columns: int = 0
    ) -> Child:
        """Start a child; one that `talks` has pipes for stdin and stdout instead of the log."""
        log = self.logs / f"{name.replace(' ', '-')}.log"
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *argv,
                stdin=PIPE if talks else DEVNULL,
                stdout=PIPE if talks else output,
                stderr=output,
                cwd=self.work,
                env=child_environment(os.environ, columns),
                start_new_session=True,
                limit=_LONGEST_LINE,
            )
        child = Child(name, process, log)
        self._children.append(child)
        self._watchers.append(spawn(self._watch(child), name=f"watch {name}"))
        return child

    async def _watch(self, child: Child) -> None:
        await child.process.wait()
        if child not in self._stopping:
            self._died(child)

    async def stop(self, *children: Child) -> None:
        """End these children (default: all) and whatever they have started themselves."""
        ending = children or tuple(self._children)
        self._stopping.update(ending)
        for child in ending:
            child.signal_group(signal.SIGTERM)
        try:
            async with asyncio.timeout(_STOP_GRACE_SECONDS):
                await asyncio.gather(*(child.process.wait() for child in ending))
        except TimeoutError:
            pass
        finally:
            for child in ending:
                child.signal_group(signal.SIGKILL)
        await asyncio.gather(*(child.process.wait() for child in ending))

    async def run(self, name: str, argv: Sequence[str], *, columns: int) -> str:
        """Run a command to its end and return what it printed on so wide a screen."""
        child = await self.start(name, argv, talks=True, columns=columns)
        self._stopping.add(child)
        printed, _ = await child.process.communicate()
        if child.process.returncode:
            raise DemoFailed(child.obituary())
        return printed.decode()

    def kill(self) -> None:
        """End all children at once, for somebody who presses Ctrl-C twice."""
        for child in self._children:
            child.signal_group(signal.SIGKILL)


def tail(text: str) -> list[str]:
    """The last lines of a log that say something."""
    lines = [line.rstrip() for line in _ANSI.sub("", text).splitlines()]
    return [_cut(line) for line in lines if line][-_LAST_LINES:]


def _cut(line: str) -> str:
    return line if len(line) <= _LONGEST_TAIL else line[: _LONGEST_TAIL - 1] + "…"


def _exit_words(code: int | None) -> str:
    if code is not None and code < 0:
        return f"by signal {signal.Signals(-code).name}"
    return f"exit code {code}"
