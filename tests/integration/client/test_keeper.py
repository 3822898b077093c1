"""Leases of supervisors' sessions, against a sidecar that answers, is down, hangs, or is odd."""

import asyncio
import logging
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.support.ports import free_port
from tests.support.session_sidecar import Answer, Said, SessionSidecar

from subagent_sidecar.client import session_lease
from subagent_sidecar.client.calls import Caller, Failed, Place
from subagent_sidecar.client.keeper import Keeper

WITHIN = 60.0
SOON = (0.01,)


@pytest.fixture
def sidecar() -> Iterator[SessionSidecar]:
    with SessionSidecar().running() as running:
        yield running


@pytest.fixture(autouse=True)
def told(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    caplog.set_level(logging.INFO, "subagent_sidecar.client")
    return caplog


def keeper(sidecar: SessionSidecar, **more: Any) -> Keeper:
    return Keeper(Place.of(sidecar.url), {"x-key": "k"}, retry_s=SOON, **more)


def until(condition: Callable[[], object]) -> None:
    """Returns once it holds."""
    give_up = time.monotonic() + WITHIN
    while not condition():
        assert time.monotonic() < give_up, "it never came true"
        time.sleep(0.005)


def test_a_session_in_use_is_kept_alive_from_that_moment_on(sidecar: SessionSidecar) -> None:
    kept = keeper(sidecar)
    kept.use("a/b ü", lease_s=90)
    kept.use("a/b ü")
    until(lambda: len(sidecar.of("heartbeat")) >= 3)
    kept.close("done")
    first, *rest = sidecar.of("heartbeat", "a/b ü")
    assert first.body == {"lease_s": 90, "reopen": True}
    assert {str(each.body) for each in rest} == {"{'lease_s': 90}"}
    assert first.headers["x-key"] == "k"
    assert [end.body for end in sidecar.of("end")] == [{"reason": "done"}]


@pytest.mark.parametrize(
    ("asked", "lease", "bodies"),
    [
        (None, 300.0, [{"reopen": True}, {}, {}]),
        (None, None, [{"reopen": True}, {"lease_s": 900}, {"lease_s": 900}]),
        (90, None, [{"reopen": True, "lease_s": 90}, {"lease_s": 90}, {"lease_s": 90}]),
    ],
)
def test_where_the_policy_has_no_lease_one_of_fifteen_minutes_is_asked_for(
    sidecar: SessionSidecar, asked: int | None, lease: float | None, bodies: list[object]
) -> None:
    sidecar.answer = lambda said: (200, {"heartbeat_s": 0.05, "lease_s": lease})
    kept = keeper(sidecar)
    kept.use("s", lease_s=asked)
    until(lambda: len(sidecar.of("heartbeat")) >= 3)
    kept.close("done")
    assert [said.body for said in sidecar.of("heartbeat")][:3] == bodies


def test_many_sessions_share_one_connection_and_one_exit(sidecar: SessionSidecar) -> None:
    kept = keeper(sidecar)
    names = [f"s{number}" for number in range(30)]
    for name in names:
        kept.use(name)
    until(lambda: {said.session for said in sidecar.of("heartbeat")} == set(names))
    kept.close("done")
    assert {said.session for said in sidecar.of("end")} == set(names)
    assert sidecar.connections == 1
    count = len(sidecar.said)
    kept.use("late")
    assert kept.sessions == () and len(sidecar.said) == count


def test_a_block_ends_its_session_and_of_several_the_last_one_does(
    sidecar: SessionSidecar,
) -> None:
    with session_lease(sidecar.url, "s"):
        with session_lease(sidecar.url, "s"):
            until(lambda: sidecar.of("heartbeat", "s"))
        assert sidecar.of("end") == []
    assert [end.body for end in sidecar.of("end", "s")] == [{"reason": "its supervisor is done"}]
    count = len(sidecar.of("heartbeat", "s"))
    with session_lease(sidecar.url, "other"):
        until(lambda: len(sidecar.of("heartbeat", "other")) >= 3)
    assert len(sidecar.of("heartbeat", "s")) == count


def test_a_block_that_fails_says_so_and_fails(sidecar: SessionSidecar) -> None:
    with pytest.raises(KeyError), session_lease(sidecar.url, "s"):
        raise KeyError("secret")
    [end] = sidecar.of("end", "s")
    assert end.body == {"reason": "its supervisor failed: KeyError"}


async def test_a_block_on_an_event_loop_does_not_keep_it_waiting(sidecar: SessionSidecar) -> None:
    async def answer_when_the_end_has_come() -> None:
        while not sidecar.of("end", "s"):  # noqa: ASYNC110 - another thread's list
            await asyncio.sleep(0.005)
        sidecar.hanging = False

    # A heartbeat that hangs would be in the way of the end.
    sidecar.answer = lambda said: (200, {"heartbeat_s": 600, "lease_s": 900})
    async with asyncio.TaskGroup() as group, session_lease(sidecar.url, "s"):
        await asyncio.to_thread(until, lambda: sidecar.answered)
        sidecar.hanging = True
        group.create_task(answer_when_the_end_has_come())
    assert len(sidecar.of("end", "s")) == 1


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="only Linux tells of masks")
def test_a_signal_for_the_supervisor_never_goes_to_the_thread_of_the_leases(
    sidecar: SessionSidecar,
) -> None:
    """It would be handled when the main thread wakes up by itself: Ctrl-C would do nothing."""
    kept = keeper(sidecar)
    kept.use("s")
    until(lambda: sidecar.of("heartbeat"))
    assert kept._thread is not None
    status = Path(f"/proc/self/task/{kept._thread.native_id}/status").read_text("utf-8")
    blocked = int(status.partition("SigBlk:")[2].split()[0], 16)
    assert all(blocked >> (number - 1) & 1 for number in (signal.SIGINT, signal.SIGTERM))
    assert not blocked >> (signal.SIGSEGV - 1) & 1
    kept.close("done")


