"""Taking spans in: what the record knows, what it does not know yet, and what it cannot say."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest
from tests.support.books import accepted, start
from tests.support.otlp_request import A, B, Emitted, request

from subagent_sidecar.core.model import TaskRecord
from subagent_sidecar.core.otlp import Encoding, Unreadable
from subagent_sidecar.core.principal import ANONYMOUS, Principal
from subagent_sidecar.core.rehoming.homes import Mode
from subagent_sidecar.core.spans_seen import SpansSeen
from subagent_sidecar.errors import StoreUnavailable, TelemetryFull
from subagent_sidecar.store.memory import MemoryStore
from subagent_sidecar.telemetry.receiving import Received, Receiver

OF_T = {"langsmith.metadata.thread_id": "t000", "langsmith.metadata.run_id": "r1"}


class Books(MemoryStore):
    """Of which `down` says whether they can be read. Counts the questions."""

    down = False
    asked = 0

    async def tasks_with(self, task_ids: Sequence[str]) -> Sequence[TaskRecord]:
        self.asked += 1
        if self.down:
            raise StoreUnavailable("the disk is gone")
        return await super().tasks_with(task_ids)


@dataclass
class Desk:
    """`t000` is a task of the session `s`, once it is `started`."""

    mode: Mode = Mode.REHOME
    buffer: int = 100_000
    time: float = 0.0
    books: Books = field(default_factory=Books)
    receiver: Receiver = field(init=False)

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """As after a start of the process."""
        self.receiver = Receiver(
            store=self.books,
            seen=SpansSeen(),
            relay=None,
            mode=self.mode,
            hold_s=30,
            buffer=self.buffer,
            most=50_000,
            now=lambda: self.time,
        )

    async def started(self, **facts: Any) -> None:
        intent = await self.books.admit(start(1, "t000", body_session="s", **facts))
        await self.books.apply([accepted(intent, "r1", 2, thread_id="t000")])

    async def take(self, *spans: Emitted, by: Principal = ANONYMOUS) -> Received:
        body = request(*spans).SerializeToString()
        return await self.receiver.receive(body, Encoding.PROTOBUF, zipped=False, principal=by)

    @property
    def numbers(self) -> tuple[int, int, int]:
        """Moved, passed, held now."""
        numbers = self.receiver.numbers
        return numbers.rehomed, numbers.passed, self.receiver.held_spans


async def test_a_task_that_is_not_on_record_yet_is_looked_up_again() -> None:
    at = Desk()
    await at.take(Emitted(id=1, said=OF_T))
    assert at.numbers == (0, 0, 1)
    await at.started()
    at.time = 1
    await at.receiver.look()
    assert at.numbers == (1, 0, 0)


async def test_it_is_looked_up_once_however_many_spans_there_are() -> None:
    at = Desk()
    await at.started()
    for number in range(1, 4):
        await at.take(*(Emitted(id=number * 10 + n, said=OF_T) for n in range(10)))
    assert (at.numbers, at.books.asked) == ((30, 0, 0), 1)


async def test_while_the_record_cannot_be_read_spans_wait() -> None:
    at = Desk()
    await at.started()
    at.books.down = True
    await at.take(Emitted(id=1, said=OF_T))
    assert at.numbers == (0, 0, 1)
    at.books.down, at.time = False, 1
    await at.receiver.look()
    assert at.numbers == (1, 0, 0)


async def test_one_that_never_can_be_holds_them_up_for_no_longer_than_that() -> None:
    at = Desk()
    at.books.down = True
    await at.take(Emitted(id=1, said=OF_T))
    at.time = 30
    await at.receiver.look()
    assert at.numbers == (0, 1, 0)


async def test_a_process_that_was_started_anew_knows_the_trace_by_what_it_says() -> None:
    at = Desk()
    await at.started()
    await at.take(Emitted(id=1, said=OF_T))
    before = at.receiver.numbers.rehomed
    at.begin()
    await at.take(Emitted(id=2, parent=1))
    assert at.numbers == (0, 0, 1)  # it says nothing, so it waits for one that does
    await at.take(Emitted(id=3, parent=1, said=OF_T))
    assert (before, at.numbers) == (1, (2, 0, 0))


async def test_what_names_a_session_is_a_supervisors_own_and_passes() -> None:
    at = Desk()
    await at.started()
    await at.take(Emitted(id=1, said={"session.id": "s"}), Emitted(id=2, parent=1))
    await at.take(Emitted(id=1, trace=B, said={"session.id": "nobody"}))
    assert at.numbers == (0, 2, 1)


async def test_one_request_does_not_ask_about_any_number_of_sessions() -> None:
    """Those whose turn does not come wait for it."""
    at = Desk(buffer=10**6)
    await at.started()
    spans = [
        Emitted(id=n, trace=n.to_bytes(16, "big"), said={"session.id": "s"}) for n in range(1, 201)
    ]
    await at.take(*spans)
    assert at.numbers == (0, 50, 150)
    for second in (1, 2, 4, 8):
        at.time = second
        await at.receiver.look()
    assert at.numbers == (0, 200, 0)


async def test_when_there_is_no_room_emitters_are_turned_away() -> None:
    """failures.md row 12"""
    at = Desk(buffer=4_000)
    await at.take(Emitted(id=1, said={"k": "v" * 1_500}))
    with pytest.raises(TelemetryFull) as told:
        await at.take(Emitted(id=2, said={"k": "v" * 2_500}))
    assert told.value.retry_after_s == 5.0
    assert 1_500 < at.receiver.buffered_bytes < 2_000
    assert at.receiver.numbers.turned_away == 1
    at.receiver.turn_away_if_full()  # which it is not
    await at.take(Emitted(id=2, said={"k": "v" * 1_500}))


async def test_what_cannot_be_read_takes_no_room() -> None:
    at = Desk()
    for _ in range(3):
        with pytest.raises(Unreadable):
            await at.receiver.receive(b"\xff", Encoding.PROTOBUF, zipped=False)
    assert at.receiver.buffered_bytes == 0


async def test_many_requests_at_once_are_as_one_after_the_other() -> None:
    at = Desk(buffer=10**6)
    await at.started()
    spans: list[list[Emitted]] = [
        [Emitted(id=100 * n + k, trace=(A, B)[n % 2], said=OF_T) for k in range(1, 90)]
        for n in range(10)
    ]
    await asyncio.gather(*(at.take(*each) for each in spans))
    assert at.numbers == (890, 0, 0)


async def test_large_bodies_and_json_are_read_on_a_thread_with_the_same_result() -> None:
    at = Desk(buffer=10**7)
    at.receiver.most = 10**7
    await at.started()
    await at.take(*(Emitted(id=n, said={**OF_T, "k": "v" * 9_000}) for n in range(1, 80)))
    assert at.numbers == (79, 0, 0)


async def test_without_an_endpoint_it_is_said_once_with_every_answer() -> None:
    at = Desk()
    told: Any = await at.take(Emitted(id=1, trace=b"short"), Emitted(id=2, trace=B))
    assert (told.rejected, "trace id" in told.message) == (1, True)
    told = await at.take(Emitted(id=2, trace=B))
    assert (told.rejected, "otlp_endpoint" in told.message) == (0, True)


async def test_the_span_of_a_supervisors_tool_points_to_the_task_it_started() -> None:
    at = Desk()
    await at.started()
    said = {"session.id": "s", "output.value": '"Launched async subagent. task_id: t000", more'}
    tool = Emitted(id=2, parent=1, name="execute_tool start_async_task", said=said)
    await at.take(tool, Emitted(id=3, parent=1, name="model", said=said), Emitted(id=1))
    numbers = at.receiver.numbers
    assert (numbers.linked, numbers.passed, numbers.rehomed) == (1, 2, 0)


async def test_one_that_is_in_the_tasks_trace_already_points_nowhere() -> None:
    at = Desk()
    await at.started(trace_parent=f"00-{A.hex()}-{'1' * 16}-01")
    said = {"session.id": "s", "output.value": "Launched async subagent. task_id: t000"}
    await at.take(Emitted(id=2, parent=1, name="start_async_task", said=said))
    assert (at.receiver.numbers.linked, at.receiver.numbers.passed) == (0, 1)


async def test_spans_come_into_no_task_that_their_sender_does_not_see() -> None:
    """Nor into the trace of one, once somebody else has said whose that is."""
    at = Desk()
    await at.started(supervisor="ann")
    await at.take(Emitted(id=1, said=OF_T), by=Principal("ann"))
    await at.take(Emitted(id=2, said=OF_T), by=Principal("bob"))
    await at.take(Emitted(id=3, parent=1), by=Principal("bob"))
    at.time = 30
    await at.receiver.look()
    assert at.numbers == (1, 2, 0)
    await at.take(Emitted(id=4, said=OF_T), by=Principal("server", every_task=True))
    assert at.numbers == (2, 2, 0)


async def test_what_many_supervisors_send_is_held_within_bounds() -> None:
    at = Desk(buffer=10**6)
    for number in range(60):
        await at.take(Emitted(id=1, said=OF_T), by=Principal(f"supervisor {number}"))
    assert at.numbers == (0, 10, 50)
