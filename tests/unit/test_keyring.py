"""The keys that a process knows, through changes elsewhere and store trouble."""

import asyncio
import logging
from itertools import count

import pytest

from subagent_sidecar.core.keys import Standing
from subagent_sidecar.core.model import timestamp
from subagent_sidecar.core.principal import Principal
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.keyring import Keyring
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.testing import FakeClock


class Store(MemoryStore):
    """Counts what it is asked, and is down at times."""

    def __init__(self) -> None:
        super().__init__()
        self.read = 0
        self.down = False

    async def keys_state(self) -> tuple[int, int]:
        if self.down:
            raise StoreUnavailable("the disk is gone")
        return await super().keys_state()

    async def supervisor_keys(self):  # type: ignore[no-untyped-def]
        self.read += 1
        return await super().supervisor_keys()


class Rounds:
    """`asyncio.sleep` for a loop that a test turns by hand."""

    def __init__(self) -> None:
        self._round = asyncio.Semaphore(0)

    async def sleep(self, seconds: float) -> None:
        assert seconds == 2.0
        await self._round.acquire()

    async def turn(self) -> None:
        self._round.release()
        for _ in range(20):
            await asyncio.sleep(0)


_salts = count()


def ring(store: MemoryStore, clock: FakeClock, rounds: Rounds | None = None) -> Keyring:
    return Keyring(
        store,
        now=lambda: timestamp(clock.now()),
        random=lambda size: next(_salts).to_bytes(size, "big"),
        sleep=(rounds or Rounds()).sleep,
    )


async def test_a_key_says_who_its_holder_is() -> None:
    keys = ring(MemoryStore(), FakeClock())
    text, key = await keys.make("team-a", agents=("coder",), every_task=True)
    found, held = keys.look_up(text)
    assert found is Standing.GOOD and held is not None
    assert held.principal == Principal("team-a", agents=("coder",), every_task=True)
    assert keys.all() == [key] and text not in repr(key)


async def test_two_keys_have_nothing_in_common_but_their_supervisor() -> None:
    keys = ring(MemoryStore(), FakeClock())
    (one, first), (two, second) = await keys.make("a"), await keys.make("a")
    assert first.key_id != second.key_id and first.salt != second.salt
    assert one.split("_")[2] != two.split("_")[2]


async def test_the_secret_of_one_key_does_not_open_under_the_id_of_another() -> None:
    keys = ring(MemoryStore(), FakeClock())
    one, two = (await keys.make("a"))[0].split("_"), (await keys.make("b"))[0].split("_")
    assert keys.look_up("_".join([*one[:2], two[2]])) == (Standing.UNKNOWN, None)


async def test_who_revokes_need_not_wait() -> None:
    keys = ring(MemoryStore(), FakeClock())
    text, key = await keys.make("team-a")
    assert keys.any_live and keys.opens(key.key_id)
    assert await keys.revoke(key.key_id)
    assert not keys.any_live and not keys.opens(key.key_id)
    assert keys.look_up(text) == (Standing.REVOKED, None)
    assert not await keys.revoke(key.key_id) and not await keys.revoke("nobody")


async def test_a_key_expires_by_the_clock_while_nobody_reads_anything() -> None:
    clock, store = FakeClock(), Store()
    keys = ring(store, clock)
    clock.tick(5)
    at = timestamp(clock.now())
    clock.jump(-5)
    text, key = await keys.make("team-a", expires_at=at)
    clock.tick(4.9)
    assert keys.look_up(text)[0] is Standing.GOOD and keys.opens(key.key_id)
    clock.tick(0.1)
    assert keys.look_up(text)[0] is Standing.EXPIRED and not keys.opens(key.key_id)
    assert store.read == 0


async def test_what_others_do_is_seen_in_the_next_round_and_read_only_then() -> None:
    clock, store, rounds = FakeClock(), Store(), Rounds()
    mine, theirs = ring(store, clock, rounds), ring(store, clock)
    await mine.load()
    following = asyncio.create_task(mine.follow())  # noqa: TID251 - cancelled below
    text, key = await theirs.make("team-a")
    assert mine.look_up(text)[0] is Standing.UNKNOWN
    await rounds.turn()
    assert mine.look_up(text)[0] is Standing.GOOD
    read = store.read
    await rounds.turn()
    assert store.read == read
    await theirs.load()
    await theirs.revoke(key.key_id)
    await rounds.turn()
    assert mine.look_up(text)[0] is Standing.REVOKED
    following.cancel()


async def test_while_the_store_is_down_what_is_known_holds_and_that_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    store, rounds = Store(), Rounds()
    keys = ring(store, FakeClock(), rounds)
    text, _ = await keys.make("team-a")
    following = asyncio.create_task(keys.follow())  # noqa: TID251 - cancelled below
    store.down = True
    await rounds.turn()
    await rounds.turn()
    assert keys.look_up(text)[0] is Standing.GOOD
    store.down = False
    await rounds.turn()
    await rounds.turn()
    told = [getattr(record, "action", None) for record in caplog.records]
    assert told == ["keys_unreadable", "keys_readable"]
    following.cancel()


class Slow(MemoryStore):
    """Tells what it read a while ago."""

    def __init__(self) -> None:
        super().__init__()
        self.go_on = asyncio.Event()

    async def supervisor_keys(self):  # type: ignore[no-untyped-def]
        found = await super().supervisor_keys()
        await self.go_on.wait()
        return found


async def test_what_was_read_before_a_revocation_does_not_undo_it() -> None:
    store = Slow()
    keys = ring(store, FakeClock())
    text, key = await keys.make("team-a")
    loading = asyncio.create_task(keys.load())  # noqa: TID251 - awaited below
    await asyncio.sleep(0)
    revoking = asyncio.create_task(keys.revoke(key.key_id))  # noqa: TID251 - awaited below
    await asyncio.sleep(0)
    store.go_on.set()
    await asyncio.gather(loading, revoking)
    assert keys.look_up(text)[0] is Standing.REVOKED
