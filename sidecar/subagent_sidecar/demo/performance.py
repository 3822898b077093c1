"""The demo from the first line to the last: set up, converse, show the books, say what next."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from typing import Any

import aiohttp

from . import words
from .observe import ENDED, Observer
from .parts import Ports, answers, write_langgraph_json
from .processes import Child, DemoFailed, Stage
from .readiness import all_ready
from .render import Style
from .script import TURNS, Turn, task_status

_STORY_WITHIN = 60.0
_READING_TIME = 1.2
_LOOK_EVERY = 0.4
_PATIENCE = 6.0
_BOOKS_WITHIN = 5.0
_ONE_ANSWER = aiohttp.ClientTimeout(total=5)
_FAILED = "Failed to "


class Performance:
    """One demo on one stage; `out` gets the story line by line. All times in seconds."""

    def __init__(self, stage: Stage, *, out: Callable[[str], None], style: Style) -> None:
        self._stage = stage
        self._out = out
        self._style = style
        self._ports: Ports
        self.kept = False

    async def run(self, *, keep: bool) -> None:
        """Play it all. With `keep` this ends only by being cancelled."""
        self._ports = Ports.free()
        self._print(words.prologue(self._style))
        async with aiohttp.ClientSession(timeout=_ONE_ANSWER) as session:
            supervisor = await self._set_up(session)
            observer = Observer(session, self._ports.admin_url)
            async with _limit(_STORY_WITHIN, "The story did not come to its end"):
                await self._converse(supervisor, observer)
            await self._stage.stop(supervisor)
        await self._show_tasks()
        self._print(words.epilogue(self._style))
        if keep:
            self.kept = True
            self._print(words.kept_running(self._style, self._ports))
            await asyncio.get_running_loop().create_future()
        self._print(words.invitation(self._style))

    def _print(self, lines: Iterable[str]) -> None:
        for line in lines:
            self._out(self._style.finish(line))

    async def _set_up(self, session: aiohttp.ClientSession) -> Child:
        """Start the three parts at once and return when all of them are ready."""
        ports, start = self._ports, self._stage.start
        config = write_langgraph_json(self._stage.work)
        server = await start(words.SERVER, ports.server_argv(config))
        store = self._stage.work / "demo.db"
        sidecar = await start(words.SIDECAR, ports.sidecar_argv(store))
        supervisor = await start(words.SUPERVISOR, ports.supervisor_argv(), talks=True)
        parts: dict[Child, Awaitable[object]] = {
            server: answers(session, f"{ports.server_url}/ok"),
            sidecar: answers(session, f"{ports.admin_url}/readyz"),
            supervisor: supervisor.read(),
        }
        await all_ready(parts, ready=self._is_ready, waiting=self._waiting_for)
        self._print(words.scene(self._style, ports))
        return supervisor

    def _is_ready(self, name: str, seconds: float) -> None:
        self._print(words.is_ready(self._style, name, seconds, self._ports))

    def _waiting_for(self, names: Sequence[str], seconds: float) -> None:
        self._print(words.waiting_for(self._style, names, seconds))

    async def _converse(self, supervisor: Child, observer: Observer) -> None:
        """The whole conversation, with what the sidecar learns printed as it learns it."""
        for turn in TURNS:
            if turn.reports_on:
                self._print(words.meanwhile(self._style))
                await self._idle(observer, _PATIENCE, until_ended=turn.reports_on)
            while not await self._take_turn(turn, supervisor, observer):
                await self._idle(observer, _READING_TIME)
            await self._idle(observer, _READING_TIME)
        await self._idle(observer, _BOOKS_WITHIN, until_ended="all")

    async def _idle(self, observer: Observer, seconds: float, *, until_ended: str = "") -> None:
        """Show what the sidecar learns within `seconds`, or until that task (or all) ended."""
        clock = asyncio.get_running_loop().time
        end = clock() + seconds
        while clock() < end and not (until_ended and observer.has_ended(until_ended)):
            await asyncio.sleep(_LOOK_EVERY)
            await self._look(observer)

    async def _look(self, observer: Observer) -> None:
        for news in await observer.look():
            self._print(self._style.said("sidecar", news))

    async def _take_turn(self, turn: Turn, supervisor: Child, observer: Observer) -> bool:
        """Say the user's line and show what follows; whether the turn has come to its end."""
        self._print(["", *self._style.said("you", turn.user)])
        await supervisor.write(turn.user)
        result = ""
        while (event := await self._next_event(supervisor, observer))["event"] != "done":
            self._print(self._style.event(event))
            if event["event"] == "result":
                result = str(event["text"])
                if result.startswith(_FAILED):
                    raise DemoFailed(f"The supervisor could not go on: {result}")
                await self._look(observer)
        return not turn.reports_on or task_status(result) in ENDED

    async def _next_event(self, supervisor: Child, observer: Observer) -> dict[str, Any]:
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_EVERY):
                    event: dict[str, Any] = json.loads(await supervisor.read())
                    return event
            await self._look(observer)

    async def _show_tasks(self) -> None:
        self._print(words.before_table(self._style))
        argv = self._ports.tasks_argv()
        table = await self._stage.run("subagentctl", argv, columns=self._style.width - words.INDENT)
        self._print(f"{'':{words.INDENT}}{line}".rstrip() for line in table.splitlines())


@contextlib.asynccontextmanager
async def _limit(seconds: float, otherwise: str) -> AsyncIterator[None]:
    try:
        async with asyncio.timeout(seconds):
            yield
    except TimeoutError as error:
        raise DemoFailed(f"{otherwise} within {seconds:.0f} s.") from error
