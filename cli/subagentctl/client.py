"""One connection to the admin plane: JSON objects out of it, `CliError`s instead of all else."""

import http.client
import json
import math
import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self
from urllib.parse import quote, urlencode

from subagentctl.errors import Unreachable
from subagentctl.problems import not_a_sidecar, not_trusted, refusal, unreachable
from subagentctl.server import Server
from subagentctl.sse import Message, messages
from subagentctl.trust import Trust

TIMEOUT_S = 10.0
_MAX_BODY = 64 * 2**20

JsonObject = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back, `payload` being None when it is not a JSON object."""

    status: int
    content_type: str
    location: str
    payload: JsonObject | None


class Client:
    """Calls the admin plane at `server`. A context manager, since it keeps its connection open.

    `timeout` in seconds holds for connecting, for every silence, and for a whole answer. Raises
    Misused where the server is https and `trust` cannot be used.
    """

    def __init__(
        self,
        server: Server,
        token: str | None,
        *,
        timeout: float = TIMEOUT_S,
        trust: Trust = Trust(),  # noqa: B008 - frozen, and nothing but defaults
    ) -> None:
        self._server = server
        self._timeout = timeout
        self._tls = trust.context() if server.scheme == "https" else None
        self._connection = self._connect(timeout)
        self._headers = {"Accept": "application/json", "User-Agent": "subagentctl"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._connection.close()

    def get(self, path: str, query: Mapping[str, str] | None = None) -> JsonObject:
        """The JSON object at `path` (already quoted, see `segment`), empty values left out.

        Raises Unreachable, NotFound or Failed.
        """
        return self._good(self._exchange(self._target(path, query or {})))

    def post(self, path: str, body: JsonObject, *, timeout: float) -> JsonObject:
        """The JSON object that a POST of `body` is answered with, within `timeout` seconds.

        It goes over a connection of its own and is never sent twice: when that breaks, nobody
        knows what was done (Unreachable.in_doubt). Raises as `get` does.
        """
        connection = self._connect(timeout)
        headers = {**self._headers, "Content-Type": "application/json"}
        target = f"{self._server.base}{path}"
        connected = False
        try:
            with _foreign_errors(self._server, timeout):
                connection.connect()
                connected = True
                connection.request("POST", target, body=json.dumps(body), headers=headers)
                answer = _answer(connection, until=time.monotonic() + timeout)
        except Unreachable as error:
            error.in_doubt = connected
            raise
        finally:
            connection.close()
        return self._good(answer)

    @contextmanager
    def stream(
        self, path: str, query: Mapping[str, str], *, last_id: str, silence: float
    ) -> Iterator[Iterator[Message]]:
        """The server-sent events at `path`, those after `last_id`, as they come; they end when
        the server ends them. After `silence` seconds of it the server is taken for dead.

        Over a connection of its own. Raises as `get` does, also while it is read.
        """
        connection = self._connect(silence)
        headers = {**self._headers, "Accept": "text/event-stream", "Last-Event-ID": last_id}
        try:
            with _foreign_errors(self._server, silence):
                connection.request("GET", self._target(path, query), headers=headers)
                response = connection.getresponse()
                if response.headers.get_content_type() != "text/event-stream":
                    body = _read(response, until=time.monotonic() + self._timeout)
                    self._good(_answered(response, body))
                    raise self.surprise("it answers a stream with one document")
                with response:
                    yield messages(response.readline)
        finally:
            connection.close()

    def _target(self, path: str, query: Mapping[str, str]) -> str:
        pairs = {key: value for key, value in query.items() if value}
        return f"{self._server.base}{path}" + (f"?{urlencode(pairs)}" if pairs else "")

    def _good(self, answer: Answer) -> JsonObject:
        if answer.payload is not None and answer.status == 200:
            return answer.payload
        raise refusal(
            self._server,
            status=answer.status,
            content_type=answer.content_type,
            location=answer.location,
            payload=answer.payload,
            token_sent="Authorization" in self._headers,
        )

    def surprise(self, what: str) -> Unreachable:
        """The error for an answer of 200 that is not what the admin plane would say."""
        return not_a_sidecar(self._server, what)

    def _connect(self, timeout: float) -> http.client.HTTPConnection:
        host, port = self._server.host, self._server.port
        if self._tls is not None:
            return http.client.HTTPSConnection(host, port, timeout=timeout, context=self._tls)
        return http.client.HTTPConnection(host, port, timeout=timeout)

    def _exchange(self, target: str) -> Answer:
        with _foreign_errors(self._server, self._timeout):
            return self._fresh_if_stale(target)

    def _fresh_if_stale(self, target: str) -> Answer:
        """A kept connection may be long dead: a GET on one that breaks is sent once more."""
        kept = self._connection.sock is not None
        try:
            return self._send(target)
        except (ConnectionError, http.client.IncompleteRead):
            self._connection.close()
            if not kept:
                raise
        return self._send(target)

    def _send(self, target: str) -> Answer:
        try:
            self._connection.request("GET", target, headers=self._headers)
            return _answer(self._connection, until=time.monotonic() + self._timeout)
        except BaseException:
            # Half an answer may still be under way: the connection cannot be used again.
            self._connection.close()
            raise


def segment(text: str) -> str:
    """`text` as one path segment, whatever it holds."""
    return quote(text.encode("utf-8", "surrogateescape"), safe="")


def _answer(connection: http.client.HTTPConnection, *, until: float) -> Answer:
    response = connection.getresponse()
    with response:  # closed, or the kept connection takes no further request
        body = _read(response, until=until)
    return _answered(response, body)


def _answered(response: http.client.HTTPResponse, body: bytes) -> Answer:
    return Answer(
        status=response.status,
        content_type=response.headers.get_content_type(),
        location=response.headers.get("Location", ""),
        payload=json_object(body),
    )


def _read(response: http.client.HTTPResponse, *, until: float) -> bytes:
    """The whole body. A server that drips bytes is cut off at `until` (monotonic seconds)."""
    body = bytearray()
    while chunk := response.read1(65536):
        body += chunk
        if time.monotonic() > until:
            raise TimeoutError
        if len(body) > _MAX_BODY:
            raise http.client.HTTPException("an answer without end")
    if response.length:  # read1 takes an early end for a good one
        raise http.client.IncompleteRead(b"", response.length)
    return bytes(body)


def json_object(body: bytes) -> JsonObject | None:
    """Parse what can be written again as JSON: NaN and numbers beyond a float become null."""
    try:
        value = json.loads(body, parse_constant=lambda _: None, parse_float=_finite)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _finite(text: str) -> float | None:
    number = float(text)
    return number if math.isfinite(number) else None


@contextmanager
def _foreign_errors(server: Server, timeout: float) -> Iterator[None]:
    """Turn what sockets, TLS and http.client raise into `Unreachable`."""
    try:
        yield
    except TimeoutError as error:
        raise unreachable(server, f"no answer within {timeout:g} s") from error
    except ssl.SSLCertVerificationError as error:
        raise not_trusted(server, error.verify_message) from error
    except ssl.SSLError as error:
        raise unreachable(server, f"TLS failed: {error.reason or error}") from error
    except http.client.RemoteDisconnected as error:
        tls = server.scheme == "https"
        wants = "; it may want " + ("a client certificate: --cert" if tls else "https://")
        raise unreachable(server, f"the connection was closed without an answer{wants}") from error
    except http.client.IncompleteRead as error:
        raise unreachable(server, "the connection broke in the middle of the answer") from error
    except http.client.HTTPException as error:
        raise not_a_sidecar(server, "the answer is not HTTP") from error
    except OSError as error:
        raise unreachable(server, (error.strerror or str(error)).lower()) from error
