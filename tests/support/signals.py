"""Signals as an interactive shell leaves them.

Something that was started in the background, or under nohup, ignores SIGINT or SIGHUP and hands
that on to its children, which then rightly outlive them.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager

_OFTEN_IGNORED = (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)


@contextmanager
def heeded() -> Iterator[None]:
    """Processes that are started meanwhile heed signals, whatever this one was told to ignore."""
    ignored = [name for name in _OFTEN_IGNORED if signal.getsignal(name) is signal.SIG_IGN]
    for name in ignored:
        signal.signal(name, signal.SIG_DFL)
    try:
        yield
    finally:
        for name in ignored:
            signal.signal(name, signal.SIG_IGN)
