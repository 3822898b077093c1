"""Whose threads are, while the record is well and while it is not."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from subagent_sidecar.core.owners import Owner
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.proxy.owners import Owners
from subagent_sidecar.service import Service

ANN, BOB = Owner("up", "ann"), Owner("up", "bob")


@dataclass
class Record:
    """As much of the store, and of the service, as is asked for."""

    known: dict[str, Owner] = field(default_factory=dict)
    runs: set[tuple[str, str]] = field(default_factory=set)
    asked: list[str] = field(default_factory=list)
    down: bool = False
    stuck: bool = False

    async def entered(self) -> None:
        if self.stuck:
            await asyncio.Event().wait()

    async def owners(self, thread_ids: Sequence[str]) -> Mapping[str, Owner]:
        if self.down:
            raise StoreUnavailable("the disk is gone")
        self.asked += thread_ids
        return {each: self.known[each] for each in thread_ids if each in self.known}

    async def has_run(self, thread_id: str, run_id: str) -> bool:
        self.asked.append(run_id)
        return (thread_id, run_id) in self.runs

    async def owned(self, owner: Owner, *, limit: int) -> Sequence[str]:
        return [each for each, whose in self.known.items() if whose == owner][:limit]


def owners_of(record: Record, **more: Any) -> Owners:
    return Owners(service=cast(Service, record), record=record, **more)


async def test_ones_own_is_looked_up_once_and_anothers_each_time_as_what_is_nowhere() -> None:
    record = Record({"a": ANN, "b": BOB}, {("b", "r")})
    owners = owners_of(record)
    for _ in range(2):
        assert await owners.of("b", BOB) == BOB
        assert await owners.of("a", BOB) == ANN
        assert await owners.of("nowhere", BOB) is None
        assert await owners.has_run("b", "r")
        assert not await owners.has_run("b", "s")
    assert record.asked == ["b", "a", "nowhere", "r", "s", "a", "nowhere", "s"]


async def test_the_same_id_on_another_upstream_is_another_thread() -> None:
    owners = owners_of(Record({"b": BOB}))
    assert await owners.home("bob", "b") == "up"
    assert await owners.home("ann", "b") is None
    assert await owners.of("b", Owner("other", "bob")) == BOB


async def test_what_was_just_made_is_its_makers_before_it_is_on_record() -> None:
    owners = owners_of(Record({"old": BOB}))
    assert await owners.made(BOB, "new")
    assert await owners.of("new", BOB) == BOB
    assert await owners.of("new", ANN) == BOB
    assert await owners.newest(BOB, limit=10) == ["new", "old"]


async def test_what_the_record_says_is_anothers_was_not_made_for_whoever_was_told_so() -> None:
    owners = owners_of(Record({"new": ANN}))
    assert not await owners.made(BOB, "new")
    assert await owners.of("new", BOB) == ANN


async def test_an_id_is_claimed_by_one_supervisor_at_a_time() -> None:
    owners = owners_of(Record())
    with owners.claim("t", BOB) as first, owners.claim("t", BOB) as again:
        assert first and again
        with owners.claim("t", ANN) as other:
            assert not other
    with owners.claim("t", ANN) as later:
        assert later


async def test_what_cannot_be_looked_up_is_nobodys_to_see() -> None:
    record = Record({"b": BOB}, down=True)
    with pytest.raises(StoreUnavailable):
        await owners_of(record).of("b", BOB)
    record.down, record.stuck = False, True
    with pytest.raises(StoreUnavailable, match="takes too long"):
        await owners_of(record, patience_s=0.01).of("b", BOB)
