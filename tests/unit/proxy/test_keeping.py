"""Answers are kept behind the answers, and a store in trouble costs only the exact answer."""

import asyncio
import logging
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.agent_server import server_run
from tests.support.books import at, start
from tests.support.waiting import eventually

from subagent_sidecar.core.admission import NO_RULES
from subagent_sidecar.core.idempotency import (
    LARGEST_KEPT,
    Answer,
    Claim,
    Earlier,
    Standing,
    Taken,
)
from subagent_sidecar.core.model import Intent
from subagent_sidecar.errors import StoreBusy, StoreError, StoreUnavailable
from subagent_sidecar.proxy.keeping import Keeper
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeClock

CLAIM = Claim(key="k", fingerprint="f")
ANSWER = Answer(status=200, fields=(), body=b"{}")


class Troubled(MemoryStore):
    """`busy` refuses at once, `down` later."""

    busy: StoreError | None = None
    down: StoreError | None = None
    pruned = 0

    def settle_reply(self, taken: Taken) -> "asyncio.Future[None]":
        if self.busy is not None:
            raise self.busy
        if self.down is not None:
            failed: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            failed.set_exception(self.down)
            return failed
        return super().settle_reply(taken)

    async def prune_replies(self, upto: str, *, limit: int) -> int:
        self.pruned += 1
        if self.down is not None:
            raise self.down
        return await super().prune_replies(upto, limit=limit)


@dataclass
class Rig:
    store: Troubled = field(default_factory=Troubled)
    clock: FakeClock = field(default_factory=FakeClock)

    def keeper(self, **settings: Any) -> Keeper:
        given = {"keep_bodies": True, **settings}
        return Keeper(replies=self.store, clock=self.clock, **given)

    async def claimed(self, second: int = 0, claim: Claim = CLAIM) -> Intent:
        made = await self.store.admit_once(start(second), NO_RULES, claim)
        assert isinstance(made, Intent)
        return made

    async def earlier(self, second: int = 1) -> Earlier:
        found = await self.store.admit_once(start(second), NO_RULES, CLAIM)
        assert isinstance(found, Earlier)
        return found


@pytest.mark.parametrize(
    ("size", "keep_bodies", "standing"),
    [
        (LARGEST_KEPT, True, Standing.ANSWERED),
        (LARGEST_KEPT + 1, True, Standing.TAKEN),
        (1, False, Standing.TAKEN),
    ],
)
async def test_an_answer_is_kept_if_it_is_short_enough_and_may_be(
    size: int, keep_bodies: bool, standing: Standing
) -> None:
    rig = Rig()
    intent = await rig.claimed()
    answer = Answer(status=200, fields=(), body=b"x" * size)
    keeper = rig.keeper(keep_bodies=keep_bodies)
    keeper.settle(CLAIM, intent.intent_id, [server_run("r1")], answer)
    found = await rig.earlier()
    assert (found.standing, found.reply.run_id) == (standing, "r1")


async def test_of_several_runs_none_is_the_run() -> None:
    rig = Rig()
    intent = await rig.claimed()
    runs = [server_run("r1"), server_run("r2")]
    rig.keeper().settle(CLAIM, intent.intent_id, runs, None)
    found = await rig.earlier()
    assert (found.standing, found.reply.run_id) == (Standing.TAKEN, None)


@pytest.mark.parametrize("trouble", ["busy", "down"])
async def test_a_store_in_trouble_is_told_of_and_raises_nothing(
    trouble: str, caplog: pytest.LogCaptureFixture
) -> None:
    rig = Rig()
    intent = await rig.claimed()
    setattr(rig.store, trouble, StoreBusy("full") if trouble == "busy" else StoreUnavailable("no"))
    rig.keeper().settle(CLAIM, intent.intent_id, [server_run("r1")], ANSWER)
    await asyncio.sleep(0)
    assert [record.action for record in caplog.records] == ["reply_not_kept"]  # type: ignore[attr-defined]
    assert (await rig.earlier()).standing is Standing.UNDER_WAY


async def test_what_has_expired_goes_however_much_it_is() -> None:
    rig = Rig()
    for number in range(120):
        await rig.claimed(0, Claim(key=f"k{number}", fingerprint="f"))
    await rig.claimed(2)
    rig.clock.tick(24 * 3600 + 1)
    assert rig.clock.now().isoformat()[:19] == at(24 * 3600 + 1)[:19]
    assert await rig.keeper().prune() == 120
    assert (await rig.earlier(3)).standing is Standing.UNDER_WAY


async def test_pruning_goes_on_through_trouble(caplog: pytest.LogCaptureFixture) -> None:
    rig = Rig()
    rig.store.down = StoreUnavailable("locked")
    pruning = spawn(rig.keeper(every_s=0.0).run(), name="pruning", awaited=True)
    await eventually(lambda: rig.store.pruned >= 3)
    pruning.cancel()
    assert {record.levelno for record in caplog.records} == {logging.WARNING}
