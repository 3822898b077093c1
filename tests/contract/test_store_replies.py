"""What every store promises of starts that are to be made once (ports.Replies). (row 14)"""

import asyncio
from dataclasses import replace
from typing import Any

import pytest
from tests.support.books import accepted, at, start
from tests.support.stores import END_OF_TIME

from subagent_sidecar.core.admission import NO_RULES
from subagent_sidecar.core.changes import Doubted, Released, RunSeen
from subagent_sidecar.core.idempotency import Answer, Claim, Earlier, Standing, Taken
from subagent_sidecar.core.model import Intent, RunStatus
from subagent_sidecar.core.policy import Limit, LimitKind, Policy
from subagent_sidecar.core.refusal import Refused
from subagent_sidecar.ports import Store

CLAIM = Claim(key="k", fingerprint="f")
ANSWER = Answer(
    status=200,
    fields=((b"content-type", b"application/json"), (b"Location", b"/caf\xe9")),
    body=b'{"run_id": "r1", "odd": "\xff\x00"}',
)
DAY = 24 * 3600


async def claimed(
    store: Store, number: int, claim: Claim = CLAIM, thread_id: str | None = "t", **facts: Any
) -> Intent:
    made = await store.admit_once(start(number, thread_id, **facts), NO_RULES, claim)
    assert isinstance(made, Intent)
    return made


async def earlier(store: Store, number: int, claim: Claim = CLAIM, **facts: Any) -> Earlier:
    found = await store.admit_once(start(number, **facts), NO_RULES, claim)
    assert isinstance(found, Earlier)
    return found


async def open_intents(store: Store) -> list[str]:
    return [intent.intent_id for intent in await store.open_intents(before=END_OF_TIME)]


async def test_the_first_is_admitted_and_the_next_finds_it(store: Store) -> None:
    intent = await claimed(store, 1)
    found = await earlier(store, 2)
    assert (found.standing, found.reply.intent_id) == (Standing.UNDER_WAY, intent.intent_id)
    assert (found.reply.thread_id, found.reply.created_at) == ("t", at(1))
    assert await open_intents(store) == ["i1"]


async def test_of_many_at_once_one_is_admitted(store: Store) -> None:
    made = await asyncio.gather(
        *(store.admit_once(start(number), NO_RULES, CLAIM) for number in range(50))
    )
    assert [isinstance(each, Intent) for each in made] == [True] + [False] * 49
    assert await open_intents(store) == ["i0"]


async def test_keys_do_not_know_of_each_other(store: Store) -> None:
    await claimed(store, 1)
    await claimed(store, 2, replace(CLAIM, key="other"))
    assert await open_intents(store) == ["i1", "i2"]


async def test_another_body_is_told_apart(store: Store) -> None:
    await claimed(store, 1)
    assert (await earlier(store, 2, replace(CLAIM, fingerprint="g"))).standing is Standing.OTHER


async def test_an_answer_comes_back_as_it_was(store: Store) -> None:
    intent = await claimed(store, 1)
    taken = Taken(key="k", intent_id=intent.intent_id, thread_id="t", run_id="r1", answer=ANSWER)
    await store.settle_reply(taken)
    found = await earlier(store, 2)
    assert (found.standing, found.reply.answer, found.reply.run_id) == (
        Standing.ANSWERED,
        ANSWER,
        "r1",
    )


async def test_a_start_taken_without_an_answer_to_keep_is_known_by_its_run(store: Store) -> None:
    intent = await claimed(store, 1, thread_id=None)
    await store.settle_reply(
        Taken(key="k", intent_id=intent.intent_id, thread_id="t1", run_id="r1")
    )
    found = await earlier(store, 2, thread_id=None)
    assert (found.standing, found.reply.thread_id, found.reply.run_id) == (
        Standing.TAKEN,
        "t1",
        "r1",
    )


async def test_a_start_in_doubt_is_told_so(store: Store) -> None:
    intent = await claimed(store, 1)
    await store.apply([Doubted(intent=intent, at=at(2), reason="broke off")])
    assert (await earlier(store, 3)).standing is Standing.IN_DOUBT


