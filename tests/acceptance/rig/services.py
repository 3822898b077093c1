"""Server processes: started, waited for, and always ended together with their children."""

import os
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_STOP_WAIT = 10.0
_ASK_EVERY = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A server process that is up; `url` has no trailing slash."""

    name: str
    url: str
    log: Path
    process: subprocess.Popen[bytes]

    def log_tail(self, lines: int = 40) -> str:
        text = self.log.read_text(encoding="utf-8", errors="replace")
        return "\n".join(text.splitlines()[-lines:])

    def end(self, number: signal.Signals, *, within: float) -> int:
        """Send the process this signal; its exit code once it is gone."""
        self.process.send_signal(number)
        try:
            return self.process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            raise TimeoutError(f"{self.name} outlived {number.name}:\n{self.log_tail()}") from None


@contextmanager
def running(
    name: str,
    command: Sequence[str],
    *,
    url: str,
    ready_path: str,
    folder: Path,
    env: Mapping[str, str] | None = None,
    patience: float = 60.0,
) -> Iterator[Service]:
    """Run `command` in `folder` until the block ends; entered once `ready_path` answers 200.

    One that is run in the same folder again goes on with the log.
    """
    log_path = folder / f"{name}.log"
    with log_path.open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        service = Service(name=name, url=url, log=log_path, process=process)
        try:
            _await_ready(process, service, ready_path, patience)
            yield service
        finally:
            end_group(process)


def _await_ready(
    process: subprocess.Popen[bytes], service: Service, ready_path: str, patience: float
) -> None:
    """Ask until it answers, or fail at once when the process has died."""
    give_up = time.monotonic() + patience
    while not _answers(service.url + ready_path):
        if time.monotonic() > give_up:
            raise TimeoutError(f"{service.name} is not ready:\n{service.log_tail()}")
        try:
            code = process.wait(timeout=_ASK_EVERY)
        except subprocess.TimeoutExpired:
            continue
        raise RuntimeError(f"{service.name} ended with {code}:\n{service.log_tail()}")


def _answers(url: str) -> bool:
    """Never through a proxy from the environment: the address is on this machine."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(url, timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def end_group(process: "subprocess.Popen[Any]") -> None:
    """Ask the whole process group to stop, then make it."""
    _signal_group(process, signal.SIGTERM)
    try:
        process.wait(timeout=_STOP_WAIT)
    except subprocess.TimeoutExpired:
        pass
    finally:
        _signal_group(process, signal.SIGKILL)
        process.wait()


def _signal_group(process: "subprocess.Popen[Any]", number: signal.Signals) -> None:
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        return
