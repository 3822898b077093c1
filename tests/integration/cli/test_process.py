"""`subagentctl` as a process of its own: pipes, terminals, signals, exit codes, speed."""

import fcntl
import json
import os
import pty
import resource
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.support.ports import free_port
from tests.support.signals import heeded

from subagentctl.testing import FakeAdmin, demo_tasks, make_task, problem
from subagentctl.when import parse_moment

COMMAND = (sys.executable, "-m", "subagentctl")
DEADLINE_S = 60.0


def call(environ: Mapping[str, str], *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *args], env=environ, capture_output=True, encoding="utf-8", timeout=DEADLINE_S
    )


@dataclass
class Terminal:
    """A process on a terminal of 100 x 20, and all that it has written there."""

    process: "subprocess.Popen[bytes]"
    descriptor: int
    seen: bytearray = field(default_factory=bytearray)

    def wait_for(self, text: str, *, times: int = 1) -> None:
        """Read until `text` was written `times` times."""
        deadline = time.monotonic() + DEADLINE_S
        while self.seen.count(text.encode()) < times:
            assert time.monotonic() < deadline, f"no {text!r} in ...{bytes(self.seen[-300:])!r}"
            self._read(0.1)

    def end(self, number: int) -> int:
        """Send a signal; the exit code."""
        self.process.send_signal(number)
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None:
            assert time.monotonic() < deadline, "still running"
            self._read(0.05)
        while self._read(0):
            pass
        return self.process.returncode

    def _read(self, patience: float) -> bool:
        if not select.select([self.descriptor], [], [], patience)[0]:
            return False
        try:
            part = os.read(self.descriptor, 65536)
        except OSError:  # how Linux says that nobody holds the other end any more
            return False
        self.seen += part
        return bool(part)


@pytest.fixture(autouse=True)
def _signals_are_heeded() -> Iterator[None]:
    with heeded():
        yield


@contextmanager
def on_terminal(environ: Mapping[str, str], *args: str) -> Iterator[Terminal]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 100, 0, 0))
    environ = {**environ, "TERM": "xterm-256color"}
    process = subprocess.Popen([*COMMAND, *args], stdin=theirs, stdout=theirs, env=environ)
    os.close(theirs)
    try:
        yield Terminal(process, ours)
    finally:
        process.kill()
        process.wait()
        os.close(ours)


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["tasks"], 0),
        (["task", "01a2064f"], 0),
        (["tasks", "--status", "odd"], 2),
        (["--server", "127.0.0.1:1", "tasks"], 3),
        (["task", "nowhere"], 4),
    ],
)
def test_exit_codes_are_those_promised(
    args: list[str], code: int, admin: FakeAdmin, environ: dict[str, str]
) -> None:
    admin.tasks = [make_task()]
    done = call(environ, *args)
    assert done.returncode == code
    assert done.stderr.count("\n") == (0 if code == 0 else 1)


def test_a_refusal_is_exit_code_1(admin: FakeAdmin, environ: dict[str, str]) -> None:
    admin.script = lambda request: problem(500, "store_corrupt", "The store is damaged.")
    done = call(environ, "tasks")
    assert (done.returncode, done.stdout) == (1, "")
    assert "The store is damaged" in done.stderr


def test_the_console_script_is_the_same_command(environ: dict[str, str]) -> None:
    script = Path(sys.executable).with_name("subagentctl")
    done = subprocess.run([script, "-h"], env=environ, capture_output=True, timeout=DEADLINE_S)
    assert done.returncode == 0 and done.stdout.startswith(b"Usage: subagentctl ")


def test_a_reader_that_leaves_early_is_no_failure(
    admin: FakeAdmin, environ: dict[str, str]
) -> None:
    admin.tasks = [make_task(f"task-{number:05d}", purpose="x" * 200) for number in range(1000)]
    reading, writing = os.pipe()
    args = [*COMMAND, "tasks", "--limit", "0"]
    process = subprocess.Popen(args, env=environ, stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    os.read(reading, 10)
    os.close(reading)
    _, errors = process.communicate(timeout=DEADLINE_S)
    assert (process.returncode, errors) == (0, b"")


def test_a_full_disk_is_one_sentence(admin: FakeAdmin, environ: dict[str, str]) -> None:
    admin.tasks = [make_task()]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*COMMAND, "tasks"],
            env=environ,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=DEADLINE_S,
        )
    assert done.returncode == 1
    assert done.stderr == (
        b"subagentctl: the output could not be written (No space left on device).\n"
    )


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_any_text_can_be_printed_in_any_encoding(  # row 26
    encoding: str, admin: FakeAdmin, environ: dict[str, str]
) -> None:
    admin.tasks = [make_task(purpose="北京 \ud800 é \x1b[2J", depth=1)]
    environ = environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    for output in ("table", "csv", "json"):
        done = subprocess.run(
            [*COMMAND, "tasks", "-o", output], env=environ, capture_output=True, timeout=DEADLINE_S
        )
        assert (done.returncode, done.stderr) == (0, b"")
        assert b"\x1b" not in done.stdout
        assert done.stdout.decode(encoding)


