"""The parts of the rig: `langgraph dev`, a self-hosted server, the sidecar."""

import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.acceptance.rig.services import Service, running
from tests.support.ports import free_port

REPO = Path(__file__).parents[3]
APP = REPO / "tests" / "acceptance" / "app"
_LOCAL = "127.0.0.1"

OFFLINE = {
    "LANGSMITH_TRACING": "false",
    "LANGCHAIN_TRACING_V2": "false",
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LOG_COLOR": "false",
}


def python_path() -> dict[str, str]:
    """Lets a subprocess import `tests.acceptance` from any working directory."""
    return {"PYTHONPATH": str(REPO)}


@contextmanager
def langgraph_dev(
    folder: Path, *, port: int, sidecar_url: str, governed_url: str | None = None, jobs: int = 40
) -> Iterator[Service]:
    """A real Agent Protocol server with the graphs of `app/`, its state in `folder`.

    More `jobs` at once than the scenarios have: by default one hanging run would hold up the rest.
    """
    shutil.copy(APP / "langgraph.json", folder)
    url = f"http://{_LOCAL}:{port}"
    command = [sys.executable, "-m", "langgraph_cli", "dev", "--no-browser", "--no-reload"]
    command += ["--host", _LOCAL, "--port", str(port), "--n-jobs-per-worker", str(jobs)]
    nested = {
        "ACCEPTANCE_SIDECAR_URL": sidecar_url,
        "ACCEPTANCE_DIRECT_URL": url,
        "ACCEPTANCE_GOVERNED_URL": governed_url or sidecar_url,
    }
    env = {**OFFLINE, **python_path(), **nested}
    with running(
        "langgraph-dev", command, url=url, ready_path="/ok", folder=folder, env=env, patience=120
    ) as service:
        yield service


@contextmanager
def self_hosted(folder: Path) -> Iterator[Service]:
    """The six routes of deepagents' own FastAPI example and nothing more."""
    port = free_port()
    command = [sys.executable, "-m", "uvicorn", "tests.acceptance.selfhosted:app"]
    command += ["--host", _LOCAL, "--port", str(port)]
    url = f"http://{_LOCAL}:{port}"
    with running(
        "self-hosted", command, url=url, ready_path="/ok", folder=folder, env=python_path()
    ) as service:
        yield service


@dataclass(frozen=True, slots=True, kw_only=True)
class Sidecar:
    """A running sidecar: `url` is its data plane, `admin` its admin plane, `store` its file. Where
    it asks for one, `key` is a supervisor's."""

    url: str
    admin: str
    service: Service
    store: Path
    key: str | None = None


@contextmanager
def sidecar(
    folder: Path,
    *,
    name: str,
    upstreams: Mapping[str, str],
    port: int | None = None,
    policy: str = "none",
    config: Path | None = None,
) -> Iterator[Sidecar]:
    """A sidecar over named upstreams, its store a file in `folder`. `config` has further settings.

    Ready when `/sidecar/health` answers, which does not need an upstream to be up.
    """
    listen = f"{_LOCAL}:{port or free_port()}"
    admin = f"{_LOCAL}:{free_port()}"
    command = [sys.executable, "-m", "subagent_sidecar", "serve"]
    command += ["--listen", listen, "--admin-listen", admin]
    store = folder / f"{name}.db"
    command += ["--store", f"sqlite:///{store}", "--policy", policy]
    if config is not None:
        command += ["--config", str(config)]
    for upstream, url in upstreams.items():
        command += ["--upstream", f"{upstream}={url}"]
    url = f"http://{listen}"
    with running(name, command, url=url, ready_path="/sidecar/health", folder=folder) as service:
        yield Sidecar(url=url, admin=f"http://{admin}", service=service, store=store)
