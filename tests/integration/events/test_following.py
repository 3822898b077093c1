"""Following the record: every event once and in order, at once, and at no cost while idle."""

import asyncio
import logging
import socket
import time
from pathlib import Path

import pytest
from tests.integration.events.rig import DEADLINE_S, Desk, desk, following
from tests.support.waiting import eventually

from subagent_sidecar.core.feed import EventPage, EventQuery
from subagent_sidecar.store.sqlite import SqliteStore

LONG_S = 3_600.0


def counted(desk: Desk) -> list[str]:
    """Which reads of the store there were from now on."""
    reads: list[str] = []
    store = desk.store
    events_after, last_event = store.events_after, store.last_event

    async def reading_events(query: EventQuery) -> EventPage:
        reads.append("events")
        return await events_after(query)

    async def reading_last() -> int:
        reads.append("last")
        return await last_event()

    store.events_after = reading_events  # type: ignore[method-assign]
    store.last_event = reading_last  # type: ignore[method-assign]
    return reads


async def test_what_happens_is_told_as_it_happens(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here, following(here.url) as stream:
        await here.started("t1", header_session="s1", agent_name="coder")
        (begun,) = await stream.some(1)
        assert (begun.number, begun.kind) == (1, "started")
        here.seen("t1", "success")
        moved, ended = await stream.some(2)
    assert (moved.number, moved.kind, moved.data["status"]) == (2, "run_status", "success")
    assert ended.data == {
        "seq": 3,
        "at": moved.data["at"],
        "kind": "ended",
        "task_id": "t1",
        "run_id": "t1-r",
        "status": "success",
        "detail": {"by": "upstream"},
        "agent_name": "coder",
        "session_id": "s1",
        "upstream": "up",
    }


async def test_a_stream_says_that_nothing_may_keep_or_collect_it(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here, following(here.url) as stream:
        assert stream.response.headers["Cache-Control"] == "no-store"
        assert stream.response.headers["X-Accel-Buffering"] == "no"
        await stream.comment("events after 0")


async def test_one_that_comes_later_is_told_what_comes_then(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here:
        await here.started("t1")
        async with following(here.url) as stream:
            await stream.comment("events after 1")
            await here.started("t2")
            assert (await stream.some(1))[0].data["task_id"] == "t2"


@pytest.mark.parametrize("way", ["header", "query"])
async def test_one_that_resumes_gets_the_rest_without_gap_or_repeat(
    way: str, tmp_path: Path
) -> None:
    async with desk(tmp_path / "books.db") as here:
        got: list[int | None] = []
        for number in range(30):
            await here.started(f"t{number}")
            after = got[-1] if got else 0
            query, headers = f"?after={after}", {}
            if way == "header" and got:
                query, headers = "?after=0", {"Last-Event-ID": str(after)}
            async with following(here.url, query, headers=headers) as stream:
                got += [told.number for told in await stream.some(1)]
                here.seen(f"t{number}", "running")
    assert got == list(range(1, 31))


async def test_many_follow_while_much_happens_and_all_are_told_the_same(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here:

        async def follow() -> list[int | None]:
            async with following(here.url, "?after=0") as stream:
                return [told.number for told in await stream.some(1_200)]

        async def work() -> None:
            for number in range(400):
                await here.started(f"t{number}")
                here.seen(f"t{number}", "running")

        *told, _ = await asyncio.gather(*(follow() for _ in range(5)), work())
    assert told == [list(range(1, 1_201))] * 5


async def test_filters_hold_for_what_comes_later_too(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here:
        query = "?agent=coder&kind=started,ended&after=0"
        async with following(here.url, query) as stream:
            for number, agent in enumerate(("coder", "painter", "coder")):
                await here.started(f"t{number}", agent_name=agent)
                here.seen(f"t{number}", "running")
            told = await stream.some(2)
    assert [(each.kind, each.data["task_id"]) for each in told] == [
        ("started", "t0"),
        ("started", "t2"),
    ]


async def test_the_newest_are_told_first_when_asked_for(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here:
        for number in range(5):
            await here.started(f"t{number}")
        await here.service.flush()
        async with following(here.url, "?last=2") as stream:
            assert [told.number for told in await stream.some(2)] == [4, 5]


async def test_silence_is_broken_by_a_heartbeat(tmp_path: Path) -> None:
    async with desk(tmp_path / "b.db", heartbeat_s=0.05) as here, following(here.url) as stream:
        await stream.comment("heartbeat")
        await here.started("t1")
        assert len(await stream.some(1)) == 1


async def test_what_another_process_enters_is_told_too(tmp_path: Path) -> None:
    async with (
        desk(tmp_path / "books.db") as here,
        desk(tmp_path / "books.db") as there,
        following(here.url) as stream,
    ):
        await there.started("t1")
        assert (await stream.some(1))[0].data["task_id"] == "t1"


async def test_idle_followers_cost_one_look_a_second_together(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here:
        streams = [following(here.url) for _ in range(10)]
        opened = [await stream.__aenter__() for stream in streams]
        for each in opened:
            await each.comment("events after 0")
        reads = counted(here)
        begin = time.monotonic()
        await eventually(lambda: reads.count("last") >= 2)
        assert reads.count("last") <= time.monotonic() - begin + 2
        assert "events" not in reads
        for stream in streams:
            await stream.__aexit__(None, None, None)


async def test_a_client_that_leaves_is_forgotten_without_a_word(  # row 19
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        async with desk(tmp_path / "books.db", heartbeat_s=LONG_S) as here:
            async with following(here.url) as stream:
                await stream.comment("events after 0")
                assert here.routes.streams == 1
            await eventually(lambda: here.routes.streams == 0)
    assert caplog.records == []


async def test_a_client_that_takes_nothing_is_cut_off_and_the_others_are_not_kept_waiting(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path / "books.db", taken_within_s=2.0) as here:
        reader, writer = await _stuck(here)
        async with following(here.url, "?after=0") as stream:
            for number in range(100):
                await here.started(f"t{number}", agent_name="x" * 10_000)
            assert len(await stream.some(100)) == 100
            await eventually(lambda: here.routes.streams == 1)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1 << 30)
        writer.close()


async def _stuck(here: Desk) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """A client that asks and then reads next to nothing."""
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    sock.setblocking(False)
    port = int(here.url.rpartition(":")[2])
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    reader, writer = await asyncio.open_connection(sock=sock, limit=1_024)
    writer.write(b"GET /v1/events?after=0 HTTP/1.1\r\nHost: a\r\n\r\n")
    await eventually(lambda: here.routes.streams == 1)
    return reader, writer


async def test_a_stop_ends_the_streams_at_once(tmp_path: Path) -> None:  # row 27
    async with (
        desk(tmp_path / "books.db", heartbeat_s=LONG_S) as here,
        following(here.url) as one,
        following(here.url) as other,
    ):
        await one.comment("events after 0")
        await other.comment("events after 0")
        begin = time.monotonic()
        await here.runner.cleanup()
        assert time.monotonic() - begin < DEADLINE_S, "cut off by the deadline instead"
        assert await one.next() is None
        assert await other.next() is None


async def test_a_store_that_fails_ends_the_stream_so_that_it_is_resumed(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here, following(here.url) as stream:
        await stream.comment("events after 0")
        assert isinstance(here.store, SqliteStore)
        here.store._readers._closed = True
        here.routes._followers.tell()
        assert await stream.next() is None
        here.store._readers._closed = False


async def test_one_that_was_away_for_longer_than_retention_is_told_so(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here:
        for number in range(3):
            await here.started(f"t{number}")
        here.seen("t0", "success")
        await here.service.flush()
        await here.started("newest")
        await here.service.flush()
        assert await here.store.prune("9999", limit=10) == 1
        async with following(here.url, headers={"Last-Event-ID": "1"}) as stream:
            gap, first = await stream.some(2)
        assert (gap.number, gap.kind, gap.data["after"]) == (None, "gap", 1)
        assert gap.data["pruned"] == 5
        assert first.number == 2
        async with following(here.url, headers={"Last-Event-ID": "5"}) as stream:
            assert (await stream.some(1))[0].kind == "started"
        async with following(here.url, "?after=0") as stream:
            assert (await stream.some(1))[0].number == 2, "whoever asks for all that is there"


async def test_a_number_of_another_record_begins_anew(tmp_path: Path) -> None:
    async with desk(tmp_path / "books.db") as here:
        await here.started("t1")
        await here.service.flush()
        async with following(here.url, headers={"Last-Event-ID": "999"}) as stream:
            gap, first = await stream.some(2)
    assert (gap.kind, gap.data["after"]) == ("gap", 999)
    assert (first.number, first.kind) == (1, "started")
