"""Servers to talk to: one that behaves, and one that sends whatever bytes it is given."""

import os
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest
from click.testing import CliRunner, Result

from subagentctl.__main__ import cli
from subagentctl.look import Look
from subagentctl.outside import Outside
from subagentctl.testing import NOW, FakeAdmin

Run = Callable[..., Result]
Raw = Callable[..., str]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the person who runs the tests has set plays no part."""
    ours = ("SUBAGENTCTL_SERVER", "SUBAGENTCTL_TOKEN", "SUBAGENTCTL_TOKEN_FILE")
    for name in (*ours, "NO_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def admin() -> Iterator[FakeAdmin]:
    """A fake admin plane on a port of its own."""
    fake = FakeAdmin()
    with fake.running():
        yield fake


@pytest.fixture
def run(admin: FakeAdmin) -> Run:
    """`subagentctl ARGS...` in this process, at NOW, against `admin` unless told otherwise."""

    def call(*args: str, outside: Outside | None = None, **environ: str) -> Result:
        given = outside or Outside(now=lambda: NOW, look=lambda: Look(width=100))
        environ = {"SUBAGENTCTL_SERVER": admin.url} | environ
        return CliRunner().invoke(cli, args, obj=given, env=environ)

    return call


@pytest.fixture
def raw() -> Iterator[Raw]:
    """A server that answers each connection's first request with given bytes and hangs up.

    `hold` keeps the connection open after that, until the test ends.
    """
    over = threading.Event()
    threads: list[threading.Thread] = []
    listeners: list[socket.socket] = []

    def start(reply: bytes, *, hold: bool = False) -> str:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        thread = threading.Thread(target=_serve, args=(listener, reply, over if hold else None))
        thread.start()
        threads.append(thread)
        return f"http://127.0.0.1:{listener.getsockname()[1]}"

    yield start
    over.set()
    for listener in listeners:
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
    for thread in threads:
        thread.join()


def _serve(listener: socket.socket, reply: bytes, hold: threading.Event | None) -> None:
    with suppress(OSError):
        while True:
            connection, _ = listener.accept()
            with connection, suppress(OSError):
                connection.recv(65536)
                connection.sendall(reply)
                if hold is not None:
                    hold.wait()


@pytest.fixture
def free_port() -> Iterator[int]:
    """A port where nobody listens: bound, so that nobody else gets it, and not listening."""
    with bound() as port:
        yield port


@contextmanager
def bound() -> Iterator[int]:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        yield holder.getsockname()[1]


@pytest.fixture
def environ(admin: FakeAdmin) -> dict[str, str]:
    """The environment for a real process that talks to `admin`."""
    inherited = {key: value for key, value in os.environ.items() if key != "PYTHONUNBUFFERED"}
    return inherited | {"SUBAGENTCTL_SERVER": admin.url, "PYTHONUTF8": "1"}
