"""What the admin plane says of a listing it cannot understand."""

import json

import pytest
from tests.integration.http.rig import sidecar

NOBODY = "http://127.0.0.1:9"


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "status=x",
            "status: 'x' is none of pending, running, waiting, success, error, timeout, cancelled",
        ),
        ("status=running,,error", "status: '' is none of pending, running, "),
        ("colour=red", "'colour' is not a filter; there are: agent, all, "),
        ("since=noon", "since: 'noon' is not an ISO-8601 time"),
        ("all=maybe", "all: 'maybe' is neither true nor false"),
        ("limit=0", "limit: '0' is not a number from 1 to 1000"),
        ("cursor=x", "cursor: not one of ours; start again without it"),
    ],
)
async def test_a_filter_that_means_nothing_is_named_in_plain_words(query: str, said: str) -> None:
    async with sidecar(NOBODY) as front, front.admin() as admin:
        got = await admin.ask(f"GET /v1/tasks?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    told = json.loads(got.body)
    assert (got.status, told["code"]) == (400, "bad_query")
    assert told["message"].startswith(said)


async def test_several_statuses_are_asked_for_with_commas() -> None:
    async with sidecar(NOBODY) as front, front.admin() as admin:
        target = b"/v1/tasks?status=running,%20error"
        got = await admin.ask(b"GET " + target + b" HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (got.status, json.loads(got.body)["tasks"]) == (200, [])
