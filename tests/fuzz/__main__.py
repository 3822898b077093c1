"""`make fuzz`: for 20 minutes, or ten million inputs, whichever comes first.

Ends with 1 and the input at the first crash, hang, or broken promise, and when memory goes on
growing after the first tenth of the time.
"""

import argparse
import random
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.fuzz.attack import Broken, attack, memory_mib, watched, without_end
from tests.fuzz.inputs import CORPUS
from tests.fuzz.targets import Target, targets

_ROUND = 2_000
_GROWTH_MIB = 64.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}: the same one throws the same inputs", flush=True)
    with watched(), TemporaryDirectory() as folder:
        attacked = targets(Path(folder))
        return _run(attacked, given.minutes * 60, given.inputs, random.Random(given.seed))


def _run(attacked: Mapping[str, Target], seconds: float, most: int, chance: random.Random) -> int:
    begun = told = time.monotonic()
    streams = {name: without_end(chance, CORPUS[name]()) for name in attacked}
    thrown, warm = 0, None
    while (passed := time.monotonic() - begun) < seconds and thrown < most:
        for name, target in attacked.items():
            number = _ROUND if name != "policies" else _ROUND // 20  # YAML takes its time
            try:
                attack(name, target, streams[name], number)
            except Broken as broken:
                print(broken)
                return 1
            thrown += number
        if warm is None and passed > seconds / 10:
            warm = memory_mib()
        if time.monotonic() - told > 30:
            told = time.monotonic()
            print(f"{thrown:,} inputs, {passed:.0f} s, {memory_mib():.0f} MiB", flush=True)
    grown = memory_mib() - (memory_mib() if warm is None else warm)
    print(f"{thrown:,} inputs withstood; memory grew by {grown:.0f} MiB")
    return 1 if grown > _GROWTH_MIB else 0


if __name__ == "__main__":
    sys.exit(main())
