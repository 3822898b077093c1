"""Whatever is asked of the sidecar's own routes is answered as `/openapi.json` says, and never with
a fault of ours. A short attack; `make schema` is the long one."""

import asyncio
from copy import deepcopy
from pathlib import Path

import pytest
from tests.integration.budgets.rig import desk
from tests.schema.attack import Attack, only
from tests.schema.own import POLICY, attacks, described

EXAMPLES = 3

pytestmark = pytest.mark.filterwarnings(
    # The sidecar, on this process' other thread, throws dice while a value is made.
    "ignore:Do not use the `random` module:hypothesis.errors.HypothesisDeprecationWarning"
)


async def test_every_answer_is_one_that_was_told_of(tmp_path: Path) -> None:
    async with desk(tmp_path, POLICY) as at:
        found = await attacks(at, EXAMPLES)
    assert {name: each.failures for name, each in found.items() if each.failures} == {}
    everywhere = set.intersection(*(set(each.statuses) for each in found.values()))
    assert {200, 400, 404} <= everywhere  # it has not only asked for nothing


async def test_an_answer_that_was_not_told_of_is_noticed(tmp_path: Path) -> None:
    async with desk(tmp_path, POLICY) as at:
        told = only(await described(at.admin), ["/healthz", "/v1/freeze"])
        wrong = deepcopy(told)
        del wrong["paths"]["/v1/freeze"]["post"]["responses"]["400"]
        answer = wrong["paths"]["/healthz"]["get"]["responses"]["200"]["content"]
        answer["application/json"]["schema"] = {"type": "array"}
        attack = Attack(url=at.admin.url, examples=1)
        assert (await asyncio.to_thread(attack.on, told)).failures == {}
        failures = (await asyncio.to_thread(attack.on, wrong)).failures
    assert any("POST /v1/freeze: status_code_conformance" in each for each in failures)
    assert any("GET /healthz: response_schema_conformance" in each for each in failures)
