"""Time from exec to the first answer, and idle memory.

python -m tests.bench.startup [--rounds 5]
"""

import argparse
import time
from statistics import median

from tests.support.ports import free_port

from . import rig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    given = parser.parse_args()
    print(f"machine: {rig.machine()}")
    times, memory = [], []
    with rig.scratch() as folder:
        for _ in range(given.rounds):
            began = time.monotonic()
            with rig.sidecar(folder, free_port()) as server:
                times.append(time.monotonic() - began)
                memory.append(server.rss_mb())
    print(f"start-up to ready: {median(times):.2f} s (must 1.5, ambition 0.6)")
    print(f"memory idle: {median(memory):.0f} MB (must 80, ambition 60)")


if __name__ == "__main__":
    main()
