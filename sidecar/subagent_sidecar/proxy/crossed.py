"""What the header fields of one request come to: what goes up of them, and what they tell us.

A supervisor sends the same fields again and again. What was worked out of them is kept with them
(`DataRequest.known`), and found again by what else decides: the upstream, its own fields of now,
and the client's address.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from multidict import CIMultiDictProxy

from ..core.quick import quick
from ..core.trace_ids import sampled_parent
from ..ports import Headers, as_written
from . import headers
from .headers import Field

_REQUEST_ID = 128
_IRRELEVANT = frozenset({b"user-agent", b"connection", b"x-request-id", b"traceparent"})


@quick
@dataclass(frozen=True, slots=True)
class Told:
    """What a client says to us in its fields."""

    session: str | None
    request_id: str | None
    """The client's own, if it sent one that can be kept and found again."""
    trace_parent: str | None
    """The trace context the client is in, if it named one, and it is recorded."""
    keyed: bool
    """Whether there is an Idempotency-Key, good or not."""


def told(fields: CIMultiDictProxy[str]) -> Told:
    return Told(
        headers.text(fields.get("x-subagent-session")),
        _request_id(fields),
        _trace_parent(fields),
        "idempotency-key" in fields,
    )


def _request_id(fields: CIMultiDictProxy[str]) -> str | None:
    given = fields.getall("x-request-id", ())
    if len(given) != 1 or len(given[0]) > _REQUEST_ID:
        return None
    value = headers.text(given[0])
    return value if value is not None and value.isascii() and value.isprintable() else None


def _trace_parent(fields: CIMultiDictProxy[str]) -> str | None:
    given = fields.getall("traceparent", ())
    return sampled_parent(given[0]) if len(given) == 1 else None


def sharing(fields: Headers) -> tuple[Field, ...]:
    """What must be equal for two polls to be the same question: every field but those that
    cannot change the answer."""
    return tuple((low, value) for name, value in fields if (low := name.lower()) not in _IRRELEVANT)


class Crossed:
    """`fields` go up, and `written` is how they stand on the wire; `own` are those of them that
    are the upstream's. Requests with equal fields share one of these, so nothing in it changes,
    but that what only some ask for is added by the first that does."""

    __slots__ = ("auth", "fields", "names", "own", "sharing", "told", "written")

    def __init__(self, fields: Sequence[Field], own: Headers) -> None:
        self.fields = tuple(fields)
        self.written = as_written(self.fields)
        self.own = own
        self.auth: Headers | None = None
        """What identifies the caller to the upstream: nothing that does not go up."""
        self.names: frozenset[bytes] | None = None
        """What the client's fields are called, in lower case."""
        self.told: Told | None = None
        self.sharing: tuple[Field, ...] | None = None
