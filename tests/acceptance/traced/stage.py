"""Servers that tell a sidecar of their runs, and the supervisor that keeps them busy."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.acceptance.rig.servers import OFFLINE, REPO, python_path
from tests.acceptance.rig.services import Service, running

PATIENCE_S = 120.0
FOLDER = REPO / "tests" / "acceptance" / "traced"

Told = Mapping[str, Mapping[str, str]]
"""By turn the `task_id` of the task it started, and the `trace_id` of the span around it."""


@contextmanager
def instrumented(
    folder: Path, emitter: str, base: str, *, port: int, following: str, back: str
) -> Iterator[Service]:
    """A server that tells the sidecar at `base` of its runs, by this emitter, which is its name
    there as well. `following` and `back` are those of the servers that its tasks go on to."""
    folder.mkdir()
    shutil.copy(FOLDER / "langgraph.json", folder)
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"]
    command += ["--host", "127.0.0.1", "--port", str(port), "--n-jobs-per-worker", "10"]
    env = {
        **OFFLINE,
        **python_path(),
        "TRACED_EMITTER": emitter,
        "TRACED_OTLP": f"{base}/sidecar/otlp/v1/traces",
        "TRACED_NEXT": f"{base}/to/{following}",
        "TRACED_BACK": f"{base}/to/{back}",
        "TRACED_HERE": f"{base}/to/{emitter}",
    }
    if emitter == "langsmith":
        env |= {"LANGSMITH_TRACING": "true", "LANGCHAIN_TRACING_V2": "true"}
        env |= {"LANGSMITH_OTEL_ENABLED": "true", "LANGSMITH_OTEL_ONLY": "true"}
        env |= {"OTEL_EXPORTER_OTLP_ENDPOINT": f"{base}/sidecar/otlp"}
        env |= {"OTEL_SERVICE_NAME": "server-langsmith", "OTEL_BSP_SCHEDULE_DELAY": "300"}
    with running(
        f"langgraph-{emitter}", command, url=url, ready_path="/ok", folder=folder, env=env,
        patience=PATIENCE_S,
    ) as service:  # fmt: skip
        yield service


def supervised(base: str, turns: Mapping[str, tuple[str, str]]) -> Told:
    """Have a supervisor start an agent on a server in each of the turns, by name, and the first of
    them once more, without a context, as `alone`."""
    command = [sys.executable, "-m", "tests.acceptance.traced.supervise"]
    command += [f"{base}/sidecar/otlp/v1/traces"]
    command += [f"{turn}:{agent}={base}/to/{on}" for turn, (agent, on) in turns.items()]
    done = subprocess.run(
        command, cwd=REPO, capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, dict[str, str]] = json.loads(done.stdout)
    return told
