"""`subagent-sidecar demo`, as a newcomer runs it: the story, its ends, and nothing left behind.

Every process of a demo inherits its TMPDIR, which is how the tests tell its processes from others.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.support.signals import heeded

from subagent_sidecar.demo.processes import Child, DemoFailed, Stage
from subagent_sidecar.demo.readiness import all_ready

COMMAND = [sys.executable, "-m", "subagent_sidecar", "demo"]
WITHOUT_THE_EXTRA = """
import sys
sys.modules["deepagents"] = None
sys.argv = ["subagent-sidecar", "demo"]
from subagent_sidecar.__main__ import main
main()
"""
PROC = Path("/proc")
# It shows commands as they can be typed: where they are on PATH, by name alone.
ON_PATH = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"


@pytest.fixture(autouse=True)
def _signals_are_heeded() -> Iterator[None]:
    with heeded():
        yield


class Demo:
    """A demo in a process of its own. `told` is what it has printed so far."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.tmp = folder / "tmp"
        self.tmp.mkdir()
        self._errors = folder / "stderr"
        self.told = ""
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [*COMMAND, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "PATH": ON_PATH, "TMPDIR": str(self.tmp), "COLUMNS": "100"},
                text=True,
            )

    def read_until(self, words: str) -> str:
        """Read on to the line that holds `words`, and return it."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.told += line
            if words in line:
                return line
        pytest.fail(f"the demo never said {words!r}:\n{self.told}\n{self.errors}")

    def end(self) -> int:
        """Read it to its end and return the exit code."""
        assert self.process.stdout is not None
        self.told += self.process.stdout.read()
        return self.process.wait()

    @property
    def errors(self) -> str:
        return self._errors.read_text(encoding="utf-8")

    def processes(self) -> dict[int, str]:
        """The living processes that belong to this demo, and their command lines."""
        ours = f"TMPDIR={self.tmp}".encode()
        found = {}
        for entry in PROC.iterdir():
            try:
                if entry.name.isdigit() and ours in (entry / "environ").read_bytes().split(b"\0"):
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().decode()
            except OSError:  # ended meanwhile, or somebody else's
                continue
        return found

    def kill_part(self, name: str) -> None:
        """SIGKILL this demo's one process whose command line holds `name`."""
        (number,) = [pid for pid, line in self.processes().items() if name in line]
        os.kill(number, signal.SIGKILL)

    def close(self) -> None:
        """End what a failing test left running."""
        for number in self.processes():
            os.kill(number, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()

    def assert_nothing_is_left(self) -> None:
        assert self.processes() == {}
        assert list(self.tmp.iterdir()) == []


Start = Callable[..., Demo]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start the demo with these arguments; at most one a test."""
    demos: list[Demo] = []

    def begin(*arguments: str) -> Demo:
        demos.append(Demo(tmp_path, *arguments))
        return demos[-1]

    yield begin
    for demo in demos:
        demo.close()


def test_the_whole_story_is_told_in_less_than_a_minute(start: Start) -> None:
    began = time.monotonic()
    demo = start()
    assert demo.end() == 0, demo.errors
    assert time.monotonic() - began < 60
    assert demo.errors == ""
    demo.assert_nothing_is_left()

    for tool in ("start", "check", "update", "cancel"):
        assert f"→ {tool}_async_task(" in demo.told
    assert "→ list_async_tasks()" in demo.told
    result = demo.told[demo.told.index("Yes. Largest moons") :]
    assert "Ganymede" in result, "the first instruction is lost"
    assert "Titan" in result, "the update had no effect"
    assert "\x1b" not in demo.told
    assert max(len(line) for line in demo.told.splitlines()) <= 100


def test_the_story_shows_what_the_sidecar_saw_and_what_to_do_next(start: Start) -> None:
    demo = start("--keep")
    demo.read_until("Still running")
    demo.read_until("for supervisors")
    command = demo.read_until("--server").split()
    tasks = _tasks(command[command.index("--server") + 1])

    assert {task["agent_name"]: task["status"] for task in tasks} == {
        "researcher": "success",
        "coder": "cancelled",
    }
    for task in tasks:
        short = str(task["short_id"])
        assert f"{task['agent_name']} …{short} is on record" in demo.told
        table = demo.told[demo.told.index("$ subagentctl tasks --all") :]
        assert short in table
    assert "run 1 is superseded" in demo.told
    assert 'url="http://127.0.0.1:8460"' in demo.told
    assert "subagent-sidecar serve --upstream http://localhost:2024" in demo.told

    demo.process.send_signal(signal.SIGINT)
    assert demo.end() == 0, demo.errors
    demo.assert_nothing_is_left()


@pytest.mark.parametrize("last_line", ["Starting three processes", "→ start_async_task"])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_at_any_time_and_leaves_nothing(
    start: Start, last_line: str, number: signal.Signals
) -> None:
    demo = start()
    demo.read_until(last_line)
    demo.process.send_signal(number)
    assert demo.end() == 128 + number
    assert demo.errors == ""
    demo.assert_nothing_is_left()


@pytest.mark.parametrize(
    ("part", "name"), [("langgraph_cli", "agent server"), ("serve", "sidecar")]
)
def test_a_part_that_dies_ends_it_with_one_sentence_and_the_place_of_the_logs(
    start: Start, part: str, name: str
) -> None:
    demo = start()
    demo.read_until("→ start_async_task")
    demo.kill_part(part)
    assert demo.end() == 1
    assert f"The {name} stopped unexpectedly (by signal SIGKILL)." in demo.errors
    assert "Traceback" not in demo.errors
    assert demo.processes() == {}
    (logs,) = demo.tmp.iterdir()
    assert f"The logs of its parts are in {logs}\n" in demo.errors
    assert {log.name for log in logs.iterdir()} == {
        "agent-server.log",
        "sidecar.log",
        "supervisor.log",
    }


async def test_a_part_that_does_not_become_ready_is_named_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    stage = Stage(tmp_path)
    say = "import sys; print('still loading', flush=True); sys.stdin.read()"
    try:
        child = await stage.start("agent server", [sys.executable, "-c", say], talks=True)
        child.log.write_bytes(await child.read())
        with pytest.raises(DemoFailed) as failed:
            await _never_ready(child)
    finally:
        await stage.stop()
    assert str(failed.value).splitlines() == [
        "The agent server does not become ready.",
        "  | still loading",
    ]


async def test_a_server_that_moved_to_another_port_is_not_waited_for(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        child = await stage.start("agent server", [sys.executable, "-c", "input()"], talks=True)
        child.log.write_text("WARNING: Port 1 is already in use, using port 2 instead.")
        with pytest.raises(DemoFailed, match="took the port of the agent server"):
            await _never_ready(child, within=60)
    finally:
        await stage.stop()


def test_without_the_extra_it_says_how_to_get_it() -> None:
    argv = [sys.executable, "-c", WITHOUT_THE_EXTRA]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert 'pip install "subagent-sidecar[demo]"' in done.stderr


async def _never_ready(child: Child, within: float = 0.0) -> None:
    await all_ready(
        {child: child.read()},
        ready=lambda name, seconds: None,
        waiting=lambda names, seconds: None,
        within=within,
        remind_every=0.01,
    )


def _tasks(server: str) -> list[dict[str, object]]:
    argv = [sys.executable, "-m", "subagentctl", "--server", server, "-o", "json", "tasks", "--all"]
    printed = subprocess.run(argv, capture_output=True, check=True, timeout=60).stdout
    tasks: list[dict[str, object]] = json.loads(printed)["tasks"]
    return tasks
