"""`make schema`: what `make test` does in short, with as many examples as one likes.

Ends with 1 and what was found. Without --seed every run throws other requests.
"""

import argparse
import asyncio
import random
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.integration.budgets.rig import desk
from tests.schema.attack import Found
from tests.schema.own import POLICY, attacks


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.schema", description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="for each operation")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    found = asyncio.run(_own(given.examples, given.seed))
    for name, each in found.items():
        print(f"{name}: {each.requests:,} requests, {dict(sorted(each.statuses.items()))}")
        for what, said in each.failures.items():
            print(f"{what}\n{said}\n")
    return 1 if any(each.failures for each in found.values()) else 0


async def _own(examples: int, seed: int) -> dict[str, Found]:
    with TemporaryDirectory() as folder:
        async with desk(Path(folder), POLICY) as at:
            return await attacks(at, examples, seed)


if __name__ == "__main__":
    sys.exit(main())
