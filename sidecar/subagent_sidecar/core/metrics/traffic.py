"""What was counted in passing, as metrics: requests, servers, the store."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ..wire import STARTS, Act
from . import instruments as i
from .families import Family, Labels, filled, plain
from .meters import (
    FAST,
    NO_KEY,
    AdminMeter,
    GateMeter,
    Histogram,
    ProxyMeter,
    StoreMeter,
    UpstreamMeter,
)

BREAKER_STATES = ("closed", "open", "half-open")
CODES = ("2xx", "3xx", "4xx", "5xx")
OWN = "own"
"""The kind of requests that are answered by the sidecar itself, or by nobody."""

_KINDS: Mapping[str, str] = {
    **dict.fromkeys(STARTS, "start"),
    Act.COMMAND: "door",
    Act.COMMAND_SOCKET: "door",
    Act.A2A: "door",
    Act.MCP: "door",
    Act.RUN_GET: "check",
    Act.THREAD_GET: "check",
    Act.RUN_JOIN: "join",
    Act.RUN_STREAM: "join",
    Act.THREAD_STREAM: "join",
    Act.RUN_CANCEL: "cancel",
    Act.RUNS_CANCEL: "cancel",
    OWN: OWN,
}
KINDS = ("start", "door", "check", "join", "cancel", "other", OWN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """An upstream as it is known in this process. `down`: it does not answer the watcher; `lag_s`
    is how late the watcher is. `connections` are (busy, idle)."""

    name: str
    meter: UpstreamMeter
    breaker: str
    down: bool
    watched: int
    lag_s: float
    connections: tuple[int, int]


def of_servers(servers: Sequence[Server]) -> Iterator[Family]:
    names = [server.name for server in servers]
    yield Family(i.UPSTREAM_UP, {(s.name,): float(_is_up(s)) for s in servers})
    states: dict[Labels, float] = {
        (s.name, state): float(s.breaker == state) for s in servers for state in BREAKER_STATES
    }
    yield Family(i.UPSTREAM_BREAKER, states)
    yield filled(
        i.UPSTREAM_REQUESTS,
        [(name, code) for name in names for code in CODES],
        {(s.name, result): count for s in servers for result, count in _results(s.meter)},
    )
    yield Family(i.UPSTREAM_WAITS, histograms={(s.name,): s.meter.waits.copy() for s in servers})
    connections: dict[Labels, float] = {
        (s.name, state): float(count)
        for s in servers
        for state, count in zip(("busy", "idle"), s.connections, strict=True)
    }
    yield Family(i.UPSTREAM_CONNECTIONS, connections)
    yield Family(i.WATCHED, {(s.name,): float(s.watched) for s in servers})
    yield Family(i.WATCHER_LAG, {(s.name,): s.lag_s for s in servers})
    streams: dict[Labels, float] = {(s.name, "answer"): float(s.meter.streams) for s in servers}
    sockets: dict[Labels, float] = {(s.name, "websocket"): float(s.meter.sockets) for s in servers}
    yield Family(i.PROXY_STREAMS, streams | sockets)


def _is_up(server: Server) -> bool:
    return server.breaker == "closed" and not server.down


def _results(meter: UpstreamMeter) -> Iterator[tuple[str, float]]:
    for digit, count in enumerate(meter.classes):
        if count:
            yield f"{digit}xx", count
    yield from meter.failures.items()


def of_proxy(meter: ProxyMeter, *, shared: int) -> Iterator[Family]:
    """`shared` polls were answered with another's answer."""
    answers: Counter[Labels] = Counter()
    own: dict[Labels, Histogram] = {(kind,): Histogram(FAST) for kind in KINDS}
    for act, each in meter.acts.items():
        for digit, count in enumerate(each.classes):
            if count:
                answers[_kind(act), f"{digit}xx"] += count
        own[(_kind(act),)].add(each.own)
    yield filled(i.PROXY_REQUESTS, [(kind, code) for kind in KINDS for code in CODES], answers)
    yield Family(i.PROXY_OVERHEAD, histograms=own)
    yield plain(i.PROXY_SHARED, shared)


def of_gate(meter: GateMeter | None) -> Iterator[Family]:
    """All 0 where no keys are asked for."""
    refused = {} if meter is None else meter.refused
    reasons = [(each,) for each in NO_KEY]
    yield filled(i.KEYS_REFUSED, reasons, {(why,): count for why, count in refused.items()})


def _kind(act: str) -> str:
    return _KINDS.get(act, "other")


def of_admin(meter: AdminMeter) -> Iterator[Family]:
    yield Family(i.ADMIN_REFUSED, {(reason,): float(n) for reason, n in meter.refusals.items()})


def of_traces(*, exported: int, dropped: int, failed: int) -> Iterator[Family]:
    """Spans that were taken and given up, and attempts in vain; all 0 where nothing is exported."""
    yield Family(i.TRACE_SPANS, {("exported",): exported, ("dropped",): dropped})
    yield plain(i.TRACE_FAILURES, failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Others:
    """Spans of others, by what was done with them; `turned_away` and `failed` are requests."""

    done: Mapping[str, int]
    dropped: Mapping[str, int]
    held: int = 0
    waiting: int = 0
    sent: int = 0
    turned_away: int = 0
    failed: int = 0
    buffered: int = 0


def of_others(others: Others) -> Iterator[Family]:
    """All 0 where nothing is received."""
    yield filled(
        i.OTLP_SPANS,
        [(each,) for each in ("rehomed", "linked", "passed")],
        {(result,): count for result, count in others.done.items()},
    )
    yield plain(i.OTLP_HELD, others.held)
    yield plain(i.OTLP_HELD_NOW, others.waiting)
    yield plain(i.OTLP_SENT, others.sent)
    yield filled(
        i.OTLP_DROPPED,
        [(each,) for each in ("invalid", "no_endpoint", "refused", "shutdown")],
        {(reason,): count for reason, count in others.dropped.items()},
    )
    yield plain(i.OTLP_TURNED_AWAY, others.turned_away)
    yield plain(i.OTLP_BUFFER, others.buffered)
    yield plain(i.OTLP_FAILURES, others.failed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushes:
    """To one target."""

    target: str
    delivered: int
    given_up: int
    failed: int


def of_pushes(pushes: Sequence[Pushes], waiting: Mapping[str, int] | None) -> Iterator[Family]:
    """`waiting` by target; None: nobody knows."""
    results: dict[Labels, float] = {}
    for each in pushes:
        results[each.target, "delivered"] = each.delivered
        results[each.target, "given_up"] = each.given_up
    yield Family(i.PUSHED, results)
    yield Family(i.PUSH_FAILURES, {(each.target,): float(each.failed) for each in pushes})
    if waiting is not None:
        known = {each.target: 0 for each in pushes} | dict(waiting)
        yield Family(i.PUSH_WAITING, {(target,): float(n) for target, n in known.items()})


def of_store(meter: StoreMeter, *, waiting: int, unrecorded: int, dropped: int) -> Iterator[Family]:
    yield Family(i.STORE_COMMITS, histograms={(): meter.commits.copy()})
    yield plain(i.STORE_WRITES, meter.writes)
    yield plain(i.STORE_WAITING, waiting)
    yield Family(i.STORE_ERRORS, {(error,): float(n) for error, n in meter.failures.items()})
    yield plain(i.UNRECORDED, unrecorded)
    yield plain(i.DROPPED, dropped)
