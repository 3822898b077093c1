"""Who is connected to the data plane, and by what right."""

import asyncio
import select
import socket
from collections import Counter
from collections.abc import Callable
from typing import Protocol

_HANGUP = getattr(select, "POLLRDHUP", 0)


class Member(Protocol):
    """A client's connection. A client that leaves ends its request; once `stopping`, the next
    answer is the last one."""

    stopping: bool

    @property
    def transport(self) -> asyncio.Transport | None:
        """None once the client has left."""

    def swept(self, now: float) -> None:
        """Called each second: close it if its request is overdue or its client left, and end a
        request whose key has come to its end: streams and sockets may be open for hours."""

    def cut(self) -> None:
        """End the request in progress, as if its client had left."""


class Crowd:
    """All connections. `opens` says whether what was let in by a key may go on."""

    def __init__(
        self,
        *,
        max_connections: int,
        max_client_connections: int | None,
        opens: Callable[[str], bool] | None,
    ) -> None:
        self.members: set[Member] = set()
        self.awaited = 0
        """The size of the requests that are waited for before anybody has looked at them."""
        self.of_key: Counter[str] = Counter()
        """Requests that were let in by a key and are being served."""
        self._opens = opens
        self._max_connections = max_connections
        self._max_client_connections = max_client_connections
        self._of_client: Counter[bytes] = Counter()

    def has_room_for(self, member: Member, client: bytes) -> bool:
        """Whether this connection more is within the limits: of all, and of one address."""
        self.members.add(member)
        self._of_client[client] += 1
        most = self._max_client_connections
        if most is not None and self._of_client[client] > most:
            return False
        return len(self.members) <= self._max_connections

    def left(self, client: bytes) -> None:
        """One connection of `client` less. It is a member for as long as its request goes on."""
        self._of_client[client] -= 1
        if self._of_client[client] <= 0:
            del self._of_client[client]

    def let_in(self, key_id: str) -> int:
        """How many requests of this key are being served, with this one."""
        self.of_key[key_id] += 1
        return self.of_key[key_id]

    def over(self, key_id: str) -> None:
        """A request of this key less."""
        self.of_key[key_id] -= 1
        if not self.of_key[key_id]:
            del self.of_key[key_id]

    def is_closed(self, key_id: str | None) -> bool:
        """Whether a request that was let in by this key has to end for that."""
        return key_id is not None and self._opens is not None and not self._opens(key_id)


def detect_dead_peers(sock: socket.socket | None) -> None:
    """Have the kernel notice within 30 s that a peer is gone without a word."""
    if sock is None or sock.family not in (socket.AF_INET, socket.AF_INET6):
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 15), ("TCP_KEEPINTVL", 5), ("TCP_KEEPCNT", 3)):
        if hasattr(socket, option):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)


def address_of(transport: asyncio.BaseTransport) -> bytes:
    """The client's."""
    peer = transport.get_extra_info("peername")
    return str(peer[0]).encode() if isinstance(peer, tuple) else b"unknown"


def has_hung_up(transport: asyncio.Transport) -> bool:
    """Whether the client is gone, which nobody sees while nothing of it is read."""
    poll = select.poll()
    poll.register(transport.get_extra_info("socket").fileno(), _HANGUP)
    return bool(poll.poll(0))
