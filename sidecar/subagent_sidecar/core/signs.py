"""What is seen of runs while they are at work, and for how long nothing has changed.

A run that hangs and one that thinks look alike, and one that nobody can look into looks like both.
So a run counts as still only for the time over which somebody looked and found it unchanged:

- It has to have shown something: a checkpoint of its own. A server that keeps no checkpoints, or
  writes them at the end, or does not show them, never has a run that counts as still.
- From then on each look at the thread's newest checkpoint either finds another one, which is a
  change, or the same, which makes it still up to the moment of this look.
- What a stream of the run carries is a change as well; its keep-alives are not.

A server that is down is not looked into, so nothing grows still meanwhile.
"""

from dataclasses import dataclass

_KEEPS_OPEN = (b":", b"\r", b"\n", b"")
"""How pieces begin that say nothing: comments in event streams, white space before JSON."""


_SPARE = 1_000


@dataclass(slots=True)
class _Signs:
    """Moments are monotonic seconds. `shown`: the run that has shown a checkpoint of its own."""

    changed_at: float
    looked_at: float
    checkpoint: str | None = None
    shown: str | None = None


@dataclass(frozen=True, slots=True)
class Glimpse:
    """What a look at a thread showed: its newest checkpoint, and the run that wrote it, None where
    the server does not say."""

    checkpoint: str | None
    run_id: str | None


NO_GLIMPSE = Glimpse(None, None)


class Signs:
    """By task. `limit` bounds how many are kept: the oldest are forgotten, and begin anew."""

    def __init__(self, *, limit: int = 50_000) -> None:
        self._limit = limit
        self._signs: dict[str, _Signs] = {}
        self._streamed: dict[str, None] = {}

    def streamed(self, task_id: str, piece: bytes) -> None:
        """A piece of a stream of a run came by. Costs next to nothing, for there are many."""
        if piece[:1] not in _KEEPS_OPEN:
            self._streamed[task_id] = None

    def changed(self, task_id: str, now: float) -> None:
        """Something of the task is new."""
        signs = self._signs.get(task_id)
        if signs is not None:
            signs.changed_at = now

    def looked(self, task_id: str, glimpse: Glimpse, *, first_run: bool, now: float) -> None:
        """The thread was looked at. `first_run`: whatever it holds is of its first run."""
        signs = self._signs.get(task_id)
        if signs is None:
            signs = self._signs[task_id] = _Signs(now, now)
            if len(self._signs) > self._limit:
                del self._signs[next(iter(self._signs))]
        if glimpse.checkpoint != signs.checkpoint:
            signs.checkpoint, signs.changed_at = glimpse.checkpoint, now
        signs.looked_at = now
        if glimpse.checkpoint is not None:
            signs.shown = glimpse.run_id or ("" if first_run else None)

    def take_in(self, now: float, *, live: int | None = None) -> None:
        """Have what came by count as changes. Called once a sweep, when so many tasks are live: of
        many more, those looked at longest ago are forgotten."""
        if live is not None and len(self._signs) > 2 * live + _SPARE:
            order = sorted(self._signs, key=lambda task_id: self._signs[task_id].looked_at)
            for task_id in order[: len(order) - live]:
                del self._signs[task_id]
        streamed, self._streamed = self._streamed, {}
        for task_id in streamed:
            self.changed(task_id, now)

    def still_for(self, task_id: str, run_id: str, since: float) -> float:
        """Seconds over which the run, at work `since`, was looked at and did not change."""
        signs = self._signs.get(task_id)
        if signs is None or signs.shown not in (run_id, ""):
            return 0.0
        return max(signs.looked_at - max(signs.changed_at, since), 0.0)
