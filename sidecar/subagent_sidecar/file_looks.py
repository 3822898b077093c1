"""Whether files have changed, without reading them."""

from collections.abc import Sequence
from pathlib import Path

Stamp = tuple[int, int, int, int, int]
"""Device, inode, size, and when content and inode were last changed. Links are followed: a file
that was replaced by a rename, or whose link now leads elsewhere, has another inode."""

Look = tuple[Stamp | None, ...]
"""One for each file; None where it cannot be seen."""


def look(files: Sequence[Path]) -> Look:
    return tuple(_stamp(file) for file in files)


def _stamp(file: Path) -> Stamp | None:
    try:
        found = file.stat()
    except (OSError, ValueError):
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


class Settling:
    """Tells when files that have changed have come to rest, so that half a file is not read: at
    the second look running that shows the same. `read` is what was there when they were read."""

    def __init__(self, read: Look) -> None:
        self.read = read
        self._last = read

    def news(self, now: Look) -> bool:
        """Whether `now` shows what has not been read and was there at the last look already."""
        at_rest = now == self._last
        self._last = now
        return at_rest and now != self.read
