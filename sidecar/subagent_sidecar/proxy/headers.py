"""Which header fields cross the proxy, and in what form."""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from typing import Final

from ..core.credential_names import tells_who
from ..core.fates import Fates
from ..errors import BadHeader
from ..ports import Headers, Repeated

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
BUDGET = b"x-subagent-budget-remaining"
_HOST = re.compile(rb"[A-Za-z0-9._~%!$&'()*+,;=:\[\]-]*")
"""RFC 3986, 3.2.2 and 3.2.3: no userinfo, and nothing that would end the authority of a URL."""

# What becomes of a field. No enum: looking up a member costs more than all else in the loops.
_CROSSES: Final = 0  # the usual one, and the only one that is false
_STAYS: Final = 1
_CONNECTION: Final = 2
_LENGTH: Final = 3
_CODING: Final = 4  # up to here: what is for this hop
_CLIENT_HOST: Final = 5
_FORWARDED: Final = 6
_ONCE: Final = 7
_IF_FIT: Final = 8
_LOCATION: Final = 9

_STAYING = {b"connection": _CONNECTION, b"content-length": _LENGTH, b"transfer-encoding": _CODING}
_UP = {
    b"x-forwarded-for": _FORWARDED,
    b"x-forwarded-host": _STAYS,
    b"x-forwarded-proto": _STAYS,
    b"authorization": _ONCE,
    b"x-api-key": _ONCE,
}
_FEW: Final = 16
_SHORT: Final = 256
"""Longer values are of nobody's making but to fill the memory with."""
_BACK = {b"location": _LOCATION, b"content-location": _LOCATION}


class Rules:
    """What becomes of fields by their names. Those called `dropped` stay here; so do those whose
    name (in lower case) is not one that `passes`, and of those that go up what is not `fit`, by
    its value (None: all are)."""

    def __init__(
        self,
        dropped: frozenset[bytes],
        *,
        passes: Callable[[bytes], bool] | None = None,
        fit: Callable[[bytes], bool] | None = None,
    ) -> None:
        self.dropped = dropped
        self.fit = fit
        self.up = Fates(partial(_going_up, dropped, passes, all_fit=fit is None))
        self.back = Fates(partial(_coming_back, dropped))
        self._passes = passes
        self._less: dict[frozenset[bytes], Rules] = {}

    def less(self, named: frozenset[bytes]) -> "Rules":
        """These, and fields called `named` stay here as well."""
        found = self._less.get(named)
        if found is None:
            found = Rules(self.dropped | named, passes=self._passes, fit=self.fit)
            if len(named) <= _FEW:
                if len(self._less) >= _FEW:
                    self._less.clear()
                self._less[named] = found
        return found


def _going_up(
    dropped: frozenset[bytes], passes: Callable[[bytes], bool] | None, low: bytes, *, all_fit: bool
) -> int:
    if low == b"host":
        return _CLIENT_HOST
    if low in dropped:
        return _STAYING.get(low, _STAYS)
    if passes is not None and not passes(low):
        return _STAYS
    return _UP.get(low, _CROSSES if all_fit else _IF_FIT)


def _coming_back(dropped: frozenset[bytes], low: bytes) -> int:
    if low in dropped:
        return _STAYING.get(low, _STAYS)
    return _BACK.get(low, _CROSSES)


TO_UPSTREAM = Rules(NOT_SENT_ON)
TO_CLIENT = Rules(HOP_BY_HOP)


def _named(value: bytes) -> frozenset[bytes]:
    """The fields that the value of a Connection field declares to be for this hop only."""
    return _known_words(value) if len(value) <= _SHORT else _words(value)


def _words(value: bytes) -> frozenset[bytes]:
    return frozenset(word for part in value.split(b",") if (word := part.strip().lower()))


_known_words = lru_cache(1_024)(_words)