async def test_a_run_found_for_a_start_is_its_answer(store: Store) -> None:
    intent = await claimed(store, 1)
    await store.apply([accepted(intent, "r1", 2)])
    found = await earlier(store, 3)
    assert (found.standing, found.reply.run_id) == (Standing.TAKEN, "r1")


async def test_of_runs_with_one_request_id_the_first_since_is_meant(store: Store) -> None:
    before = await store.admit(start(1, request_id="turn"))
    await store.apply([accepted(before, "r1", 2)])
    intent = await claimed(store, 3, request_id="turn")
    await store.apply([accepted(intent, "r2", 4)])
    after = await store.admit(start(5, request_id="turn"))
    await store.apply([accepted(after, "r3", 6)])
    assert (await earlier(store, 7)).reply.run_id == "r2"


async def test_a_start_that_came_to_nothing_unseen_is_lost_until_somebody_has_looked(
    store: Store,
) -> None:
    intent = await claimed(store, 1)
    await store.apply([Released(intent=intent, at=at(2), reason="no run for it")])
    assert (await earlier(store, 3)).standing is Standing.LOST
    looked = replace(CLAIM, instead_of=intent.intent_id)
    assert (await claimed(store, 4, looked)).intent_id == "i4"
    assert (await earlier(store, 5, looked)).standing is Standing.UNDER_WAY


async def test_a_forgotten_start_makes_place(store: Store) -> None:
    intent = await claimed(store, 1)
    await store.forget_reply("k", intent.intent_id)
    await claimed(store, 2)


async def test_who_comes_late_does_not_touch_another_start(store: Store) -> None:
    first = await claimed(store, 1)
    await store.forget_reply("k", first.intent_id)
    await claimed(store, 2)
    await store.forget_reply("k", first.intent_id)
    await store.settle_reply(Taken(key="k", intent_id=first.intent_id, run_id="r1"))
    await store.settle_reply(Taken(key="none", intent_id=first.intent_id, run_id="r1"))
    assert (await earlier(store, 3)).standing is Standing.UNDER_WAY


async def test_a_refused_start_keeps_nothing(store: Store) -> None:
    none = Policy(limits=(Limit(policy="p", name="none", kind=LimitKind.DENY),))
    with pytest.raises(Refused):
        await store.admit_once(start(1), none, CLAIM)
    await claimed(store, 2)


async def test_a_passing_claim_ends_with_its_run(store: Store) -> None:
    passing = replace(CLAIM, passing=True)
    intent = await claimed(store, 1, passing)
    await store.apply([accepted(intent, "r1", 2)])
    await store.settle_reply(
        Taken(key="k", intent_id=intent.intent_id, thread_id="t", run_id="r1", answer=ANSWER)
    )
    assert (await earlier(store, 3, passing)).standing is Standing.ANSWERED
    ended = RunSeen(thread_id="t", run_id="r1", status=RunStatus.SUCCESS, at=at(4))
    await store.apply([ended])
    await claimed(store, 5, passing)


@pytest.mark.parametrize(("second", "kept"), [(DAY - 1, True), (DAY, False)])
async def test_a_claim_holds_for_a_day(store: Store, second: int, kept: bool) -> None:
    await claimed(store, 0)
    made = await store.admit_once(start(second), NO_RULES, CLAIM)
    assert isinstance(made, Earlier) is kept


async def test_pruning_takes_the_oldest_first(store: Store) -> None:
    for second in (3, 1, 2, 4):
        await claimed(store, second, replace(CLAIM, key=f"k{second}"))
    assert await store.prune_replies(at(3), limit=2) == 2
    assert (await earlier(store, 5, replace(CLAIM, key="k3"))).standing is Standing.UNDER_WAY
    assert await store.prune_replies(at(3), limit=2) == 1
    assert await store.prune_replies(at(3), limit=2) == 0
    assert (await earlier(store, 5, replace(CLAIM, key="k4"))).standing is Standing.UNDER_WAY
    for second in (1, 2, 3):
        await claimed(store, 5 + second, replace(CLAIM, key=f"k{second}"))
