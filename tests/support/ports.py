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
_GIVEN: list[socket.socket] = []
"""The same numbers among UDP's, bound as long as this process lives: another run of tests beside
this one looks at them too, and a port is given long before something listens on it."""


def free_port() -> int:
    """A port of 127.0.0.1 nobody listens on now, and that no run of tests was given before."""
    for port in _PORTS:
        token = socket.socket(type=socket.SOCK_DGRAM)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                token.bind(("127.0.0.1", port))
                probe.bind(("127.0.0.1", port))
            except OSError:
                token.close()
                continue
        _GIVEN.append(token)
        return port
    raise AssertionError("unreachable: the walk over the ports does not end")
