"""Finding out what became of one task: its runs first, and its thread when none is left.

live runs --(read)--> ended --> thread --> idle, error      done
               |                  |-----> interrupted       waits for a human, or was cancelled
               |                  `-----> busy              another run: list them
               `--> no such run --> thread there: rolled back or deleted
                                `-> no such thread: lost, once that is beyond doubt
"""

from collections.abc import Collection, Sequence
from itertools import takewhile

from ..core.lifecycle import run_status
from ..core.model import EndedBy, RunStatus, ThreadStatus
from ..core.watched import THREAD_LOST, Next, Watched, why_gone
from ..errors import StoreError
from ..ports import Clock, ServerRun
from ..service import Service
from .asking import Asker
from .books import Books
from .health import Health

_LISTED = 10
_CONFIRM_S = 5.0
"""What is missing has to be missing twice, this far apart."""
_UNPROVEN_S = 600.0
"""As above, of a server that says nothing else meanwhile: what answers 404 to everything may be
a gateway that has lost its server."""


class Reader:
    """Reads tasks of one upstream, and enters what it finds."""

    def __init__(
        self,
        upstream: str,
        asker: Asker,
        *,
        service: Service,
        books: Books,
        clock: Clock,
        health: Health,
        confirm_s: float = _CONFIRM_S,
    ) -> None:
        self._upstream = upstream
        self._asker = asker
        self._service = service
        self._books = books
        self._clock = clock
        self._health = health
        self._confirm_s = confirm_s

    async def read(self, watched: Watched, *, telling: bool) -> Next:
        """Read the task once. Raises UpstreamError."""
        listed: Collection[str] = ()
        if len(watched.live_runs) != 1:
            listed = await self._list(watched, telling)
        missing = await self._read_runs(watched, telling, listed)
        if not watched.live_runs or missing:
            return await self._read_thread(watched, telling, missing, listed=bool(listed))
        watched.missing_since = None
        return Next.LATER

    async def _list(self, watched: Watched, telling: bool) -> Collection[str]:
        """Enter the thread's newest runs. The ids of those listed, if the server lists any."""
        runs = await self._asker.ask(
            watched.task_id,
            lambda server, auth: server.runs(
                watched.task_id, limit=_LISTED + len(watched.live_runs), auth=auth
            ),
            telling=telling,
        )
        if not runs:
            return ()
        newer = list(takewhile(lambda run: run.run_id != watched.newest, runs))
        known = [run for run in runs[len(newer) :] if run.run_id in watched.live_runs]
        for run in reversed([*newer, *known]):  # oldest first, as they came to be
            self._saw(watched, run)
        if newer and watched.newest != newer[0].run_id:
            watched.newest, watched.last_end = newer[0].run_id, run_status(newer[0].status)
        return {run.run_id for run in runs}

    async def _read_runs(
        self, watched: Watched, telling: bool, listed: Collection[str]
    ) -> Sequence[str]:
        """Read the runs that are live, but for those just listed. The ones that are missing."""
        missing = []
        for run_id in watched.live_runs:
            if run_id in listed:
                continue
            run = await self._asker.ask(
                watched.task_id,
                lambda server, auth, run_id=run_id: server.run(  # type: ignore[misc]
                    watched.task_id, run_id, auth=auth
                ),
                telling=telling,
            )
            if run is None:
                missing.append(run_id)
            else:
                self._saw(watched, run)
        return missing

    def _saw(self, watched: Watched, run: ServerRun) -> None:
        status = self._service.seen.run(
            self._upstream, watched.task_id, run.run_id, run.status, created_at=run.created_at
        )
        if status is not None:
            watched.saw_run(run.run_id, status, self._clock.monotonic())

    async def _read_thread(
        self, watched: Watched, telling: bool, missing: Sequence[str], *, listed: bool
    ) -> Next:
        word: str | None = None if missing or watched.word is None else watched.word.value
        if word in (None, ThreadStatus.BUSY.value):
            word = await self._asker.ask(
                watched.task_id,
                lambda server, auth: server.thread_status(watched.task_id, auth=auth),
                telling=telling,
            )
        if word is None:
            return self._thread_missing(watched)
        if missing and not await self._runs_missing(watched, missing):
            return Next.LATER
        watched.missing_since = None
        if watched.live_runs:
            return Next.LATER
        return await self._thread_seen(watched, word, telling, listed=listed)

    async def _thread_seen(
        self, watched: Watched, word: str, telling: bool, *, listed: bool
    ) -> Next:
        """No run is left that is known to be live, and the thread says `word`."""
        watched.word = self._service.seen.thread(self._upstream, watched.task_id, word)
        if watched.word is ThreadStatus.BUSY:
            if not listed:
                await self._list(watched, telling)
            over = watched.last_end not in (None, RunStatus.SUCCESS)
            return Next.LATER if watched.live_runs or not over else Next.DONE
        verdict = watched.after_word()
        if verdict is Next.LATER:
            watched.known = False  # it waits, perhaps for long: let the books agree first
        return verdict

    def _thread_missing(self, watched: Watched) -> Next:
        """Neither a run nor its thread. By a server that is really that one, it is lost."""
        if not self._confirmed(watched):
            return Next.LATER
        self._service.seen.thread_gone(
            self._upstream, watched.task_id, by=EndedBy.SERVER_LOST, reason=THREAD_LOST
        )
        return Next.DONE

    def _confirmed(self, watched: Watched) -> bool:
        now = self._clock.monotonic()
        if watched.missing_since is None:
            watched.missing_since = now
        missing_for = now - watched.missing_since
        if self._health.proven_at > watched.missing_since:
            return missing_for >= self._confirm_s
        return missing_for >= _UNPROVEN_S

    async def _runs_missing(self, watched: Watched, missing: Sequence[str]) -> bool:
        """The thread is there, these runs are not. Whether that is beyond doubt."""
        try:
            record = await self._books.record(watched.task_id)
        except StoreError:
            return False
        reasons = {run_id: why_gone(record, run_id) for run_id in missing}
        if not all(gone.explained for gone in reasons.values()) and not self._confirmed(watched):
            return False
        for run_id, gone in reasons.items():
            self._service.seen.run_gone(
                self._upstream, watched.task_id, run_id, by=gone.by, reason=gone.reason
            )
            watched.saw_run(run_id, RunStatus.INTERRUPTED, self._clock.monotonic())
        return True
