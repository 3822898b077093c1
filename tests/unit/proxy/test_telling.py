"""What the log says of requests that failed."""

import logging

import pytest
from tests.support.refusals import refused

from subagent_sidecar.errors import (
    BadTarget,
    SidecarError,
    StoreBusy,
    ThreadNotFound,
    UpstreamError,
    UpstreamTimeout,
    UpstreamUnreachable,
)
from subagent_sidecar.proxy.telling import Telling
from subagent_sidecar.testing import FakeClock


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def telling(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> Telling:
    caplog.set_level(logging.DEBUG)
    return Telling(now=clock.monotonic)


def tell(telling: Telling, *errors: SidecarError) -> None:
    for error in errors:
        telling.tell(error, method="GET", target="/threads/t?api_key=secret")


def of(upstream: str, error: UpstreamError) -> UpstreamError:
    error.upstream = upstream
    return error


def down(upstream: str = "gpu") -> UpstreamError:
    return of(upstream, UpstreamUnreachable("refused"))


def levels(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.levelname for record in caplog.records]


def test_a_server_that_is_down_is_one_warning_a_minute_and_the_next_counts_the_rest(
    telling: Telling, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    tell(telling, *(down() for _ in range(12)))
    assert levels(caplog) == ["WARNING", *["DEBUG"] * 11]
    clock.tick(60)
    tell(telling, down(), down())
    assert levels(caplog)[12:] == ["WARNING", "DEBUG"]
    assert [record.getMessage() for record in caplog.records[-3:]] == [
        "GET '/threads/t': refused",
        "GET '/threads/t': refused (11 more like it since the last such line)",
        "GET '/threads/t': refused",
    ]


def test_each_upstream_and_each_kind_of_trouble_is_told(
    telling: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    late = UpstreamTimeout("late", phase="first byte")
    tell(telling, down("a"), down("b"), of("a", late), StoreBusy("full"), StoreBusy("full"))
    assert levels(caplog) == ["WARNING"] * 4 + ["DEBUG"]
    told = [(vars(record)["action"], vars(record).get("upstream")) for record in caplog.records[:4]]
    assert told == [
        ("upstream_unreachable", "a"),
        ("upstream_unreachable", "b"),
        ("upstream_timeout", "a"),
        ("store_busy", None),
    ]


def test_what_callers_do_wrong_is_for_the_curious(
    telling: Telling, caplog: pytest.LogCaptureFixture
) -> None:
    tell(telling, BadTarget("odd"), BadTarget("odd"))
    assert levels(caplog) == ["INFO", "INFO"]


def test_a_query_is_never_logged(telling: Telling, caplog: pytest.LogCaptureFixture) -> None:
    tell(telling, down(), down(), BadTarget("odd"))
    assert len(caplog.records) == 3 and "secret" not in caplog.text


def test_what_a_rule_refuses_is_a_line_a_minute_for_each_rule_the_record_has_the_rest(
    telling: Telling, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    tell(telling, *(refused("denied") for _ in range(3)), refused("limit_depth"))
    assert levels(caplog) == ["INFO", "DEBUG", "DEBUG", "INFO"]
    clock.tick(60)
    tell(telling, refused("denied"))
    assert caplog.records[-1].levelname == "INFO"
    assert caplog.records[-1].getMessage().endswith("(2 more like it since the last such line)")


def test_who_asks_for_what_is_anothers_is_named_once_a_minute(
    telling: Telling, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    error = ThreadNotFound("Thread with ID t not found")
    for supervisor in ("bob", "bob", "bob", "eve"):
        telling.tell(error, method="GET", target="/threads/t", supervisor=supervisor)
    clock.tick(60)
    telling.tell(error, method="GET", target="/threads/t", supervisor="bob")
    assert levels(caplog) == ["INFO", "DEBUG", "DEBUG", "INFO", "INFO"]
    assert [r.getMessage() for r in caplog.records if r.levelname == "INFO"] == [
        "GET '/threads/t': Thread with ID t not found (supervisor 'bob')",
        "GET '/threads/t': Thread with ID t not found (supervisor 'eve')",
        "GET '/threads/t': Thread with ID t not found (supervisor 'bob') "
        "(2 more like it since the last such line)",
    ]
