"""How fast, as a rule that costs nothing to keep: so many a second, a few of them at once."""


class Pace:
    """Turns at `per_s` a second; after a rest `burst` of them may be taken at once.

    Whatever second one looks at, no more than `per_s + burst` turns begin in it.
    """

    def __init__(self, per_s: float, *, burst: int = 1) -> None:
        self._gap = 1.0 / per_s
        self._credit = self._gap * (burst - 1)
        self._next = float("-inf")

    def free_at(self) -> float:
        """When the next turn may be taken."""
        return self._next - self._credit

    def take(self, now: float) -> float:
        """Take the next turn; how many seconds it is away."""
        wait = max(0.0, self.free_at() - now)
        self._next = max(self._next, now) + self._gap
        return wait

    def take_if_free(self, now: float) -> bool:
        """Take the next turn if it can be had without waiting."""
        free = self.free_at() <= now
        if free:
            self.take(now)
        return free