def test_a_sidecar_that_hangs_keeps_nobody_waiting_for_long(sidecar: SessionSidecar) -> None:
    kept = keeper(sidecar, end_s=0.2)
    kept.use("s")
    until(lambda: len(sidecar.of("heartbeat")) >= 2)
    sidecar.hanging = True
    before = time.monotonic()
    kept.use("another")
    assert time.monotonic() - before < 4.0  # to be asked and answered would take five
    kept.close("done")
    assert time.monotonic() - before < 20.0  # 0.2 s, on a machine that has time


def lines(told: pytest.LogCaptureFixture, sidecar: SessionSidecar) -> list[str]:
    """What was said of one sidecar: a thread of an earlier test may still speak of another."""
    return [message for message in told.messages if f"the sidecar at {sidecar.url} " in message]


def test_a_sidecar_that_is_down_is_one_line_until_it_is_back(
    told: pytest.LogCaptureFixture,
) -> None:
    sidecar = SessionSidecar()
    kept = keeper(sidecar)
    kept.use("s")
    until(lambda: kept._failures > 5)
    [line] = lines(told, sidecar)
    assert "cannot be reached" in line
    with sidecar.running():
        until(lambda: len(sidecar.of("heartbeat", "s")) >= 3)
        until(lambda: len(lines(told, sidecar)) == 2)
        assert "is back" in lines(told, sidecar)[1]
        kept.close("done")
    assert len(lines(told, sidecar)) == 2


def test_a_sidecar_that_went_away_does_not_hold_up_the_end(
    told: pytest.LogCaptureFixture,
) -> None:
    sidecar = SessionSidecar()
    with sidecar.running():
        kept = keeper(sidecar)
        kept.use("s")
        until(lambda: sidecar.of("heartbeat", "s"))
    kept.close("done")
    assert len(lines(told, sidecar)) == 1


def test_a_sidecar_that_restarts_between_two_heartbeats_is_no_outage(
    told: pytest.LogCaptureFixture,
) -> None:
    sidecar = SessionSidecar(answer=lambda said: (200, {"heartbeat_s": 600, "lease_s": 900}))
    with sidecar.running():
        kept = keeper(sidecar)
        kept.use("s")
        until(lambda: kept._leases["s"].greeted)
    with sidecar.running():
        kept.use("t")  # by the connection that was kept, and is none any more
        until(lambda: sidecar.of("heartbeat", "t"))
        kept.close("done")
    assert told.messages == []


