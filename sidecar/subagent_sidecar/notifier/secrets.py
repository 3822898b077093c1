"""The secrets of a target. A file is read again whenever it is needed, so that secrets can be
changed while the sidecar runs."""

import asyncio
import logging
from collections.abc import Sequence
from pathlib import Path

from ..core.push.signing import secrets_in
from ..secret_files import utf8_in

_log = logging.getLogger(__name__)


class Secrets:
    """`given` stay as they are; those of `file` come before them."""

    def __init__(self, target: str, *, given: Sequence[bytes], file: Path | None) -> None:
        self._target = target
        self._given = tuple(given)
        self._file = file
        self._read: tuple[bytes, ...] = ()
        self._unreadable = False

    async def current(self) -> tuple[bytes, ...]:
        """Those of now; of a file that cannot be read, those it had. Empty where it never could
        be, and nothing else was given."""
        if self._file is None:
            return self._given
        try:
            self._read = await asyncio.to_thread(_secrets_of, self._file)
            self._unreadable = False
        except (OSError, ValueError) as error:
            self._say(error)
        return (*self._read, *self._given)

    def _say(self, error: OSError | ValueError) -> None:
        """One line for as long as it lasts."""
        if not self._unreadable:
            _log.warning(
                "push to %s: the file of its secrets cannot be used (%s)",
                self._target,
                error.strerror if isinstance(error, OSError) else error,
                extra={"action": "push_secrets_unread"},
            )
        self._unreadable = True


def _secrets_of(file: Path) -> tuple[bytes, ...]:
    return secrets_in(utf8_in(file))
