"""What exporting traces costs requests, with its backend up, down, and silent.

    python -m tests.bench.tracing [--seconds 2] [--rounds 9] [--connections 4]

Four sidecars take turns within each round: one that exports nothing, and three whose OTLP endpoint
takes everything (nginx), refuses connections, or accepts them and never answers. Latency is that of
starts, and then, with fresh sidecars, of checks, as wrk sees it; what is compared are medians over
rounds of ratios within a round, because machines are noisy. Memory is the resident size after the
last round, held against the one that exports nothing: it grows with the tasks on record, so the
number of starts is said beside it. Every start makes a span. A check makes none: that is counted.
"""

import argparse
import re
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from tests.support.ports import free_port

from . import rig
from .load import Load, script, wrk

_EXPORTED = re.compile(r'subagent_trace_spans_total\{result="exported"\} (\d+)')
_QUIET_S = 3.0
"""In which a span that there is would have been told."""

Loads = dict[str, list[Load]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--connections", type=int, default=4)
    given = parser.parse_args()
    if (problem := rig.missing_tools()) is not None:
        raise SystemExit(problem)
    print(f"machine: {rig.machine()}")
    for kind in ("start", "check"):
        with rig.scratch() as folder, ExitStack() as stack:
            servers = _contestants(stack, folder)
            for server in servers:
                wrk(server, script(folder, kind), connections=1, seconds=1)
            loads = _rounds(servers, script(folder, kind), given)
            _say(kind, servers, loads)
            if kind == "check":
                checks = sum(load.requests for load in loads[servers[1].name])
                time.sleep(_QUIET_S)
                print(f"  {checks} checks made {_exported(servers[1])} spans (must 0)")


def _contestants(stack: ExitStack, folder: Path) -> list[rig.Server]:
    upstream = stack.enter_context(rig.nginx_upstream(_made(folder / "agents")))
    collector = stack.enter_context(rig.nginx_upstream(_made(folder / "collector")))
    endpoints = {
        "no export": None,
        "backend up": collector.url,
        "backend down": f"http://127.0.0.1:{free_port()}",
        "backend silent": stack.enter_context(_silent()),
    }
    return [
        stack.enter_context(rig.sidecar(folder, upstream.port, name=name, otlp=url))
        for name, url in endpoints.items()
    ]


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


@contextmanager
def _silent() -> Iterator[str]:
    """Connections are accepted (by the kernel), and nothing ever comes back."""
    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def _rounds(servers: list[rig.Server], lua: Path, given: argparse.Namespace) -> Loads:
    loads: Loads = {server.name: [] for server in servers}
    for number in range(given.rounds):
        turn = number % len(servers)
        for server in servers[turn:] + servers[:turn]:
            load = wrk(server, lua, connections=given.connections, seconds=given.seconds)
            loads[server.name].append(load)
    return loads


def _say(kind: str, servers: list[rig.Server], loads: Loads) -> None:
    """A line each; then what the bars are about."""
    print(f"\n{kind}: CPU us, p50 and p99 ms, ratios to no export, memory")
    plain = loads[servers[0].name]
    for server in servers:
        mine = loads[server.name]
        cpu, p50, p99 = (median(each) for each in zip(*map(_figures, mine), strict=True))
        ratios = " ".join(f"{ratio:5.2f}x" for ratio in _ratios(mine, plain))
        made = sum(load.requests for load in mine)
        print(
            f"  {server.name:15} {cpu:5.0f} us  {p50:6.2f} {p99:7.2f} ms  {ratios}  "
            f"{server.rss_mb():4.0f} MB after {made} requests"
        )
    up = loads[servers[1].name]
    print(
        f"  backend up / no export: {_ratios(up, plain)[0]:.2f}x CPU (must 1.25x, ambition 1.12x)"
    )
    for server in servers[2:]:
        ratio = _ratios(loads[server.name], up)[2]
        more = server.rss_mb() - servers[0].rss_mb()
        print(
            f"  {server.name} / backend up: {ratio:.2f}x p99 (must 1.10x, ambition 1.05x), "
            f"{more:+.0f} MB against no export (must +20 at most)"
        )


def _figures(load: Load) -> tuple[float, float, float]:
    return load.cpu_us, load.p50_ms, load.p99_ms


def _ratios(mine: list[Load], others: list[Load]) -> list[float]:
    """Of CPU, p50 and p99: the median over rounds."""
    pairs = [zip(_figures(a), _figures(b), strict=True) for a, b in zip(mine, others, strict=True)]
    return [median(column) for column in zip(*([a / b for a, b in p] for p in pairs), strict=True)]


def _exported(server: rig.Server) -> int:
    url = f"http://127.0.0.1:{server.admin_port}/metrics"
    found = _EXPORTED.search(urllib.request.urlopen(url, timeout=30).read().decode())
    return 0 if found is None else int(found[1])


if __name__ == "__main__":
    main()
