"""What crosses to one upstream of a client's header fields, and back of its answers'.

Three things decide: whether a client's credentials are the server's affair or end here, where they
were shown to the sidecar; an allow list, if there is one; and the upstream's own fields, which
stand in the place of a client's of the same name. Whether a field may cross is found out once for
each name: where nothing was restricted, nothing is asked.
"""

import re
from collections.abc import Callable, Sequence
from urllib.parse import unquote

from ..core.credential_names import tells_who
from ..core.fates import Fates
from ..core.keys import PREFIX
from ..core.matching import Glob
from ..errors import BadTarget
from ..own_fields import OwnFields
from ..ports import Headers, Repeated
from . import headers
from .headers import Field

_A_KEY = re.compile(re.escape(PREFIX) + "[a-z2-7]{10}_[a-z2-7]{10}", re.IGNORECASE)
_A_KEY_IN_BYTES = re.compile(_A_KEY.pattern.encode(), re.IGNORECASE)
"""As much of a supervisor's key as nobody writes by chance."""

ALWAYS = tuple(
    Glob(name)
    for name in (
        *("accept", "accept-*", "content-*", "user-agent", "cache-control", "pragma", "range"),
        *("if-match", "if-none-match", "if-modified-since", "if-unmodified-since", "if-range"),
        *("last-event-id", "idempotency-key", "prefer", "origin", "access-control-request-*"),
        *("sec-websocket-*", "x-request-id", "x-forwarded-for", "traceparent", "tracestate"),
        *("sec-fetch-*", "mcp-*", "a2a-*"),
    )
)
"""What no allow list has to name: without these, requests would not mean what they say."""

_OF_OUR_IDENTITY = frozenset(
    {b"set-cookie", b"set-cookie2", b"www-authenticate", b"authentication-info"}
)
"""Of an answer: what a server says to whoever presented credentials, about those."""


class Crossing:
    """`own` are the upstream's credentials. `withheld`: those of clients end here. `keyed`: clients
    come by keys of the sidecar, which cross in no field and no target. `allowed` are names of
    fields, or globs in lower case (None: all that are for the far end)."""

    def __init__(
        self,
        own: OwnFields | None = None,
        *,
        withheld: bool = False,
        keyed: bool = False,
        allowed: Sequence[Glob] | None = None,
    ) -> None:
        self.own = own or OwnFields()
        self.withheld = withheld
        self.keyed = keyed
        self._allowed = None if allowed is None else (*ALWAYS, *allowed)
        self.up = headers.Rules(
            headers.NOT_SENT_ON | self.own.names,
            passes=None if allowed is None and not withheld else self._passes,
            fit=_holds_no_key if keyed else None,
        )
        self._back = headers.Rules(
            headers.HOP_BY_HOP | (_OF_OUR_IDENTITY if withheld else frozenset())
        )
        self._presented = Fates(self._is_presented)

    def out(
        self, fields: Sequence[Field], *, host: bytes | None, peer: bytes, scheme: bytes
    ) -> list[Field]:
        """A client's fields as they go upstream: see headers.for_upstream."""
        return headers.for_upstream(
            fields, host=host, own=self.own.fields, peer=peer, scheme=scheme, rules=self.up
        )

    def back(
        self, fields: Headers, relocate: Callable[[bytes], bytes] | None = None
    ) -> tuple[Headers, bytes | None]:
        """An answer's fields as they go to the client: see headers.for_client. Where credentials
        are ours, cookies are, too, and a challenge is for us alone."""
        if not isinstance(fields, Repeated):
            return headers.for_client(fields, relocate, rules=self._back)
        found: tuple[Headers, bytes | None] | None = fields.known.get(self)
        if found is None:
            out, length = headers.for_client(fields, relocate, rules=self._back)
            if headers.hold_a_location(fields):
                return out, length
            found = fields.known[self] = Repeated(out), length
        return found

    def credentials(self, fields: Sequence[Field]) -> list[Field]:
        """What identifies the caller to the upstream, as far as that is to know it."""
        presented = self._presented
        found = [field for field in fields if presented[field[0]]]
        if self.keyed and found:
            return [field for field in found if _holds_no_key(field[1])]
        return found

    def check(self, target: str) -> None:
        """Raises BadTarget for a request target that would tell a key to the upstream."""
        if self.keyed and (_A_KEY.search(target) or _A_KEY.search(unquote(target))):
            raise BadTarget(
                "there is a supervisor's key in the URL, which servers write into their logs: "
                "send it in a header, and have it revoked, for it may have been seen"
            )

    def _is_presented(self, low: bytes) -> bool:
        return headers.is_credential(low) and low not in self.own.names and self._passes(low)

    def _passes(self, low: bytes) -> bool:
        name = low.decode("latin-1")
        if self.withheld and tells_who(name):
            return False
        return self._allowed is None or any(glob.fits(name) for glob in self._allowed)


def _holds_no_key(value: bytes) -> bool:
    return _A_KEY_IN_BYTES.search(value) is None
