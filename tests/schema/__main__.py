"""`make schema`: what `make test` does in short, with as many examples as one likes.

Ends with 1 and what was found. Without --seed every run throws other requests.
"""

import argparse
import asyncio
import random
import sys
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.acceptance.rig.servers import langgraph_dev, sidecar
from tests.integration.budgets.rig import desk
from tests.schema.attack import Found
from tests.schema.beside import Beside
from tests.schema.own import POLICY, attacks
from tests.support.ports import free_port

_BESIDE = "a real agent server, too: examples for each of its operations, 10 take half an hour"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.schema", description=__doc__)
    parser.add_argument("--examples", type=int, default=200, help="for each operation")
    parser.add_argument("--beside", type=int, default=0, metavar="EXAMPLES", help=_BESIDE)
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    print(f"seed {given.seed}", flush=True)
    found = asyncio.run(_own(given.examples, given.seed))
    for name, each in found.items():
        print(f"{name}: {each.requests:,} requests, {dict(sorted(each.statuses.items()))}")
        for what, said in each.failures.items():
            print(f"{what}\n{said}\n")
    failed = any(each.failures for each in found.values())
    if given.beside and not _beside(given.beside, given.seed):
        failed = True
    return 1 if failed else 0


def _beside(examples: int, seed: int) -> bool:
    """Whether a real agent server and the same through a sidecar cannot be told apart."""
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        port = free_port()
        server = stack.enter_context(langgraph_dev(folder, port=port, sidecar_url="http://[::1]:9"))
        front = stack.enter_context(sidecar(folder, name="beside", upstreams={"one": server.url}))
        beside = Beside(server.url, front.url)
        found = beside.attack(examples=examples, seed=seed, thorough=True)
    compared = beside.compared
    print(f"compared: {compared.requests:,} requests, {dict(sorted(compared.statuses.items()))}")
    for what, said in {**compared.differences, **found.failures}.items():
        print(f"{what}\n{said}\n")
    return not (compared.differences or found.failures)


async def _own(examples: int, seed: int) -> dict[str, Found]:
    with TemporaryDirectory() as folder:
        async with desk(Path(folder), POLICY) as at:
            return await attacks(at, examples, seed)


if __name__ == "__main__":
    sys.exit(main())
