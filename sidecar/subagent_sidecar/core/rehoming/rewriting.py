"""Moving a span into another trace: what changes in it, and what must not.

A span keeps its id, unless another one has it in that trace already: emitters' ids are random, but
nobody vouches for that. Then it gets one that follows from the two it came with, and so do those
who refer to it.
"""

from collections.abc import Callable
from hashlib import sha256
from typing import Any

from .. import span_names as named
from ..generations import Generations
from .homes import Fate, Home

_LOW_BITS = 0xFF
_REMOTE = 0x300
"""Flags of OTLP: whether the parent is in another process is known, and it is."""
_REMEMBERED = 20_000


class SpanIds:
    """Who has which id in the traces that others were moved to. The newest are known."""

    def __init__(self, size: int = _REMEMBERED) -> None:
        self._owners: Generations[bytes, bytes] = Generations(size)

    def of(self, home: bytes, original: bytes, span_id: bytes) -> bytes:
        """What a span of the trace `original` is called in the trace `home`."""
        key = home + span_id
        owner = self._owners.get(key)
        if owner is None:
            self._owners.set(key, original)
            return span_id
        if owner == original:
            return span_id
        return sha256(b"subagent-rehomed\0" + original + span_id).digest()[:8]

    def reserve(self, home: Home) -> None:
        """The span of a run is ours, whatever comes."""
        self._owners.set(home.trace_id + home.span_id, home.trace_id)


def rehome(span: Any, home: Home, ids: SpanIds, fate_of: Callable[[bytes], Fate | None]) -> None:
    """Move an OTLP span. `fate_of` tells what became of traces that its links point to."""
    original: bytes = span.trace_id
    span_id, parent_id = span.span_id, span.parent_span_id
    span.trace_id = home.trace_id
    own_id = ids.of(home.trace_id, original, span_id)
    if own_id != span_id:
        span.span_id = own_id
    if parent_id:
        parent = ids.of(home.trace_id, original, parent_id)
        if parent != parent_id:
            span.parent_span_id = parent
    else:
        span.parent_span_id = home.span_id
        span.flags = span.flags & _LOW_BITS | _REMOTE
    for link in span.links:
        _follow(link, ids, fate_of)
    said = span.attributes.add()
    said.key = named.ORIGINAL_TRACE
    said.value.string_value = original.hex()


def _follow(link: Any, ids: SpanIds, fate_of: Callable[[bytes], Fate | None]) -> None:
    """What a link points to may have moved as well."""
    trace_id: bytes = link.trace_id
    fate = fate_of(trace_id)
    if fate is None or fate.home is None or fate.home.trace_id == trace_id:
        return
    if fate.moves:
        link.span_id = ids.of(fate.home.trace_id, trace_id, link.span_id)
        link.trace_id = fate.home.trace_id


def link(span: Any, home: Home) -> None:
    """Have an OTLP span point to where it belongs."""
    added = span.links.add()
    added.trace_id = home.trace_id
    added.span_id = home.span_id
    said = added.attributes.add()
    said.key = named.TASK
    said.value.string_value = home.task_id
