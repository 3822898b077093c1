"""What was counted in passing, as metrics."""

from dataclasses import replace

import pytest
from tests.unit.metrics.shown import Shown

from subagent_sidecar.core.metrics.meters import (
    ANSWERS,
    GateMeter,
    ProxyMeter,
    StoreMeter,
    UpstreamMeter,
)
from subagent_sidecar.core.metrics.traffic import (
    BREAKER_STATES,
    CODES,
    KINDS,
    OWN,
    Server,
    of_gate,
    of_proxy,
    of_servers,
    of_store,
)
from subagent_sidecar.core.wire import Act
from subagent_sidecar.errors import (
    StoreBusy,
    StoreCorrupt,
    StoreError,
    StoreRejected,
    StoreUnavailable,
    UpstreamBroken,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from subagent_sidecar.upstream.breaker import BreakerState


def server(**facts: object) -> Server:
    usual = Server(
        name="up",
        meter=UpstreamMeter(),
        breaker="closed",
        down=False,
        watched=0,
        lag_s=0.0,
        connections=(0, 0),
    )
    return replace(usual, **facts)  # type: ignore[arg-type]


def shown(*servers: Server) -> Shown:
    found = Shown(of_servers(servers))
    assert found.fit()
    return found


def proxy(meter: ProxyMeter, *, shared: int = 0) -> Shown:
    found = Shown(of_proxy(meter, shared=shared))
    assert found.fit()
    return found


@pytest.mark.parametrize(
    ("breaker", "down", "up"),
    [("closed", False, 1), ("closed", True, 0), ("open", False, 0), ("half-open", False, 0)],
)
def test_an_upstream_is_up_unless_somebody_found_that_it_is_not(
    breaker: str, down: bool, up: int
) -> None:
    found = shown(server(breaker=breaker, down=down))
    assert found.value("upstream_up", "up") == up
    assert found.some("upstream_breaker") == {("up", breaker): 1}


def test_the_states_of_a_breaker_are_those_it_can_be_in() -> None:
    assert set(BREAKER_STATES) == {state.value for state in BreakerState}


@pytest.mark.parametrize(
    ("error", "result"),
    [
        (UpstreamUnreachable("x"), "unreachable"),
        (UpstreamTimeout("x", phase="connect"), "timeout"),
        (UpstreamBroken("x"), "broken"),
    ],
)
def test_a_request_without_an_answer_counts_by_what_went_wrong(
    error: UpstreamError, result: str
) -> None:
    one = server()
    one.meter.failed(error)
    found = shown(one)
    assert found.some("upstream_requests_total") == {("up", result): 1}
    assert sum(found.histogram("upstream_request_duration_seconds", "up").counts) == 0


def test_answers_count_by_their_class_and_by_the_wait_for_them() -> None:
    one = server()
    for status, seconds in ((200, 0.004), (204, 0.2), (404, 0.2), (502, 1_000.0)):
        one.meter.answered(status, seconds)
    found = shown(one)
    assert found.some("upstream_requests_total") == {
        ("up", "2xx"): 2,
        ("up", "4xx"): 1,
        ("up", "5xx"): 1,
    }
    waits = found.histogram("upstream_request_duration_seconds", "up")
    assert (waits.counts[0], waits.counts[ANSWERS.index(0.25)], waits.counts[-1]) == (1, 2, 1)
    assert waits.sum == pytest.approx(1_000.404)


def test_an_upstream_nobody_asked_has_all_of_it_at_0() -> None:
    results = {(("up", code)) for code in (*CODES, "unreachable", "timeout", "broken")}
    assert shown(server()).values("upstream_requests_total").keys() == results


def test_streams_and_sockets_are_those_open_now() -> None:
    one = server(connections=(3, 1), watched=7, lag_s=1.5)
    one.meter.streams, one.meter.sockets = 2, 1
    found = shown(one)
    assert found.values("proxy_streams") == {("up", "answer"): 2, ("up", "websocket"): 1}
    assert found.values("upstream_connections") == {("up", "busy"): 3, ("up", "idle"): 1}
    assert (found.value("watcher_tasks", "up"), found.value("watcher_lag_seconds", "up")) == (
        7,
        1.5,
    )


@pytest.mark.parametrize("act", [*Act, OWN])
def test_every_request_has_a_kind(act: str) -> None:
    meter = ProxyMeter()
    meter.answered(act, 200, 0.003)
    found = proxy(meter)
    [((kind, code), count)] = found.some("proxy_requests_total").items()
    assert kind in KINDS and (code, count) == ("2xx", 1)
    assert sum(found.histogram("proxy_overhead_seconds", kind).counts) == 1


def test_acts_of_one_kind_are_added_up() -> None:
    meter = ProxyMeter()
    for act in (Act.RUN_GET, Act.THREAD_GET, Act.RUN_GET):
        meter.answered(act, 200, 0.003)
    meter.answered(Act.RUN_GET, 404, None)
    found = proxy(meter, shared=9)
    assert found.some("proxy_requests_total") == {("check", "2xx"): 3, ("check", "4xx"): 1}
    assert sum(found.histogram("proxy_overhead_seconds", "check").counts) == 3
    assert found.value("proxy_shared_checks_total") == 9


def test_those_who_were_not_let_in_are_counted_by_why() -> None:
    meter = GateMeter()
    meter.refused["revoked"] += 2
    found = Shown(of_gate(meter))
    assert found.fit()
    assert found.some("keys_refused_total") == {("revoked",): 2}
    nobody = {("missing",), ("unknown",), ("expired",), ("revoked",)}
    assert Shown(of_gate(None)).values("keys_refused_total").keys() == nobody


def test_every_kind_and_code_of_requests_is_there_before_it_happens() -> None:
    found = proxy(ProxyMeter()).values("proxy_requests_total")
    assert found.keys() == {(kind, code) for kind in KINDS for code in CODES}


@pytest.mark.parametrize(
    ("error", "label"),
    [
        (StoreBusy("x"), "busy"),
        (StoreUnavailable("x"), "unavailable"),
        (StoreRejected("x"), "rejected"),
        (StoreCorrupt("x"), "corrupt"),
    ],
)
def test_what_the_store_could_not_do_counts_by_why(error: StoreError, label: str) -> None:
    meter = StoreMeter()
    meter.failed(error)
    meter.committed(7, 0.02)
    found = Shown(of_store(meter, waiting=3, unrecorded=2, dropped=1))
    assert found.fit()
    assert found.some("store_errors_total") == {(label,): 1}
    assert len(found.values("store_errors_total")) == 4
    assert found.value("store_writes_total") == 7
    assert sum(found.histogram("store_commit_duration_seconds").counts) == 1
    gauges = [found.value(n) for n in ("store_writes_waiting", "records_waiting")]
    assert [*gauges, found.value("records_dropped_total")] == [3, 2, 1]