def test_a_session_that_an_operator_ended_is_open_again_for_what_follows(
    sidecar: SessionSidecar, told: pytest.LogCaptureFixture
) -> None:
    def answer(said: Said) -> Answer:
        ended = said.what == "heartbeat" and not said.body.get("reopen")
        if ended and len(sidecar.of("heartbeat")) == 2:
            return 410, {"message": "session 's' was ended by the operator"}
        return 200, {"heartbeat_s": 0.05, "lease_s": 300.0}

    sidecar.answer = answer
    kept = keeper(sidecar)
    kept.use("s")
    until(lambda: len(sidecar.of("heartbeat")) >= 4)
    kept.close("done")
    bodies = [said.body for said in sidecar.of("heartbeat")][:4]
    assert bodies == [{"reopen": True}, {}, {"reopen": True}, {}]
    assert [line for line in told.messages if "ended by the operator" in line] == told.messages


@pytest.mark.parametrize("live", [0, 1])
def test_a_session_that_is_not_used_is_kept_while_something_runs(
    sidecar: SessionSidecar, live: int
) -> None:
    def answer(said: Said) -> Answer:
        return 200, {"heartbeat_s": 0.01, "live_tasks": live}

    sidecar.answer = answer
    kept = keeper(sidecar, idle_s=0.0)
    kept.use("s")
    with session_lease(sidecar.url, "held"):
        if live:
            until(lambda: len(sidecar.of("heartbeat", "s")) >= 3)
            assert kept.sessions == ("s",)
        else:
            until(lambda: kept.sessions == ())
    assert sidecar.of("end", "s") == []
    assert sidecar.of("", "s")
    kept.close("done")


def test_a_session_the_sidecar_does_not_know_has_nothing_running(sidecar: SessionSidecar) -> None:
    sidecar.answer = lambda said: (404, {"message": "nothing is on record"})
    kept = keeper(sidecar, idle_s=0.0)
    kept.use("s")
    until(lambda: kept.sessions == ())


@pytest.mark.parametrize(
    "answer",
    [(500, {}), (404, {"message": "no such route"}), (200, None), (200, []), (200, "x" * 2**21),
     (200, {"heartbeat_s": -5}), (200, {"heartbeat_s": "soon"}), (410, {"message": 7})],
)  # fmt: skip
def test_odd_answers_are_survived(sidecar: SessionSidecar, answer: Answer) -> None:
    sidecar.answer = lambda said: answer
    kept = keeper(sidecar)
    kept.use("s")
    until(lambda: sidecar.of("heartbeat", "s"))
    kept.use("t")
    until(lambda: sidecar.of("heartbeat", "t") or kept._failures > 2)
    kept.close("done")
    assert sidecar.of("end")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("http://127.0.0.1:8460", "http://127.0.0.1:8460"),
        ("http://127.0.0.1:8460/", "http://127.0.0.1:8460"),
        ("http://127.0.0.1:8460/to/research", "http://127.0.0.1:8460"),
        ("https://[::1]:8460/behind/to/x/", "https://[::1]:8460/behind"),
        ("http://sidecar", "http://sidecar"),
    ],
)
def test_a_subagents_url_says_where_the_sidecar_is(url: str, place: str) -> None:
    assert str(Place.of(url)) == place


@pytest.mark.parametrize("url", ["127.0.0.1:8460", "ftp://x", "http://", "http://x:port", ""])
def test_what_is_no_url_is_said_at_once(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|[Pp]ort"):
        Place.of(url)


def test_a_lease_that_no_sidecar_would_take_is_said_at_once() -> None:
    with pytest.raises(ValueError, match="from 10 to 86,400"):
        session_lease(None, "s", lease_s=5)


def test_where_the_sidecar_is_may_stand_in_the_environment(
    sidecar: SessionSidecar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBAGENT_SIDECAR_URL", sidecar.url)
    with session_lease(None, "s"):
        until(lambda: sidecar.of("heartbeat", "s"))


def test_nobody_there_is_said_in_half_a_sentence() -> None:
    caller = Caller(Place.of(f"http://127.0.0.1:{free_port()}"), {})
    with pytest.raises(Failed, match="cannot be reached"):
        caller.end("s", "done", timeout_s=5)
