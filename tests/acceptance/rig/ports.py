"""Free ports for processes that cannot be handed a socket."""

import socket


def free_port() -> int:
    """A port nobody listens on now; the process that gets it must bind it soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
