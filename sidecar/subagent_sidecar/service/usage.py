"""What tasks have used."""

from collections.abc import Callable, Sequence

from ..core.changes import UsagePriced, UsageSeen
from ..core.model import UsageEntry
from ..core.signs import Signs
from ..recorder import Recorder


class Usage:
    """Tokens and prices, as those tell who read them."""

    def __init__(self, *, recorder: Recorder, signs: Signs, monotonic: Callable[[], float]) -> None:
        self._recorder = recorder
        self._signs = signs
        self._monotonic = monotonic
        self._observers: list[Callable[[str], None]] = []

    def observe(self, observer: Callable[[str], None]) -> None:
        """Tell `observer`, as ports.Observer is told, of every task whose usage moves."""
        self._observers.append(observer)

    def seen(
        self,
        thread_id: str,
        run_id: str,
        entries: Sequence[UsageEntry],
        *,
        settled: Sequence[str] = (),
    ) -> None:
        """Tokens that a thread's messages tell of, read while `run_id` was its current run;
        `settled` are runs that were over before."""
        if entries or settled:
            seen = UsageSeen(
                thread_id=thread_id,
                run_id=run_id,
                entries=tuple(entries),
                settled=tuple(settled),
            )
            self._recorder.post(seen)
            if entries:
                self._signs.changed(thread_id, self._monotonic())
            for observer in self._observers:
                observer(thread_id)

    async def priced(self, entries: Sequence[UsageEntry]) -> None:
        """Prices for messages on record that had none. On record when it returns, or StoreError."""
        await self._recorder.enter_now([UsagePriced(entries=tuple(entries))])
        for task_id in dict.fromkeys(entry.task_id for entry in entries):
            for observer in self._observers:
                observer(task_id)
