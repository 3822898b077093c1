"""Ends sessions when the process ends: at a normal exit, and when SIGTERM would kill it.

A process that handles SIGTERM itself leaves in its own way, and comes to the normal exit by it: it
is not disturbed. One that does not would be killed in the middle of whatever it does, so here the
signal is caught, sessions are ended, and it is killed all the same, as its parent expects.
"""

import atexit
import os
import signal
import threading
from types import FrameType

from .calls import Place
from .keeper import Keeper

_keepers: dict[tuple[object, ...], tuple[Keeper, bool]] = {}
_lock = threading.RLock()
_armed = False


def keeper_of(url: str, headers: dict[str, str], *, end_at_exit: bool) -> Keeper:
    """This process's keeper for a sidecar, the same one for everybody who asks alike."""
    place = Place.of(url)
    key = (place, tuple(sorted(headers.items())), end_at_exit)
    with _lock:
        _arm()
        found = _keepers.get(key)
        if found is None:
            found = _keepers[key] = (Keeper(place, headers), end_at_exit)
        return found[0]


def _arm() -> None:
    global _armed
    if _armed:
        return
    _armed = True
    atexit.register(_end_all, "its supervisor's process exited")
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)
    _catch_sigterm()


def _catch_sigterm() -> None:
    """Only where nobody else does, and where it can be done: on the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:
    _end_all("its supervisor's process was terminated")
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def _end_all(reason: str) -> None:
    """Within two seconds for each sidecar; usually there is one."""
    for keeper, end in list(_keepers.values()):
        keeper.close(reason, end=end)


def _after_fork() -> None:
    global _lock
    _lock = threading.RLock()
    for keeper, _ in _keepers.values():
        keeper.after_fork()
