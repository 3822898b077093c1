"""`GET /v1/events` of a whole sidecar."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from tests.integration.events.rig import answer_starts, following, start_task, task_id
from tests.integration.http.rig import LOCAL, Front, sidecar
from tests.integration.upstream.raw_server import serving

JSON = {"Accept": "application/json"}


@asynccontextmanager
async def running(path: Path) -> AsyncIterator[Front]:
    async with (
        serving(answer_starts) as server,
        sidecar(f"http://{LOCAL}:{server.port}", store=f"sqlite:///{path}") as front,
    ):
        yield front


def admin(front: Front) -> str:
    return f"http://{LOCAL}:{front.admin_port}"


async def start(front: Front, number: int) -> None:
    await start_task(f"http://{LOCAL}:{front.port}", number)


async def asked(front: Front, query: str = "", **headers: str) -> tuple[int, Any]:
    url = f"{admin(front)}/v1/events{query}"
    async with ClientSession() as session, session.get(url, headers=headers or JSON) as response:
        return response.status, await response.json()


async def test_who_resumes_after_a_restart_gets_the_rest_without_gap_or_repeat(
    tmp_path: Path,
) -> None:
    got: list[int | None] = []
    for life in range(3):
        async with running(tmp_path / "books.db") as front:
            headers = {"Last-Event-ID": str(got[-1])} if got else {}
            async with following(admin(front), "?after=0&kind=started", headers=headers) as stream:
                for number in range(5):
                    await start(front, life * 5 + number)
                got += [told.number for told in await stream.some(3)]
                # Two are told to nobody: the next life has to begin with them.
                stream.response.close()
    async with running(tmp_path / "books.db") as front:
        status, page = await asked(front, "?kind=started&limit=1000")
    everything = [event["seq"] for event in page["events"]]
    assert status == 200 and len(everything) == 15
    assert got == everything[:9]


async def test_a_stop_ends_a_stream_well_and_hangs_nothing(tmp_path: Path) -> None:  # row 27
    async with running(tmp_path / "books.db") as front:
        stream_of = following(admin(front))
        stream = await stream_of.__aenter__()
        await stream.comment("events after 0")
    assert await stream.next() is None, "an end, not a broken connection"
    await stream_of.__aexit__(None, None, None)


async def test_a_page_is_json_with_the_place_to_go_on_from(tmp_path: Path) -> None:
    async with running(tmp_path / "books.db") as front:
        for number in range(3):
            await start(front, number)
        status, page = await asked(front, "?limit=2")
        assert status == 200
        assert [event["kind"] for event in page["events"]] == ["started", "started"]
        assert page["more"] is True and page["gap"] is None
        _, rest = await asked(front, f"?limit=2&after={page['after']}")
        assert [event["task_id"] for event in rest["events"]] == [task_id(2)]
        assert rest["more"] is False
        _, none = await asked(front, f"?after={rest['after']}")
        assert (none["events"], none["after"]) == ([], rest["after"])
        _, same = await asked(front, "?follow=false&limit=2", Accept="text/event-stream")
        assert same == page


async def test_a_task_is_named_by_any_end_of_its_id(tmp_path: Path) -> None:
    async with running(tmp_path / "books.db") as front:
        for number in (1, 2):
            await start(front, number)
        status, page = await asked(front, f"?task={task_id(2)[-6:]}")
        assert [event["task_id"] for event in page["events"]] == [task_id(2)]
        status, error = await asked(front, "?task=nowhere")
        assert (status, error["error"]) == (404, "task_not_found")


async def test_the_newest_and_those_since_a_moment(tmp_path: Path) -> None:
    async with running(tmp_path / "books.db") as front:
        for number in range(4):
            await start(front, number)
            await asked(front)
        _, page = await asked(front)
        moment = page["events"][2]["at"].replace("+", "%2B")
        _, since = await asked(front, f"?since={moment}")
        _, last = await asked(front, "?last=2")
        assert since["events"] == last["events"] == page["events"][2:]
        _, none = await asked(front, "?last=0")
        assert none["events"] == [] and none["after"] == page["after"]


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("?limit=0", "limit: '0' is not a number from 1 to 1000"),
        ("?limit=1001", "limit"),
        ("?after=-1", "after: '-1'"),
        ("?after=1e3", "after"),
        ("?after=99999999999999999999999", "after"),
        ("?since=yesterday", "since: 'yesterday' is not an ISO-8601 time"),
        ("?last=two", "last"),
        ("?last=2&after=3", "give one of after and last, not both"),
        ("?follow=maybe", "follow: 'maybe' is neither true nor false"),
        ("?sessoin=s", "'sessoin' is not a filter"),
    ],
)
async def test_a_question_that_makes_no_sense_is_answered_with_what_would(
    query: str, said: str, tmp_path: Path
) -> None:
    async with running(tmp_path / "books.db") as front:
        status, error = await asked(front, query)
    assert (status, error["error"]) == (400, "bad_query")
    assert said in error["message"]


async def test_a_last_event_id_that_is_no_number_is_refused(tmp_path: Path) -> None:
    async with running(tmp_path / "books.db") as front:
        stream = {"Accept": "text/event-stream", "Last-Event-ID": "abc"}
        status, error = await asked(front, **stream)
        assert (status, error["error"]) == (400, "bad_query")


async def test_nothing_but_a_get_is_known(tmp_path: Path) -> None:
    async with running(tmp_path / "books.db") as front, ClientSession() as session:
        for method in ("HEAD", "POST", "DELETE"):
            async with session.request(method, f"{admin(front)}/v1/events") as response:
                assert response.status == 405
