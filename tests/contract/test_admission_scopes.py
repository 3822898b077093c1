"""However many scopes are asked about, the counts of each stay exact."""

import asyncio
from dataclasses import replace
from datetime import datetime

from tests.support.books import at, start
from tests.support.refusals import policy

from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.model import Intent
from subagent_sidecar.core.policy import Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.ports import Store

ONE = policy("limits: [{name: one, concurrent: 1, per: session}]")
RULES, SESSIONS = 500, 99
"""Together nearly as many counts as a store keeps."""
MORE = 1_500
"""So many more that some of them do not fit in."""


async def test_counts_are_exact_where_older_ones_had_to_make_way(store: Store) -> None:
    (rule,) = ONE.limits
    many = Policy(limits=tuple(replace(rule, name=f"{n}") for n in range(RULES)))
    for number in range(SESSIONS):
        call = Call(agent="a", upstream="up", supervisor="ann", session=f"s{number}")
        await store.explain(call, many, datetime.fromisoformat(at(1)))
    for first in range(0, MORE, 100):
        starts = [
            store.admit(start(1, None, intent_id=f"{n}-{twice}", header_session=f"more{n}"), ONE)
            for n in range(first, first + 100)
            for twice in range(2)
        ]
        found = await asyncio.gather(*starts, return_exceptions=True)
        assert [type(answer) for answer in found] == [Intent, Refused] * 100
