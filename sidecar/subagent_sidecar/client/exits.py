"""Ends sessions when the process ends: at a normal exit, and at SIGTERM.

SIGTERM is caught on its way to whoever had it before. If that was nobody, the process is about to
be killed in the middle of whatever it does: sessions are ended, and then it is killed by the signal
all the same, as its parent expects. If it was somebody, sessions are ended first, within half a
second, and then they do what they do about it: a server that winds up by itself (uvicorn, say) ends
by the same signal once more, with all handlers taken back, and comes to no exit that could be seen.
"""

import atexit
import os
import signal
import ssl
import threading
from types import FrameType
from typing import Any

from .calls import Place
from .keeper import Keeper

_keepers: dict[tuple[object, ...], tuple[Keeper, bool]] = {}
_lock = threading.RLock()
_armed = _caught = False
_before: Any = signal.SIG_DFL
"""What had SIGTERM before."""

_TERMINATED = "its supervisor's process was terminated"


def keeper_of(
    url: str,
    headers: dict[str, str],
    *,
    end_at_exit: bool,
    ssl_context: ssl.SSLContext | None = None,
) -> Keeper:
    """This process's keeper for a sidecar, the same one for everybody who asks alike."""
    place = Place.of(url)
    key = (place, tuple(sorted(headers.items())), end_at_exit, ssl_context)
    with _lock:
        _arm()
        _catch_sigterm()
        found = _keepers.get(key)
        if found is None:
            found = _keepers[key] = (Keeper(place, headers, ssl_context=ssl_context), end_at_exit)
        return found[0]


def _arm() -> None:
    global _armed
    if _armed:
        return
    _armed = True
    atexit.register(_end_all, "its supervisor's process exited")
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_after_fork)


def _catch_sigterm() -> None:
    """Only the main thread can. What is ignored, or handled by something that is not Python, is
    left alone."""
    global _before, _caught
    if _caught or threading.current_thread() is not threading.main_thread():
        return
    before = signal.getsignal(signal.SIGTERM)
    if before is signal.SIG_DFL or callable(before):
        _before, _caught = before, True
        signal.signal(signal.SIGTERM, _terminated)


def _terminated(number: int, frame: FrameType | None) -> None:
    if callable(_before):
        for keeper, end in list(_keepers.values()):
            if end:
                keeper.leave(_TERMINATED)
        _before(number, frame)
        return
    _end_all(_TERMINATED)
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
