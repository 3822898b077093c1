"""CPU per request and added latency of check and start, against direct, nginx and bare aiohttp.

    python -m tests.bench.requests [--seconds 1] [--rounds 15] [--connections 32]

CPU is user + system time of the proxy process per request, the upstream is nginx answering a
fixed 830-byte run, POST bodies are about 1 KB. The contestants take turns within each round and
ratios are medians over rounds of figures of the same round, because machines are noisy: many
short rounds, since what disturbs one lasts for seconds. The sidecar has the rules of the default
policy in force; `no rules` is one without.
"""

import argparse
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from . import rig
from .load import Load, script, wrk

BARS = {
    ("check", "bare aiohttp"): (1.0, 0.55),
    ("start", "bare aiohttp"): (1.3, 0.75),
    ("check", "nginx"): (12.0, 6.5),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--connections", type=int, default=32)
    given = parser.parse_args()
    if (problem := rig.missing_tools()) is not None:
        raise SystemExit(problem)
    print(f"machine: {rig.machine()}")
    with rig.scratch() as folder:
        for kind in ("check", "start"):
            _compare(kind, folder, given.seconds, given.rounds, given.connections)


def _compare(kind: str, folder: Path, seconds: int, rounds: int, connections: int) -> None:
    with ExitStack() as stack:
        upstream = stack.enter_context(rig.nginx_upstream(folder))
        servers = [
            upstream,
            stack.enter_context(rig.nginx_proxy(folder, upstream.port)),
            stack.enter_context(rig.bare_proxy(upstream.port)),
            stack.enter_context(rig.sidecar(folder, upstream.port)),
            stack.enter_context(rig.sidecar(folder, upstream.port, policy="none", name="no rules")),
        ]
        lua = script(folder, kind)
        busy: dict[str, list[Load]] = {server.name: [] for server in servers}
        alone: dict[str, list[Load]] = {server.name: [] for server in servers}
        for server in servers:
            wrk(server, lua, connections=connections, seconds=1)
        for _ in range(rounds):
            for server in servers:
                busy[server.name].append(wrk(server, lua, connections=connections, seconds=seconds))
            for server in servers:
                alone[server.name].append(wrk(server, lua, connections=1, seconds=seconds))
    print(f"\n{kind}: CPU us per request ({connections} connections) and p50 ms (1 connection)")
    for server in servers:
        cpu = median(load.cpu_us for load in busy[server.name])
        p50 = median(load.p50_ms for load in alone[server.name])
        rate = median(load.requests for load in busy[server.name]) / seconds
        print(f"  {server.name:14} {cpu:8.0f} us   p50 {p50:7.3f} ms   {rate:8.0f} requests/s")
    for (bar_kind, other), (must, ambition) in BARS.items():
        if bar_kind == kind:
            pairs = zip(busy["sidecar"], busy[other], strict=True)
            ratio = median(ours.cpu_us / theirs.cpu_us for ours, theirs in pairs)
            print(f"  sidecar / {other}: {ratio:.2f}x CPU (must {must}x, ambition {ambition}x)")
    added = median(
        ours.p50_ms - direct.p50_ms
        for ours, direct in zip(alone["sidecar"], alone["upstream"], strict=True)
    )
    print(f"  added latency, one client, p50: {added:.3f} ms")


if __name__ == "__main__":
    main()
