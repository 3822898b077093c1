"""What one transaction leaves to the next, so that it need not be asked for again.

It is true as long as nobody else writes to the file: `true_of` has to be told at the beginning of
each transaction how the file stands, and all of it is forgotten with a transaction that fails.
"""

from ..core.tallies import Tallies

_MOST_ABSENT = 4_096


class Kept:
    """Counts, and which tasks are not on record."""

    __slots__ = ("_version", "absent", "tallies")

    def __init__(self) -> None:
        self.tallies = Tallies()
        self.absent: set[str] = set()
        """Ids of tasks that were looked for and are not there. A start looks for its task when it
        is asked for, and again when it has been accepted: between the two nobody makes it."""
        self._version = -1

    def true_of(self, version: int) -> None:
        """Keep what is known if the file is at `version` still, whatever that is a number of."""
        self.tallies.true_of(version)
        if version != self._version or len(self.absent) > _MOST_ABSENT:
            self.absent.clear()
        self._version = version

    def forget(self) -> None:
        """Ask anew from now on."""
        self.tallies.forget()
        self.absent.clear()
