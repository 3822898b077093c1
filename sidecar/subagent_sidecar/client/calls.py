"""The three requests of a supervisor, over one kept connection, each bounded in time."""

import http.client
import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

_MAX_ANSWER = 1024 * 1024


class Failed(Exception):
    """The request was not answered as it should be; its text is half a sentence that says how."""


class Over(Exception):
    """The session was ended; its text is the sidecar's sentence."""


@dataclass(frozen=True, slots=True)
class Renewed:
    """In how many seconds to come again, None if it does not say; and whether there is a lease at
    all: where no policy says how long one is, it has to be asked for."""

    every_s: float | None
    held: bool


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sidecar's data plane is: a subagent's url will do, `/to/NAME` is not part of it."""

    scheme: str
    host: str
    port: int | None
    base: str

    @classmethod
    def of(cls, url: str) -> "Place":
        """Raises ValueError, now rather than later, for what is no http URL."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError(f"{url!r} is not a URL such as http://127.0.0.1:8460")
        path = parts.path.rstrip("/")
        base = path.partition("/to/")[0]
        return cls(parts.scheme, parts.hostname, parts.port, base)

    def __str__(self) -> str:
        port = "" if self.port is None else f":{self.port}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}{port}{self.base}"


class Caller:
    """Speaks to one sidecar; not to be shared between threads. Never through a proxy. Without an
    `ssl_context` https goes by the authorities this machine trusts, SSL_CERT_FILE included."""

    def __init__(
        self,
        place: Place,
        headers: Mapping[str, str],
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._ssl_context = ssl_context
        self._place = place
        self._headers = {"Content-Type": "application/json", **headers}
        self._connection: http.client.HTTPConnection | None = None

    def heartbeat(
        self, session_id: str, *, lease_s: int | None, reopen: bool, timeout_s: float
    ) -> Renewed:
        """Raises Failed; and Over where the session was ended, unless it is to be open again."""
        body: dict[str, Any] = {} if lease_s is None else {"lease_s": lease_s}
        if reopen:
            body["reopen"] = True
        told = self._ask("POST", session_id, "/heartbeat", body, timeout_s)
        every = told.get("heartbeat_s")
        if not isinstance(every, int | float) or every <= 0:
            every = None
        return Renewed(every, held=told.get("lease_s") is not None)

    def end(self, session_id: str, reason: str, *, timeout_s: float) -> None:
        """Raises Failed."""
        self._ask("POST", session_id, "/end", {"reason": reason}, timeout_s)

    def live_tasks(self, session_id: str, *, timeout_s: float) -> int:
        """How many there are; none where it knows nothing of the session. Raises Failed."""
        told = self._ask("GET", session_id, "", None, timeout_s, absent=404)
        live = told.get("live_tasks", 0)
        return live if isinstance(live, int) else 0

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _ask(
        self,
        method: str,
        session_id: str,
        what: str,
        body: Any,
        timeout_s: float,
        *,
        absent: int | None = None,
    ) -> dict[str, Any]:
        """The object it answers with; an empty one for the status `absent`."""
        target = f"{self._place.base}/sidecar/sessions/{_segment(session_id)}{what}"
        sent = None if body is None else json.dumps(body)
        fresh = self._connection is None
        try:
            status, answer = self._send(method, target, sent, timeout_s)
        except (ConnectionError, http.client.RemoteDisconnected) as error:
            if fresh:
                raise Failed(f"cannot be reached ({_cause(error)})") from error
            # The kept connection was stale. To say any of it twice does no harm.
            return self._ask(method, session_id, what, body, timeout_s, absent=absent)
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise Failed(f"cannot be reached ({_cause(error)})") from error
        told = _object(answer)
        if status == 410 and "reopen" not in (body or {}):
            raise Over(str(told.get("message") or "the session was ended"))
        if status == absent:
            return {}
        if status != 200:
            said = told.get("message")
            raise Failed(f"answered {status}" + (f": {said}" if isinstance(said, str) else ""))
        return told

    def _send(
        self, method: str, target: str, body: str | None, timeout_s: float
    ) -> tuple[int, bytes]:
        connection = self._connection or self._connect(timeout_s)
        self._connection = connection
        try:
            connection.timeout = timeout_s
            if connection.sock is not None:
                connection.sock.settimeout(timeout_s)
            connection.request(method, target, body=body, headers=self._headers)
            response = connection.getresponse()
            answer = response.read(_MAX_ANSWER)
            if not response.isclosed():
                self.close()  # there is more of it
            return response.status, answer
        except BaseException:
            self.close()  # half an answer may still be on its way
            raise

    def _connect(self, timeout_s: float) -> http.client.HTTPConnection:
        place = self._place
        if place.scheme == "https":
            context = self._ssl_context or ssl.create_default_context()
            return http.client.HTTPSConnection(
                place.host, place.port, timeout=timeout_s, context=context
            )
        return http.client.HTTPConnection(place.host, place.port, timeout=timeout_s)


def _segment(session_id: str) -> str:
    return quote(session_id.encode("utf-8", "replace"), safe="")


def _object(body: bytes) -> dict[str, Any]:
    try:
        value = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message}"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
