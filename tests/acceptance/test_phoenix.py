"""A trace as a backend shows it that none of us wrote: one tree, for Arize Phoenix too.

A supervisor and one `langgraph dev`, both with OpenInference, and three tasks deep. Run on request
only: `SIDECAR_TEST_REQUIRE=phoenix make test-acceptance ARGS="-k phoenix"`.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.acceptance.rig.phoenix import Phoenix, Top, command, phoenix
from tests.acceptance.rig.servers import sidecar
from tests.acceptance.traced.stage import PATIENCE_S, Told, instrumented, supervised
from tests.support.ports import free_port
from tests.support.waiting import eventually_got

RUNS = ("first-here", "second-here", "third")
EMITTER = "openinference"

pytestmark = pytest.mark.timeout(1200)


@dataclass(frozen=True)
class Stage:
    phoenix: Phoenix
    told: Told


@pytest_asyncio.fixture
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    starting = command()
    folder = tmp_path_factory.mktemp("phoenix")
    port, server = free_port(), free_port()
    base = f"http://127.0.0.1:{port}"
    with ExitStack() as stack:
        backend = stack.enter_context(phoenix(starting, folder))
        config = folder / "config.yaml"
        config.write_text(f"otlp_endpoint: {backend.url}\n", "utf-8")
        upstreams = {EMITTER: f"http://127.0.0.1:{server}"}
        stack.enter_context(
            sidecar(folder, name="traced", upstreams=upstreams, port=port, config=config)
        )
        stack.enter_context(
            instrumented(
                folder / EMITTER, EMITTER, base, port=server, following=EMITTER, back=EMITTER
            )
        )
        told = supervised(base, {"turn": (RUNS[0], EMITTER)})
        async with httpx.AsyncClient(base_url=backend.url, trust_env=False, timeout=60) as http:
            yield Stage(Phoenix(http), told)


async def test_what_phoenix_shows_of_a_tree_is_one_trace_with_one_root(stage: Stage) -> None:
    trace_id = stage.told["turn"]["trace_id"]
    spans = await eventually_got(
        lambda: stage.phoenix.spans(trace_id), _is_whole, within=PATIENCE_S
    )
    tops = await eventually_got(stage.phoenix.tops, _have_settled, within=PATIENCE_S)
    tokens = _of_models(spans)
    assert tokens > 0
    assert tops.pop(trace_id) == [Top("turn", lost=False, tokens=tokens)]
    # The turn without a context: the supervisor's own trace, and that of the task.
    named = sorted(top.name for each in tops.values() for top in each)
    assert named == ["LangGraph", "start_async_task first-here"]


def _is_whole(spans: Sequence[Any]) -> bool:
    names = [span["name"] for span in spans]
    if not all(f"invoke_agent {name}" in names for name in RUNS):
        return False
    return all(len(_told_of(_run(name, spans), spans)) == 1 for name in RUNS)


def _have_settled(tops: Mapping[str, Sequence[Top]]) -> bool:
    return len(tops) == 3 and not any(top.lost for each in tops.values() for top in each)


def _of_models(spans: Sequence[Any]) -> float:
    """What our own spans say of their runs' usage does not come on top of it."""
    models = [span["attributes"] for span in spans if span["span_kind"] == "LLM"]
    return float(sum(each.get("llm.token_count.total", 0) for each in models))


def _run(name: str, spans: Sequence[Any]) -> Any:
    """Our own span of a run."""
    (run,) = [span for span in spans if span["name"] == f"invoke_agent {name}"]
    return run


def _told_of(run: Any, spans: Sequence[Any]) -> list[Any]:
    """What its server told of a run: that which was brought under it from another trace."""
    return [
        span
        for span in spans
        if span["parent_id"] == run["context"]["span_id"]
        and span["attributes"].get("subagent.original_trace_id")
    ]
