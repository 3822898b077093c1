"""Real servers and a real supervisor, all instrumented, with no context between them: one trace.

Three `langgraph dev`, each with another emitter. A supervisor with OpenInference starts a task on
each of them, which starts one on the next server, which starts one back where it came from. So each
emitter tells of the first and the third task of one tree, and of the second one of another. And it
starts one that stays on each of them, of which one emitter tells all.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass

import httpx
import pytest
from tests.acceptance.rig.servers import Sidecar, sidecar
from tests.acceptance.rig.services import Service
from tests.acceptance.traced.stage import PATIENCE_S, Told, instrumented, supervised
from tests.support.otlp_sink import OtlpSink, SinkSpan, broken_trees
from tests.support.ports import free_port
from tests.support.waiting import eventually_got

EMITTERS = ("openinference", "openllmetry", "langsmith")
NEXT = dict(zip(EMITTERS, (*EMITTERS[1:], EMITTERS[0]), strict=True))
BEFORE = {following: emitter for emitter, following in NEXT.items()}
ACROSS = ("first", "second", "third")
HERE = ("first-here", "second-here", "third")


@dataclass(frozen=True)
class Stage:
    """`told` is what the supervisor says of its turns: `across-` and `here-`, by emitter."""

    sink: OtlpSink
    sidecar: Sidecar
    told: Told


def entered(stack: ExitStack, managers: Sequence[AbstractContextManager[Service]]) -> list[Service]:
    """All at once: most of a server's start is waiting for it."""
    with ThreadPoolExecutor(len(managers)) as threads:
        starting = [threads.submit(stack.enter_context, each) for each in managers]
    return [each.result() for each in starting]


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    folder = tmp_path_factory.mktemp("traced")
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    ports = {emitter: free_port() for emitter in EMITTERS}
    with OtlpSink().running() as sink, ExitStack() as stack:
        config = folder / "config.yaml"
        config.write_text(f"otlp_endpoint: {sink.url}\n", "utf-8")
        upstreams = {name: f"http://127.0.0.1:{each}" for name, each in ports.items()}
        parts = stack.enter_context(
            sidecar(folder, name="traced", upstreams=upstreams, port=port, config=config)
        )
        servers = [
            instrumented(folder / e, e, base, port=ports[e], following=NEXT[e], back=BEFORE[e])
            for e in EMITTERS
        ]
        entered(stack, servers)
        turns = {f"across-{emitter}": (ACROSS[0], emitter) for emitter in EMITTERS}
        turns |= {f"here-{emitter}": (HERE[0], emitter) for emitter in EMITTERS}
        yield Stage(sink, parts, supervised(base, turns))
        assert "Traceback" not in parts.service.log.read_text("utf-8")


@pytest.mark.parametrize("emitter", EMITTERS)
async def test_a_tree_three_deep_on_two_servers_is_one_trace(stage: Stage, emitter: str) -> None:
    spans = await _whole(stage, f"across-{emitter}", ACROSS)
    services = [f"server-{emitter}", f"server-{NEXT[emitter]}", f"server-{emitter}"]
    assert _services(ACROSS, spans) == services


@pytest.mark.parametrize("emitter", EMITTERS)
async def test_a_tree_three_deep_told_by_one_emitter_is_one_trace(
    stage: Stage, emitter: str
) -> None:
    spans = await _whole(stage, f"here-{emitter}", HERE)
    assert _services(HERE, spans) == [f"server-{emitter}"] * 3


async def test_a_supervisor_without_a_context_points_to_what_it_started(stage: Stage) -> None:
    """Its trace stays its own: nothing in it was sent along with the start."""
    trace_id = _trace_of_the_task_alone(stage)

    async def pointing() -> list[tuple[SinkSpan, SinkSpan]]:
        spans = list(stage.sink.spans)
        ours = {(span.trace_id, span.span_id): span for span in spans if span.trace_id == trace_id}
        return [(s, ours[link]) for s in spans for link in s.links if link in ours]

    ((tool, start),) = await eventually_got(pointing, bool, within=PATIENCE_S)
    assert (tool.name, start.name) == ("start_async_task", "start_async_task first")
    assert tool.resource["service.name"] == "supervisor-openinference"
    assert tool.trace_id != trace_id


def _trace_of_the_task_alone(stage: Stage) -> str:
    with httpx.Client(base_url=stage.sidecar.admin, trust_env=False) as admin:
        told = admin.get(f"/v1/tasks/{stage.told['alone']['task_id']}").raise_for_status().json()
    return str(told["task"]["trace_id"])


async def _whole(stage: Stage, turn: str, runs: Sequence[str]) -> list[SinkSpan]:
    """The trace of a turn once all its runs are told of, which is found to be in order."""

    async def told_so_far() -> list[SinkSpan]:
        trace_id = stage.told[turn]["trace_id"]
        return [span for span in list(stage.sink.spans) if span.trace_id == trace_id]

    spans = await eventually_got(
        told_so_far, lambda spans: _is_whole(runs, spans), within=PATIENCE_S
    )
    assert broken_trees(spans) == []
    assert [span.name for span in spans if not span.parent] == ["turn"]
    _durations_are_right(runs, spans)
    _the_sidecar_has_seen_it(stage, turn)
    return spans


def _is_whole(runs: Sequence[str], spans: Sequence[SinkSpan]) -> bool:
    """Whether all the runs are told of, by the sidecar and by their servers."""
    names = {span.name for span in spans if _is_ours(span)}
    if not {f"invoke_agent {run}" for run in runs} <= names:
        return False
    return all(_graph(run, spans) for run in runs) and not broken_trees(list(spans))


def _services(runs: Sequence[str], spans: Sequence[SinkSpan]) -> list[str]:
    """Which server told of each run."""
    told = [_graph(run, spans) for run in runs]
    return [str(graph.resource["service.name"]) for graph in told if graph]


def _run(name: str, spans: Sequence[SinkSpan]) -> SinkSpan:
    """Our own span of a run."""
    (run,) = [span for span in spans if span.name == f"invoke_agent {name}" and _is_ours(span)]
    return run


def _is_ours(span: SinkSpan) -> bool:
    return str(span.resource["service.name"]) == "subagent-sidecar"


def _graph(name: str, spans: Sequence[SinkSpan]) -> SinkSpan | None:
    """What the server calls the same run: the root of what it told of it."""
    run = _run(name, spans)
    found = [span for span in spans if span.parent == run.span_id and not _is_ours(span)]
    return found[0] if len(found) == 1 else None


def _durations_are_right(runs: Sequence[str], spans: Sequence[SinkSpan]) -> None:
    """The last task took its second, and every run is as long as what its server did in it."""
    for name in runs:
        run, graph = _run(name, spans), _graph(name, spans)
        assert graph is not None
        assert run.start_ns <= graph.start_ns <= graph.end_ns
        assert graph.end_ns <= run.end_ns + 500_000_000
    worked = _graph(runs[-1], spans)
    assert worked is not None
    assert worked.end_ns - worked.start_ns >= 1_000_000_000


def _the_sidecar_has_seen_it(stage: Stage, turn: str) -> None:
    task_id = stage.told[turn]["task_id"]
    with httpx.Client(base_url=stage.sidecar.admin, trust_env=False) as admin:
        told = admin.get(f"/v1/tasks/{task_id}/spans").raise_for_status().json()
    assert {span["service"] for span in told["spans"]} == {f"server-{turn.partition('-')[2]}"}
    assert "start_async_task" in " ".join(span["name"] for span in told["spans"])
