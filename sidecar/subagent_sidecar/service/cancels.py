"""What is to end, and what became of that, whoever asked for it."""

from collections.abc import Callable, Sequence

from ..core.candidates import ReapClaim
from ..core.changes import (
    CancelAsked,
    CancelConfirmed,
    CancelUnconfirmed,
    Terminated,
    WaitingCancelled,
)
from ..core.model import EndedBy, Timestamp
from ..ports import CancelObserver, Store
from ..recorder import Recorder


class Cancels:
    """Cancels, and what the reaper claims, entered as they happen."""

    def __init__(self, *, store: Store, recorder: Recorder, now: Callable[[], Timestamp]) -> None:
        self._store = store
        self._recorder = recorder
        self._now = now
        self._observers: list[CancelObserver] = []

    def observe(self, observer: CancelObserver) -> None:
        """Tell `observer` of every cancel from now on."""
        self._observers.append(observer)

    def asked(
        self,
        upstream: str,
        thread_id: str,
        run_id: str,
        *,
        by: EndedBy,
        reason: str | None = None,
    ) -> None:
        """A cancel is on its way. `reason` is for the supervisor's model: None for its own."""
        self._recorder.post(
            CancelAsked(
                thread_id=thread_id,
                run_id=run_id,
                by=by,
                at=self._now(),
                reason=reason,
                upstream=upstream,
            )
        )
        for observer in self._observers:
            observer.cancel_asked(upstream, thread_id, run_id, by=by, reason=reason)

    def unconfirmed(self, thread_id: str, run_id: str, tried: Sequence[str]) -> None:
        """The server took the cancel, and the run goes on whatever was `tried`."""
        self._recorder.post(
            CancelUnconfirmed(
                thread_id=thread_id, run_id=run_id, at=self._now(), tried=tuple(tried)
            )
        )

    def undone(self, thread_id: str, run_id: str) -> None:
        """The run whose cancel was confirmed is at work again."""
        self._recorder.post(
            CancelUnconfirmed(thread_id=thread_id, run_id=run_id, at=self._now(), again=True)
        )

    def confirmed(self, thread_id: str, run_id: str, *, lost: bool = False) -> None:
        """The run that was to be cancelled is over indeed, or `lost` with its thread. Its end must
        have been told before: of a live run this says nothing."""
        self._recorder.post(
            CancelConfirmed(thread_id=thread_id, run_id=run_id, at=self._now(), lost=lost)
        )

    def waiting_cancelled(self, thread_id: str, *, by: EndedBy, reason: str) -> None:
        """A task that waits for a human is not to go on; nobody has to be asked for that."""
        self._recorder.post(
            WaitingCancelled(thread_id=thread_id, by=by, at=self._now(), reason=reason)
        )

    def terminated(self, task_id: str, run_id: str) -> None:
        """Nothing is left on its server of a task that was to be terminated."""
        self._recorder.post(Terminated(task_id=task_id, run_id=run_id, at=self._now()))

    async def claim_reaps(self, claims: Sequence[ReapClaim]) -> Sequence[bool]:
        """See ports.Store.claim_reaps; what was told before is on record first."""
        if not claims:
            return ()
        self._recorder.enter()
        mine = await self._store.claim_reaps(claims)
        self._recorder.notify()
        return mine
