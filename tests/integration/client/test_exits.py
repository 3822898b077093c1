"""Processes that hold a session and leave: at the end, by SIGTERM, by SIGKILL, as a fork."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.integration.client.test_keeper import WITHIN, until
from tests.support.ports import free_port
from tests.support.session_sidecar import SessionSidecar

FOLDER = Path(__file__).parent
TERMINATED = {"reason": "its supervisor's process was terminated"}
EXITED = {"reason": "its supervisor's process exited"}


@pytest.fixture
def sidecar() -> Iterator[SessionSidecar]:
    with SessionSidecar().running() as running:
        yield running


@contextmanager
def supervisor(url: str, story: str) -> Iterator["subprocess.Popen[str]"]:
    """One that says it is ready."""
    script = FOLDER / ("serves.py" if story == "serves" else "exits.py")
    process = subprocess.Popen(
        [sys.executable, str(script), url, story],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        while process.stdout.readline().strip() != "ready":
            assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


def left(process: "subprocess.Popen[str]", number: signal.Signals | None) -> tuple[int, str, str]:
    """How it ended, and what it said."""
    if number is not None:
        process.send_signal(number)
    out, err = process.communicate("\n", timeout=WITHIN)
    return process.returncode, out, err


@pytest.mark.parametrize(
    ("story", "number", "code", "end"),
    [
        ("exits", None, 0, EXITED),
        ("fails", None, 1, EXITED),
        ("waits", signal.SIGTERM, -signal.SIGTERM, TERMINATED),
        ("waits", signal.SIGINT, -signal.SIGINT, EXITED),
        ("blocks", signal.SIGTERM, -signal.SIGTERM, TERMINATED),
        ("handles", signal.SIGTERM, 7, TERMINATED),
        ("serves", signal.SIGTERM, -signal.SIGTERM, TERMINATED),
        ("handles later", signal.SIGTERM, -signal.SIGTERM, TERMINATED),
    ],
)
def test_a_process_that_leaves_ends_its_sessions_and_leaves_as_it_would_have(
    sidecar: SessionSidecar, story: str, number: signal.Signals | None, code: int, end: object
) -> None:
    with supervisor(sidecar.url, story) as process:
        until(lambda: sidecar.of("heartbeat", "s"))
        if story == "blocks":
            until(lambda: sidecar.of("heartbeat", "block"))
        found, _, _ = left(process, number)
    assert found == code
    assert [said.body for said in sidecar.of("end", "s")] == [end]
    assert [said.body for said in sidecar.of("end", "block")] == (
        [end] if story == "blocks" else []
    )


def test_a_process_that_is_killed_says_nothing_and_is_silent_from_then_on(
    sidecar: SessionSidecar,
) -> None:
    with supervisor(sidecar.url, "waits") as process:
        until(lambda: len(sidecar.of("heartbeat", "s")) >= 3)
        assert left(process, signal.SIGKILL)[0] == -signal.SIGKILL
    until(lambda: not sidecar.open)  # nothing of it is on its way any more
    assert sidecar.of("end") == []


def test_sessions_may_be_left_as_they_are(sidecar: SessionSidecar) -> None:
    with supervisor(sidecar.url, "stays") as process:
        until(lambda: sidecar.of("heartbeat", "s"))
        assert left(process, None)[0] == 0
    assert sidecar.of("end") == []


def test_whoever_handles_sigterm_and_goes_on_has_his_way_and_his_sessions_open_again(
    sidecar: SessionSidecar,
) -> None:
    with supervisor(sidecar.url, "goes on") as process:
        until(lambda: sidecar.of("heartbeat", "s"))
        process.send_signal(signal.SIGTERM)
        assert process.stdout is not None
        assert process.stdout.readline() == "theirs\n"
        until(lambda: sidecar.of("end", "s"))
        until(lambda: sidecar.said[-1].what == "heartbeat")
    after = sidecar.said[sidecar.said.index(sidecar.of("end", "s")[0]) + 1 :]
    assert after[0].body == {"reopen": True}
    assert [said.body for said in sidecar.of("end", "s")] == [TERMINATED]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there are no forks here")
def test_a_forked_child_keeps_its_own_sessions_and_ends_no_other(sidecar: SessionSidecar) -> None:
    with supervisor(sidecar.url, "forks") as process:
        assert [said.session for said in sidecar.of("end")] == ["child"]
        beats = len(sidecar.of("heartbeat", "s"))
        until(lambda: len(sidecar.of("heartbeat", "s")) > beats)
        left(process, signal.SIGTERM)
    assert [said.session for said in sidecar.of("end")] == ["child", "s"]


@pytest.mark.parametrize("number", [None, signal.SIGTERM])
def test_a_sidecar_that_is_down_costs_the_exit_nothing_but_a_line(
    number: signal.Signals | None,
) -> None:
    with supervisor(f"http://127.0.0.1:{free_port()}", "waits" if number else "exits") as process:
        code, _, err = left(process, number)
    assert code == (-number if number else 0)
    assert err.count("cannot be reached") == 1
    assert "Traceback" not in err


def test_a_sidecar_that_hangs_does_not_hold_up_the_exit(sidecar: SessionSidecar) -> None:
    sidecar.hanging = True
    with supervisor(sidecar.url, "waits") as process:
        until(lambda: sidecar.of("heartbeat", "s"))
        before = time.monotonic()
        code, _, err = left(process, signal.SIGTERM)
    assert code == -signal.SIGTERM
    assert time.monotonic() - before < 30.0  # two seconds, and what a slow machine takes
    assert "Traceback" not in err


def test_the_helper_loads_nothing_that_takes_long() -> None:
    script = (
        "import sys; before = set(sys.modules); import subagent_sidecar.client; "
        "print(*{name.partition('.')[0] for name in set(sys.modules) - before})"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = set(done.stdout.split())
    assert "subagent_sidecar" in loaded
    assert loaded.isdisjoint({"aiohttp", "langchain", "langgraph", "pydantic", "opentelemetry"})