def for_upstream(
    fields: Sequence[Field],
    *,
    host: bytes | None,
    own: Sequence[Field],
    peer: bytes,
    scheme: bytes,
    rules: Rules = TO_UPSTREAM,
) -> list[Field]:
    """A client's fields as they go upstream.

    `host` replaces the client's Host (None keeps it), `own` are added, `peer` is the client's
    address. Raises BadHeader for what servers disagree about: a credential that stands twice, a
    Host that is none, and transfer codings that would be lost on the way.
    """
    out: list[Field] = []
    client_host = forwarded = b""
    once: list[bytes] = []
    named: frozenset[bytes] = frozenset()
    fates, fit = rules.up, rules.fit
    for field in fields:
        fate = fates[field[0]]
        if not fate:
            out.append(field)
        elif fate == _CLIENT_HOST:
            client_host = field[1]
        elif fate <= _CODING:
            if fate == _CONNECTION:
                named |= _named(field[1])
            elif fate == _CODING and field[1].lower() != b"chunked":
                raise BadHeader("the only transfer coding that is understood is chunked")
        elif fit is not None and not fit(field[1]):
            continue
        elif fate == _FORWARDED:
            forwarded += field[1] + b", "
        else:
            if fate == _ONCE:
                once.append(field[0].lower())
            out.append(field)
    if not named <= rules.dropped:
        less = rules.less(named)
        return for_upstream(fields, host=host, own=own, peer=peer, scheme=scheme, rules=less)
    if len(once) > 1:
        _refuse_twice(once)
    if not _is_host(client_host):
        raise BadHeader("the Host header is not a host")
    out.insert(0, (b"Host", client_host if host is None else host))
    out.append((b"X-Forwarded-For", forwarded + peer))
    if client_host:
        out.append((b"X-Forwarded-Host", client_host))
    out.append((b"X-Forwarded-Proto", scheme))
    out.extend(own)
    return out


def _refuse_twice(names: Sequence[bytes]) -> None:
    for at, name in enumerate(names):
        if name in names[:at]:
            raise BadHeader(f"the header {name.decode()} stands twice; send it once")


def for_client(
    fields: Sequence[Field],
    relocate: Callable[[bytes], bytes] | None = None,
    *,
    rules: Rules = TO_CLIENT,
) -> tuple[list[Field], bytes | None]:
    """An answer's fields as they go to the client, without framing; and its Content-Length.

    `relocate` is given the values of Location and Content-Location.
    """
    out: list[Field] = []
    length = None
    named: frozenset[bytes] = frozenset()
    fates = rules.back
    for field in fields:
        fate = fates[field[0]]
        if not fate:
            out.append(field)
        elif fate == _LENGTH:
            length = field[1]
        elif fate == _LOCATION:
            out.append(field if relocate is None else (field[0], relocate(field[1])))
        elif fate == _CONNECTION:
            named |= _named(field[1])
    if not named <= rules.dropped:
        return for_client(fields, relocate, rules=rules.less(named))
    return out, length


def hold_a_location(fields: Headers) -> bool:
    """Whether one tells where something is, so that what the client gets depends on its request."""
    return any(name.lower() in _BACK for name, _ in fields)


def _is_host(value: bytes) -> bool:
    """There are few, and each comes with every request."""
    return _known_host(value) if len(value) <= _SHORT else _reads_as_host(value)


def _reads_as_host(value: bytes) -> bool:
    return _HOST.fullmatch(value) is not None


_known_host = lru_cache(1_024)(_reads_as_host)


def credentials(fields: Iterable[Field]) -> list[Field]:
    """What identifies the caller to the upstream."""
    return [field for field in fields if _CREDENTIALS[field[0]]]


def is_credential(low: bytes) -> bool:
    return low not in NOT_SENT_ON and tells_who(low.decode("latin-1"))


_CREDENTIALS = Fates(is_credential)


def first(fields: Headers, wanted: bytes) -> bytes | None:
    """The first value of the field called `wanted` (lower case)."""
    if isinstance(fields, Repeated):
        known = fields.known
        if wanted not in known:
            known[wanted] = _first(fields, wanted)
        value: bytes | None = known[wanted]
        return value
    return _first(fields, wanted)


def _first(fields: Headers, wanted: bytes) -> bytes | None:
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
