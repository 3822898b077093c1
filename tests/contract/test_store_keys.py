"""What is kept of supervisors' keys: enough to know one again, never the key."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from tests.support.books import at
from tests.support.stores import open_sqlite

from subagent_sidecar.core.feed import EventQuery
from subagent_sidecar.core.keys import Key, digest, spelled
from subagent_sidecar.errors import StoreError, StoreRejected
from subagent_sidecar.ports import Store

SECRET = spelled(bytes(range(32)))
SALT = bytes(range(240, 256))


def key(number: int, name: str = "team-a", **more: object) -> Key:
    made = Key(
        key_id=f"aaaaaaaaa{'abcdefghij'[number]}",
        name=name,
        salt=SALT,
        digest=digest(SECRET, SALT),
        created_at=at(number),
    )
    return replace(made, **more)  # type: ignore[arg-type]


async def told(store: Store) -> list[tuple[str, dict[str, object]]]:
    found = await store.newest_events(EventQuery(limit=9))
    return [(each.event.kind, dict(each.event.detail)) for each in found]


async def test_what_is_kept_comes_back_as_it_was_oldest_first(store: Store) -> None:
    late = key(2, agents=("res*", "it's; DROP TABLE supervisor_keys --"), every_task=True)
    early = key(1, "team-b", expires_at=at(50), created_by="ops")
    for each in (late, early):
        await store.add_key(each)
    assert await store.supervisor_keys() == [early, late]


async def test_an_id_is_given_once(store: Store) -> None:
    await store.add_key(key(1))
    with pytest.raises(StoreRejected):
        await store.add_key(key(1, "team-b"))
    assert await store.supervisor_keys() == [key(1)]
    assert len(await told(store)) == 1


async def test_revoked_is_revoked_once_and_for_good(store: Store) -> None:
    await store.add_key(key(1))
    assert await store.revoke_key(key(1).key_id, at=at(5), by="ops")
    assert not await store.revoke_key(key(1).key_id, at=at(6))
    assert not await store.revoke_key("' OR 1=1 --", at=at(6))
    assert await store.supervisor_keys() == [key(1, revoked_at=at(5))]


async def test_events_tell_who_may_what_and_nothing_of_the_key(store: Store) -> None:
    await store.add_key(key(1, agents=("coder",), expires_at=at(50), created_by="ops"))
    await store.revoke_key(key(1).key_id, at=at(5))
    mine = {"key_id": key(1).key_id, "supervisor": "team-a"}
    may = {"agents": ["coder"], "every_task": False, "expires_at": at(50), "by": "ops"}
    assert await told(store) == [("key_created", mine | may), ("key_revoked", mine)]


async def test_the_state_moves_with_every_change_and_with_nothing_else(store: Store) -> None:
    assert await store.keys_state() == (0, 0)
    await store.add_key(key(1))
    await store.add_key(key(2))
    assert await store.keys_state() == (2, 0)
    await store.revoke_key(key(1).key_id, at=at(5))
    await store.revoke_key(key(1).key_id, at=at(6))
    assert await store.keys_state() == (2, 1)


async def test_a_store_that_is_closed_takes_no_keys(store: Store) -> None:
    await store.aclose()
    with pytest.raises(StoreError):
        await store.add_key(key(1))


async def test_they_outlive_the_process_and_another_process_sees_them(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path) as one, open_sqlite(tmp_path) as other:
        await one.add_key(key(1))
        assert await other.keys_state() == (1, 0)
        await other.revoke_key(key(1).key_id, at=at(5))
        assert await one.keys_state() == (1, 1)
    async with open_sqlite(tmp_path) as store:
        assert await store.supervisor_keys() == [key(1, revoked_at=at(5))]


def _bytes_in(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("books.db*"))


async def test_the_secret_is_not_in_the_file(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path) as store:
        await store.add_key(key(1))
    kept = await asyncio.to_thread(lambda: _bytes_in(tmp_path))
    assert digest(SECRET, SALT) in kept
    assert SECRET.encode() not in kept
