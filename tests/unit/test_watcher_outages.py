"""Servers that do not answer, or not us, or not that: nothing is known, and nothing made up.
(rows 1, 2, 3)
"""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
from tests.support.waiting import eventually
from tests.support.watching import QUICK, Desk

from subagent_sidecar.errors import (
    UpstreamBroken,
    UpstreamError,
    UpstreamRefused,
    UpstreamTimeout,
    UpstreamUnreachable,
)

TROUBLES = [
    UpstreamUnreachable("nobody is there"),
    UpstreamBroken("it broke off"),
    UpstreamTimeout("no answer", phase="first byte"),
    UpstreamRefused("the server answered 503", answered=503),
    UpstreamRefused("the server answered 429", answered=429),
    UpstreamRefused("the server's answer is not what this route answers", answered=200),
]


@pytest.fixture
async def desk() -> AsyncIterator[Desk]:
    found = Desk()
    found.watch()
    yield found
    await found.watcher.aclose()


def unknown(desk: Desk, thread_id: str = "t") -> bool:
    return desk.watcher.unknown_since("up", thread_id) is not None


async def goes_down(desk: Desk, trouble: UpstreamError = TROUBLES[0]) -> None:
    desk.server.down = trouble
    await eventually(lambda: unknown(desk))


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.action for record in caplog.records if hasattr(record, "action")]


@pytest.mark.parametrize("trouble", TROUBLES, ids=lambda trouble: str(trouble.message))
async def test_the_tasks_of_a_server_that_does_not_answer_are_unknown(
    desk: Desk, trouble: UpstreamError
) -> None:
    await desk.start()
    await desk.task_when("running")
    await goes_down(desk, trouble)
    assert (await desk.task()).status == "running"


async def test_a_server_that_goes_down_right_after_a_start_is_seen_to_be() -> None:
    """The first look fails, then a read: the next one must not be as far away as any may be."""
    desk = Desk(tempo=replace(QUICK, longest_s=600.0))
    desk.watch()
    desk.server.down = UpstreamRefused("the server answered 503", answered=503)
    await desk.start()
    await eventually(lambda: unknown(desk))
    await desk.watcher.aclose()


async def test_while_a_server_is_down_the_watch_says_so_and_falls_behind(desk: Desk) -> None:
    watch = desk.watcher.of("up")
    assert (watch.down, watch.lag_s) == (False, 0.0)  # nothing is to be asked
    await desk.start()
    await goes_down(desk)
    assert watch.down
    await eventually(lambda: watch.lag_s > 0.1)
    desk.server.down = None
    await eventually(lambda: not watch.down and watch.lag_s < 0.1)


async def test_a_server_that_is_back_is_believed_again(desk: Desk) -> None:
    await desk.start()
    await goes_down(desk)
    desk.server.down = None
    desk.server.end("r1", "error", "error")
    await desk.task_when("error")
    assert not unknown(desk)


async def test_an_outage_is_one_line_in_the_log_and_its_end_another(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(50):
        await desk.start(f"r{number}", f"t{number}")
    await goes_down(desk)
    asked = len(desk.server.asked)
    await eventually(lambda: len(desk.server.asked) > asked)
    desk.server.down = None
    await eventually(lambda: not unknown(desk))
    assert logged(caplog) == ["upstream_down", "upstream_back"]


async def test_one_failure_is_none(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    await desk.start()
    await desk.task_when("running")
    desk.server.down = TROUBLES[1]
    asked = len(desk.server.asked)
    await eventually(lambda: len(desk.server.asked) > asked)
    desk.server.down = None
    assert not unknown(desk)
    desk.server.end("r1", "error", "error")
    await desk.task_when("error")
    assert logged(caplog) == []


async def test_a_start_that_is_accepted_is_a_sign_of_life(desk: Desk) -> None:
    await desk.start()
    await goes_down(desk)
    desk.server.down = None
    await desk.start("r2", "t2")
    await eventually(lambda: not unknown(desk))


async def test_credentials_a_client_brought_are_presented(desk: Desk) -> None:
    desk.server.key = b"secret"
    await desk.start(auth=[(b"x-api-key", b"secret")])
    desk.server.end("r1", "error", "error")
    await desk.task_when("error")


async def test_without_the_credentials_a_server_wants_its_tasks_are_unknown(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.server.key = b"secret"
    await desk.start("r1", "t1")
    await desk.start("r2", "t2", auth=[(b"x-api-key", b"wrong")])
    await desk.start("r3", "t3", auth=[(b"x-api-key", b"secret")])
    await eventually(lambda: unknown(desk, "t1") and unknown(desk, "t2"))
    assert not unknown(desk, "t3")
    assert logged(caplog) == ["upstream_locked"]


async def test_a_client_that_comes_with_them_lets_its_task_be_followed_again(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.server.key = b"secret"
    await desk.start()
    await eventually(lambda: unknown(desk))
    desk.watcher.follow("up", "t", "r1", auth=[(b"x-api-key", b"secret")])
    await eventually(lambda: not unknown(desk))
    desk.server.end("r1", "error", "error")
    await desk.task_when("error")


@pytest.mark.parametrize("status", [None, 200, 400, 403, 500])
async def test_a_server_that_cannot_search_is_asked_run_by_run(
    desk: Desk, status: int | None
) -> None:
    desk.server.searches = False
    if status is not None:
        desk.server.refuses["threads "] = status
    await desk.start()
    await desk.task_when("running")
    desk.server.end("r1", "success", "interrupted")
    await desk.task_when("waiting")
    desk.server.begin("r2")
    await desk.task_when("running")
    desk.server.end("r2", "error", "error")
    await desk.task_when("error")
    assert len(desk.server.asked_for("threads")) < 4


async def test_a_run_that_cannot_be_read_holds_up_no_other(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    desk.server.refuses["run r1"] = 500
    await desk.start("r1", "t1")
    desk.server.end("r1", "error", "error", "t1")
    await eventually(lambda: len(desk.server.asked_for("run r1")) > 3)
    await desk.start("r2", "t2")
    desk.server.end("r2", "success", "idle", "t2")
    await desk.task_when("success", "t2")
    assert not unknown(desk, "t1")
    assert logged(caplog) == []
    desk.server.refuses.clear()
    await desk.task_when("error", "t1")


async def test_what_answers_404_to_everything_may_be_a_gateway(desk: Desk) -> None:
    await desk.start()
    await desk.task_when("running")
    thread = desk.server.threads_.pop("t")
    desk.server.searches = False
    asked = len(desk.server.asked_for("thread t"))
    await eventually(lambda: len(desk.server.asked_for("thread t")) > asked + 3)
    assert (await desk.task()).status == "running"
    desk.server.threads_["t"] = thread
    desk.server.end("r1", "success", "idle")
    await desk.task_when("success")


async def test_an_upstream_that_is_not_configured_any_more_is_unknown(desk: Desk) -> None:
    assert desk.watcher.unknown_since("former", "t") is not None


async def test_books_that_cannot_be_read_are_read_a_little_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("subagent_sidecar.watcher.books._AGAIN_S", 0.01)
    await desk.start()
    desk.store.unreadable = 3
    await desk.restart()
    await eventually(lambda: desk.watcher.watching == 1)