def test_a_pipe_gets_no_colour_and_nothing_cut(admin: FakeAdmin, environ: dict[str, str]) -> None:
    admin.tasks = [make_task(purpose="x" * 200)]
    done = call(environ, "tasks")
    assert "\x1b" not in done.stdout and "x" * 200 in done.stdout


def test_a_terminal_gets_colour_and_lines_that_fit(
    admin: FakeAdmin, environ: dict[str, str]
) -> None:
    admin.tasks = [make_task(purpose="x" * 200, unknown_since="2026-11-23T03:00:00Z")]
    with on_terminal(environ, "tasks") as terminal:
        terminal.wait_for("1 live.")
    assert b"\x1b[36m\x1b[1mrunning?\x1b[0m" in terminal.seen
    assert b"x" * 100 not in terminal.seen


def test_no_color_is_respected(admin: FakeAdmin, environ: dict[str, str]) -> None:
    admin.tasks = [make_task()]
    with on_terminal(environ | {"NO_COLOR": "1"}, "tasks") as terminal:
        terminal.wait_for("1 live.")
    assert b"\x1b" not in terminal.seen


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 0), (signal.SIGTERM, 143)])
def test_watching_leaves_the_terminal_as_it_was(
    number: int, code: int, admin: FakeAdmin, environ: dict[str, str]
) -> None:
    admin.tasks = [make_task()]
    with on_terminal(environ, "tasks", "--watch", "--interval", "0.1") as terminal:
        terminal.wait_for("1 live.", times=2)
        assert terminal.end(number) == code
    assert terminal.seen.startswith(b"\x1b[?1049h\x1b[?25l")
    _, _, after = terminal.seen.rpartition(b"\x1b[?25h\x1b[?1049l")
    assert b"1 task, 1 live." in after
    assert b"Traceback" not in terminal.seen and b"Aborted" not in terminal.seen


def test_watching_outlives_the_sidecar_and_finds_the_next_one(environ: dict[str, str]) -> None:
    first = FakeAdmin(free_port())
    first.tasks = [make_task(agent_name="first")]
    environ = environ | {"SUBAGENTCTL_SERVER": first.url}
    with on_terminal(environ, "tasks", "--watch", "--interval", "0.1") as terminal:
        with first.running():
            terminal.wait_for("first")
            port = int(first.url.rpartition(":")[2])
        terminal.wait_for("no sidecar answers at ")
        terminal.wait_for("Below is what was known at ")
        second = FakeAdmin(port)
        second.tasks = [make_task(agent_name="second")]
        with second.running():
            terminal.wait_for("second")
            assert terminal.end(signal.SIGINT) == 0


def test_a_watch_that_cannot_begin_is_exit_code_3(environ: dict[str, str]) -> None:
    done = call(environ, "--server", "127.0.0.1:1", "tasks", "--watch")
    assert (done.returncode, done.stdout) == (3, "")


def test_ages_are_reckoned_from_the_clock_of_the_machine(
    admin: FakeAdmin, environ: dict[str, str]
) -> None:
    call(environ, "tasks", "--since", "1h")
    since = parse_moment(admin.requests[0].query["since"])
    assert since is not None
    admin.tasks = [make_task(created_at=since.isoformat())]
    assert "  1h  researcher" in call(environ, "tasks").stdout


def test_only_light_modules_are_imported(environ: dict[str, str]) -> None:
    code = "import json, sys, subagentctl.__main__; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environ)
    loaded = {name.partition(".")[0] for name in json.loads(done.stdout)}
    heavy = {"aiohttp", "asyncio", "langgraph_sdk", "opentelemetry", "rich", "sqlite3", "tabulate"}
    assert "click" in loaded
    assert not loaded & (heavy | {"httpx", "pydantic", "yaml", "subagent_sidecar"})


def test_ten_thousand_tasks_on_record_do_not_slow_it_down(
    admin: FakeAdmin, environ: dict[str, str]
) -> None:
    """CPU, the best of each: wall time says more about what else the machine does, and seconds more
    about which machine it is."""
    few, many = [make_task(f"task-{number:05d}") for number in range(50)], 10_000
    crowd = [*few, *(make_task(f"task-{number:05d}") for number in range(50, many))]
    spent: dict[int, list[float]] = {50: [], many: []}
    for tasks in (few, crowd) * 4:
        admin.tasks = list(tasks)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = call(environ, "tasks")
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        spent[len(tasks)].append(cpu)
        assert done.stdout.count("researcher") == 50
    assert min(spent[many]) < 1.5 * min(spent[50]) < 1.5, spent


def test_the_demo_shows_one_of_everything(admin: FakeAdmin, environ: dict[str, str]) -> None:
    from_now = parse_moment("2026-11-23T03:00:00Z")
    assert from_now is not None
    admin.tasks = list(demo_tasks(from_now))
    shown = call(environ, "tasks").stdout
    for status in ("pending", "running", "waiting", "success", "error", "timeout", "cancelled"):
        assert status in shown
