"""Which header fields cross the proxy, and in what form."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache

from ..core.credential_names import tells_who
from ..errors import BadHeader

Field = tuple[bytes, bytes]

HOP_BY_HOP = frozenset(
    {
        b"connection",
        b"content-length",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    }
)
"""RFC 9110 7.6.1, and the framing fields, which each connection makes anew."""

_OURS = frozenset({b"x-subagent-key", b"x-subagent-session", b"x-subagent-upstream"})
NOT_SENT_ON = HOP_BY_HOP | _OURS | {b"host", b"expect"}
_LOCATIONS = frozenset({b"location", b"content-location"})
BUDGET = b"x-subagent-budget-remaining"
_FORWARDED = b"x-forwarded-for"
_ONCE = frozenset({b"authorization", b"x-api-key"})
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
"""RFC 3986, 3.2.2 and 3.2.3: no userinfo, and nothing that would end the authority of a URL."""


def named_in_connection(fields: Iterable[Field]) -> frozenset[bytes]:
    """The fields a Connection header declares to be for this hop only."""
    named: frozenset[bytes] = frozenset()
    for name, value in fields:
        if len(name) == 10 and name.lower() == b"connection":
            named |= _named(value)
    return named


@lru_cache(1_024)
def _named(value: bytes) -> frozenset[bytes]:
    return frozenset(word.strip().lower() for word in value.split(b","))


def for_upstream(
    fields: Sequence[Field],
    *,
    host: bytes | None,
    own: Sequence[Field],
    peer: bytes,
    scheme: bytes,
    dropped: frozenset[bytes] = NOT_SENT_ON,
    passes: Callable[[bytes, bytes], bool] | None = None,
) -> list[Field]:
    """A client's fields as they go upstream.

    `host` replaces the client's Host (None keeps it), `own` are added, `peer` is the client's
    address. Fields called `dropped` stay here, and so do those for whose name (in lower case) and
    value `passes` is false (None: all cross). Raises BadHeader for what servers disagree about: a
    credential that stands twice, a Host that is none, and transfer codings that would be lost on
    the way.
    """
    if named := named_in_connection(fields):
        dropped = dropped | named
    out: list[Field] = []
    client_host = b""
    forwarded = b""
    once: set[bytes] = set()
    for name, value in fields:
        low = name.lower()
        if low == b"host":
            client_host = value
        elif low in dropped:
            if low == b"transfer-encoding" and value.lower() != b"chunked":
                raise BadHeader("the only transfer coding that is understood is chunked")
        elif passes is not None and not passes(low, value):
            continue
        elif low == _FORWARDED:
            forwarded += value + b", "
        elif low in (b"x-forwarded-host", b"x-forwarded-proto"):
            continue
        else:
            if low in _ONCE:
                if low in once:
                    raise BadHeader(f"the header {low.decode()} stands twice; send it once")
                once.add(low)
            out.append((name, value))
    if not _is_host(client_host):
        raise BadHeader("the Host header is not a host")
    out.insert(0, (b"Host", client_host if host is None else host))
    out.append((b"X-Forwarded-For", forwarded + peer))
    if client_host:
        out.append((b"X-Forwarded-Host", client_host))
    out.append((b"X-Forwarded-Proto", scheme))
    out.extend(own)
    return out


def for_client(
    fields: Sequence[Field],
    relocate: Callable[[bytes], bytes] | None = None,
    *,
    dropped: frozenset[bytes] = HOP_BY_HOP,
) -> tuple[list[Field], bytes | None]:
    """An answer's fields as they go to the client, without framing; and its Content-Length.

    `relocate` is given the values of Location and Content-Location.
    """
    if named := named_in_connection(fields):
        dropped = dropped | named
    out: list[Field] = []
    length = None
    for field in fields:
        low = field[0].lower()
        if low in dropped:
            if low == b"content-length":
                length = field[1]
        elif low in _LOCATIONS and relocate is not None:
            out.append((field[0], relocate(field[1])))
        else:
            out.append(field)
    return out, length


@lru_cache(1_024)
def _is_host(value: bytes) -> bool:
    """There are few, and each comes with every request."""
    return _HOST.fullmatch(value) is not None


def credentials(fields: Sequence[Field]) -> list[Field]:
    """What identifies the caller to the upstream."""
    return [(name, value) for name, value in fields if _is_credential(name.lower())]


@lru_cache(1_024)
def _is_credential(name: bytes) -> bool:
    return name not in NOT_SENT_ON and tells_who(name.decode("latin-1"))


def first(fields: Sequence[Field], wanted: bytes) -> bytes | None:
    """The first value of the field called `wanted` (lower case)."""
    size = len(wanted)
    for name, value in fields:
        if len(name) == size and name.lower() == wanted:
            return value
    return None


def text(value: str | None, *, limit: int = 256) -> str | None:
    """A field's value, as aiohttp decoded it, as storable text: UTF-8 where it was that, never a
    surrogate, never endless."""
    if not value:
        return None
    if not value.isascii():
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return value[:limit]
