"""Ports for processes that cannot be handed a socket."""

import itertools
import random
import socket
from collections.abc import Iterator

# Below the ports that systems give to whoever asks for any (from 32768 on Linux, 49152 elsewhere):
# a connection of some other test cannot take one of these between our look and the process's bind.
_FIRST, _LAST = 15000, 31999


def _walk() -> Iterator[int]:
    start = random.randrange(_LAST - _FIRST + 1)
    for step in itertools.count(start):
        yield _FIRST + step % (_LAST - _FIRST + 1)


_PORTS = _walk()


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on now, and that this process was not given before."""
    for port in _PORTS:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port
    raise AssertionError("unreachable: the walk over the ports does not end")
