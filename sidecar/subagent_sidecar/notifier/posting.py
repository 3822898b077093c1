"""One POST: to an address that is allowed, without redirects, cookies, proxies or patience."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol

from aiohttp import (
    ClientConnectorCertificateError,
    ClientConnectorDNSError,
    ClientConnectorError,
    ClientError,
    ClientSession,
    ClientSSLError,
    ClientTimeout,
    DummyCookieJar,
    ServerDisconnectedError,
    TCPConnector,
)
from yarl import URL

from .guarded import GuardedResolver, NotAllowed

_WITHIN_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """`status` is None where there was no answer, and `problem` says why. `wait`: for how long the
    receiver asks to be left alone."""

    status: int | None
    problem: str = ""
    wait: timedelta = timedelta(0)


class Poster(Protocol):
    """Where a Sender's pushes go."""

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        """What came of it; it raises nothing."""

    async def aclose(self) -> None:
        """End all connections."""


class HttpPoster:
    """A Poster to `url`. What comes back is not read: only its status counts."""

    def __init__(
        self,
        url: str,
        *,
        resolver: Callable[[], GuardedResolver],
        at_once: int,
        within_s: float = _WITHIN_S,
    ) -> None:
        self._url = URL(url, encoded=True)
        self._make_resolver = resolver
        self._at_once = at_once
        self._timeout = ClientTimeout(total=within_s)
        self._opened: tuple[ClientSession, GuardedResolver] | None = None

    async def post(self, body: bytes, headers: Mapping[str, str]) -> Answer:
        session, resolver = self._open()
        try:
            resolver.check_literal(self._url.host or "")
            async with session.post(
                self._url,
                data=body,
                headers=headers,
                allow_redirects=False,
                timeout=self._timeout,
            ) as response:
                return Answer(
                    status=response.status,
                    problem=f"it answered {response.status}",
                    wait=_asked(response.headers.get("Retry-After", "")),
                )
        except TimeoutError:
            return Answer(status=None, problem="it did not answer in time")
        except (ClientError, OSError) as error:
            return Answer(status=None, problem=_why(error))

    def _open(self) -> tuple[ClientSession, GuardedResolver]:
        if self._opened is None:
            resolver = self._make_resolver()
            session = ClientSession(
                connector=TCPConnector(resolver=resolver, use_dns_cache=False, limit=self._at_once),
                cookie_jar=DummyCookieJar(),
                trust_env=False,
            )
            self._opened = session, resolver
        return self._opened

    async def aclose(self) -> None:
        if self._opened is not None:
            session, resolver = self._opened
            self._opened = None
            await session.close()
            await resolver.close()


def _asked(text: str) -> timedelta:
    """`Retry-After` in seconds; dates are not understood."""
    return (
        timedelta(seconds=int(text))
        if text.isascii() and text.isdigit() and len(text) < 7
        else timedelta(0)
    )


_WORDS: tuple[tuple[type[BaseException], str], ...] = (
    (ClientConnectorDNSError, "its name cannot be resolved"),
    (ClientConnectorCertificateError, "its certificate is not one that is trusted"),
    (ClientSSLError, "it cannot be reached: TLS fails"),
    (ClientConnectorError, "it cannot be reached: nobody takes the connection"),
    (ServerDisconnectedError, "it hung up without an answer"),
)


def _why(error: BaseException) -> str:
    """Without the URL, which may hold what not everybody should know."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, NotAllowed):
            return str(cause)
        cause = cause.__cause__ or getattr(cause, "os_error", None)
    words = next((words for kind, words in _WORDS if isinstance(error, kind)), None)
    return words or f"it cannot be reached ({type(error).__name__})"
