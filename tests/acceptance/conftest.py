"""One rig for the whole storey: servers and sidecars are started once and shared."""

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from tests.acceptance.rig.servers import APP, Sidecar, langgraph_dev, self_hosted, sidecar
from tests.acceptance.rig.services import Service
from tests.support.otlp_sink import OtlpSink
from tests.support.ports import free_port

_LIVE = pytest.StashKey[list[Service]]()


@contextmanager
def _shown_on_failure(config: pytest.Config, service: Service) -> Iterator[None]:
    live = config.stash.setdefault(_LIVE, [])
    live.append(service)
    try:
        yield
    finally:
        live.remove(service)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """A failure shows the last lines of every server that was up."""
    report = yield
    if report.failed:
        for service in item.config.stash.get(_LIVE, []):
            report.sections.append((f"end of the log of {service.name}", service.log_tail()))
    return report


@pytest.fixture(scope="session")
def pair_port() -> int:
    """Chosen ahead: the nesting subagent is told the sidecar's address before it is up."""
    return free_port()


@pytest.fixture(scope="session")
def governed_port() -> int:
    """Likewise, of the sidecar that refuses."""
    return free_port()


@pytest.fixture(scope="session")
def langgraph(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    pair_port: int,
    governed_port: int,
) -> Iterator[Service]:
    """The real `langgraph dev`."""
    folder = tmp_path_factory.mktemp("langgraph")
    nested = f"http://127.0.0.1:{pair_port}/to/near"
    governed = f"http://127.0.0.1:{governed_port}"
    with (
        langgraph_dev(
            folder, port=free_port(), sidecar_url=nested, governed_url=governed
        ) as service,
        _shown_on_failure(pytestconfig, service),
    ):
        yield service


@pytest.fixture(scope="session")
def hosted(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    """The self-hosted FastAPI shape."""
    folder = tmp_path_factory.mktemp("hosted")
    with self_hosted(folder) as service, _shown_on_failure(pytestconfig, service):
        yield service


@pytest.fixture(scope="session")
def sidecar_to_langgraph(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, langgraph: Service
) -> Iterator[Sidecar]:
    """A sidecar whose only upstream is `langgraph dev`."""
    folder = tmp_path_factory.mktemp("sidecar-to-langgraph")
    with (
        sidecar(folder, name="sidecar-to-langgraph", upstreams={"main": langgraph.url}) as parts,
        _shown_on_failure(pytestconfig, parts.service),
    ):
        yield parts
    _no_traceback(parts.service)


@pytest.fixture(scope="session")
def sidecar_to_hosted(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory, hosted: Service
) -> Iterator[Sidecar]:
    """A sidecar whose only upstream is the self-hosted server, and that serves by key."""
    folder = tmp_path_factory.mktemp("sidecar-to-hosted")
    config = folder / "config.yaml"
    config.write_text("auth: on\n", "utf-8")
    with (
        sidecar(
            folder, name="sidecar-to-hosted", upstreams={"main": hosted.url}, config=config
        ) as parts,
        _shown_on_failure(pytestconfig, parts.service),
    ):
        made = httpx.post(f"{parts.admin}/v1/keys", json={"name": "team-a"}).json()
        yield replace(parts, key=made["key"])
    _no_traceback(parts.service)


@pytest.fixture(scope="session")
def otlp() -> Iterator[OtlpSink]:
    """Where `sidecar_to_both` exports its traces to."""
    with OtlpSink().running() as sink:
        yield sink


@pytest.fixture(scope="session")
def sidecar_to_both(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    langgraph: Service,
    hosted: Service,
    pair_port: int,
    otlp: OtlpSink,
) -> Iterator[Sidecar]:
    """A sidecar over two servers: `near` is langgraph dev, `far` the self-hosted one."""
    folder = tmp_path_factory.mktemp("sidecar-to-both")
    upstreams = {"near": langgraph.url, "far": hosted.url}
    config = folder / "config.yaml"
    config.write_text(f"otlp_endpoint: {otlp.url}\n", "utf-8")
    with (
        sidecar(
            folder, name="sidecar-to-both", upstreams=upstreams, port=pair_port, config=config
        ) as parts,
        _shown_on_failure(pytestconfig, parts.service),
    ):
        yield parts
    _no_traceback(parts.service)


@pytest.fixture(scope="session")
def sidecar_that_refuses(
    pytestconfig: pytest.Config,
    tmp_path_factory: pytest.TempPathFactory,
    langgraph: Service,
    governed_port: int,
) -> Iterator[Sidecar]:
    """A sidecar with the policy of `app/refusals.yaml`."""
    with (
        sidecar(
            tmp_path_factory.mktemp("sidecar-that-refuses"),
            name="sidecar-that-refuses",
            upstreams={"main": langgraph.url},
            port=governed_port,
            policy=str(APP / "refusals.yaml"),
        ) as parts,
        _shown_on_failure(pytestconfig, parts.service),
    ):
        yield parts
    _no_traceback(parts.service)


def _no_traceback(service: Service) -> None:
    """Nothing in these stories is a reason for the sidecar to log one."""
    log = service.log.read_text(encoding="utf-8", errors="replace")
    assert "Traceback" not in log, service.log_tail(200)


@pytest.fixture(scope="session")
def recordings_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the driver leaves its recordings, for a look after a failure."""
    return tmp_path_factory.mktemp("recordings")
