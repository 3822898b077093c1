"""Sessions on both planes: heartbeats, ends, and what is on record of them."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.budgets.rig import Desk, desk
from tests.integration.http.rig import sidecar

NOBODY = "http://127.0.0.1:9"
ENDS = {"name": "ends", "on_session_end": "request_cancel"}
LEASES = {"name": "leases", "lease": "5m", "heartbeat": "1m", "grace": "2m"}


async def tell(at: Desk, session: str, what: str, **body: object) -> Any:
    path = f"/sidecar/sessions/{session}/{what}"
    return await at.client.call("POST", path, body or None)


async def shown(at: Desk, session: str) -> Any:
    return (await at.client.call("GET", f"/sidecar/sessions/{session}")).json


async def listed(at: Desk, query: str = "") -> Any:
    return (await at.admin.call("GET", f"/v1/sessions{query}")).json


async def test_a_heartbeat_says_how_long_the_lease_is_and_when_to_come_again(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, {"lifecycle": [LEASES]}) as at:
        plain = await tell(at, "s1", "heartbeat")
        asked = await tell(at, "s1", "heartbeat", lease_s=90)
        most = await tell(at, "s1", "heartbeat", lease_s=86400)
    told = [(a.status, a.json["lease_s"], a.json["heartbeat_s"]) for a in (plain, asked, most)]
    assert told == [(200, 300.0, 60.0), (200, 90.0, 30.0), (200, 300.0, 60.0)]
    assert plain.json["session_id"] == "s1" and plain.json["supervisor"] == "anonymous"
    assert plain.json["expires_at"].endswith("Z")


async def test_where_no_rule_gives_a_lease_there_is_the_one_asked_for_or_none(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, {}) as at:
        plain = (await tell(at, "s1", "heartbeat")).json
        asked = (await tell(at, "s2", "heartbeat", lease_s=30)).json
        leases = {s: (await shown(at, s))["lease"] for s in ("s1", "s2")}
    assert (plain["lease_s"], plain["expires_at"], plain["heartbeat_s"]) == (None, None, 60.0)
    assert (asked["lease_s"], asked["heartbeat_s"]) == (30.0, 10.0)
    assert leases == {"s1": "none", "s2": "held"}


async def test_the_session_of_all_that_name_none_is_nobodys_to_lease_or_end(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, {"lifecycle": [ENDS, LEASES]}) as at:
        await at.start("long", "default:anonymous")
        told = [await tell(at, "default%3Aanonymous", what) for what in ("heartbeat", "end")]
        seen = await shown(at, "default:anonymous")
    assert [(answer.status, answer.json["code"]) for answer in told] == [
        (403, "shared_session")
    ] * 2
    assert seen["ended_at"] is None and seen["live_tasks"] == 1


async def test_an_end_says_what_becomes_of_each_live_task(tmp_path: Path) -> None:
    spared = {"name": "spared", "match": {"agent": "idle"}, "on_session_end": "abandon"}
    async with desk(tmp_path, {"lifecycle": [ENDS, spared]}) as at:
        long, _ = await at.start("long", "s1")
        idle, _ = await at.start("idle", "s1")
        await at.start("long", "s2")
        ended = await tell(at, "s1", "end", reason="the tab\nwas closed")
        again = await tell(at, "s1", "end")
        event = await at.event("session_ended")
    assert (ended.status, again.status) == (200, 200)
    told = {t["task_id"]: (t["on_session_end"], t["rule"]) for t in ended.json["tasks"]}
    assert told == {long: ("request_cancel", "ends"), idle: ("abandon", "spared")}
    assert (ended.json["again"], again.json["again"]) == (False, True)
    assert again.json["reason"] == ended.json["reason"] == "the tab was closed"
    assert ended.json["ended_by"] == "supervisor"
    assert set(event["detail"]["tasks"]) == {long, idle}


async def test_without_a_rule_an_end_leaves_tasks_alone(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        await at.start("long", "s1")
        [task] = (await tell(at, "s1", "end")).json["tasks"]
    assert (task["on_session_end"], task["rule"]) == ("abandon", None)


async def test_a_heartbeat_after_the_end_is_410_and_may_open_it_again(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        end = (await tell(at, "s1", "end", reason="enough")).json
        late = await tell(at, "s1", "heartbeat")
        ended = await shown(at, "s1")
        again = await tell(at, "s1", "heartbeat", reopen=True, lease_s=60)
        reopened = await shown(at, "s1")
        starts = (await at.start("long", "s1"))[1]
    assert (late.status, late.json["code"]) == (410, "session_over")
    assert late.json["ended_at"] == end["ended_at"]
    assert "by the supervisor" in late.json["message"] and "enough" in late.json["message"]
    assert again.status == starts.status == 200
    assert (ended["lease"], reopened["lease"]) == ("ended", "held")
    assert reopened["ended_at"] == end["ended_at"] and reopened["reopened_at"]


async def test_a_session_that_nothing_is_known_of_can_be_ended_and_not_shown(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, {}) as at:
        unknown = await at.client.call("GET", "/sidecar/sessions/s1")
        ended = await tell(at, "s1", "end")
    assert (unknown.status, unknown.json["code"]) == (404, "session_not_found")
    assert (ended.status, ended.json["tasks"]) == (200, [])


@pytest.mark.parametrize(
    ("path", "session"),
    [
        ("a%2Fb", "a/b"),
        ("a%252Fb", "a%2Fb"),
        ("J%C3%BCrgen%20%F0%9F%90%9D", "Jürgen 🐝"),
        ("%2e%2e", ".."),
        ("%ff", "�"),
        ("x" * 300, "x" * 256),
    ],
)
async def test_a_name_is_decoded_once_and_cut_as_in_starts(
    tmp_path: Path, path: str, session: str
) -> None:
    async with sidecar(NOBODY) as front, front.wire() as wire:
        head = f"POST /sidecar/sessions/{path}/heartbeat HTTP/1.1\r\nHost: a\r\n\r\n"
        got = await wire.ask(head.encode())
    assert json.loads(got.body)["session_id"] == session


@pytest.mark.parametrize(
    ("what", "body", "said"),
    [
        ("heartbeat", b"{", "not JSON"),
        ("heartbeat", b"[" * 9_000, "not JSON"),
        ("heartbeat", b"[]", "must be a JSON object, or empty"),
        ("heartbeat", b'{"lease": 5}', "'lease' is not known here; there are: lease_s, reopen"),
        ("heartbeat", b'{"\\ud800": 5}', "'?' is not known here"),
        ("heartbeat", b'{"lease_s": "5m"}', "lease_s: must be a whole number of seconds"),
        ("heartbeat", b'{"lease_s": true}', "lease_s: must be a whole number"),
        ("heartbeat", b'{"lease_s": 9}', "lease_s: must be from 10 to 86,400 seconds"),
        ("heartbeat", b'{"lease_s": 1e99}', "lease_s: must be a whole number"),
        ("heartbeat", b'{"reopen": "yes"}', "reopen: must be true or false"),
        ("end", b'{"reason": 5}', "reason: must be text"),
        ("end", b'{"reopen": true}', "'reopen' is not known here; there are: reason"),
    ],
)
async def test_a_body_that_means_nothing_is_named_in_plain_words(
    what: str, body: bytes, said: str
) -> None:
    async with sidecar(NOBODY) as front, front.wire() as wire:
        head = f"POST /sidecar/sessions/s/{what} HTTP/1.1\r\nHost: a\r\n"
        head += f"Content-Length: {len(body)}\r\n\r\n"
        got = await wire.ask(head.encode() + body)
    told = json.loads(got.body)
    assert (got.status, told["code"]) == (400, "bad_body")
    assert said in told["message"]


@pytest.mark.parametrize(
    "line",
    [
        "POST /sidecar/sessions/",
        "POST /sidecar/sessions//heartbeat",
        "POST /sidecar/sessions/s",
        "POST /sidecar/sessions/s/beat",
        "POST /sidecar/sessions/s/end/now",
        "GET /sidecar/sessions/s/end",
        "DELETE /sidecar/sessions/s",
        "GET /sidecar/sessions",
    ],
)
async def test_other_paths_there_are_the_sidecars_and_lead_nowhere(line: str) -> None:
    async with sidecar(NOBODY) as front, front.wire() as wire:
        got = await wire.ask(f"{line} HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n".encode())
    assert (got.status, json.loads(got.body)["code"]) == (404, "no_such_route")


async def test_a_body_without_end_is_refused() -> None:
    async with sidecar(NOBODY) as front, front.wire() as wire:
        head = b"POST /sidecar/sessions/s/end HTTP/1.1\r\nHost: a\r\nContent-Length: 99999\r\n\r\n"
        got = await wire.ask(head)
    assert (got.status, json.loads(got.body)["code"]) == (413, "body_too_large")


async def test_sessions_are_listed_with_their_tasks_leases_and_cost(tmp_path: Path) -> None:
    async with desk(tmp_path, {"lifecycle": [LEASES]}) as at:
        quick, _ = await at.start("quick", "s1")
        await at.task_when(quick, status="success")
        await at.used(quick)
        await at.start("long", "s2")
        await tell(at, "s2", "heartbeat")
        await tell(at, "s3", "end")
        everything = await listed(at)
        s1 = next(s for s in everything["sessions"] if s["session_id"] == "s1")
        only = await listed(at, "?session=s1")
        coders = await listed(at, "?agent=long")
        pages = await listed(at, "?limit=1")
        rest = await listed(at, f"?limit=5&cursor={pages['next_cursor']}")
    assert everything["sessions"][0]["session_id"] == "s2"  # live tasks first
    rows = {
        s["session_id"]: (s["live_tasks"], s["tasks"], s["lease"]) for s in everything["sessions"]
    }
    assert rows == {"s1": (0, 1, "none"), "s2": (1, 1, "held"), "s3": (0, 0, "ended")}
    assert s1["cost_usd"] == "0.004500" and s1["tokens"] == 1_100
    assert [s["session_id"] for s in only["sessions"]] == ["s1"]
    assert [s["session_id"] for s in coders["sessions"]] == ["s2"]
    assert pages["sessions"] + rest["sessions"] == everything["sessions"]
    assert rest["next_cursor"] is None


async def test_an_operator_ends_a_session_by_a_part_of_its_id(tmp_path: Path) -> None:
    async with desk(tmp_path, {"lifecycle": [ENDS]}) as at:
        task_id, _ = await at.start("long", "conversation-1")
        await at.start("long", "conversation-2")
        several = await at.admin.call("POST", "/v1/sessions/conversation/end", {})
        nobody = await at.admin.call("POST", "/v1/sessions/nobody/end", {})
        bobs = await at.admin.call("POST", "/v1/sessions/conversation-1/end?supervisor=bob", {})
        ended = await at.admin.call("POST", "/v1/sessions/tion-1/end", {"reason": "loops"})
        late = await tell(at, "conversation-1", "heartbeat")
    assert (several.status, several.json["code"]) == (409, "ambiguous_session")
    assert several.json["candidates"] == [
        {"supervisor": "anonymous", "session_id": f"conversation-{n}"} for n in (2, 1)
    ]
    assert (nobody.status, bobs.status, ended.status) == (404, 404, 200)
    assert ended.json["ended_by"] == "operator" and ended.json["reason"] == "loops"
    assert [task["task_id"] for task in ended.json["tasks"]] == [task_id]
    assert late.status == 410 and "by the operator" in late.json["message"]


async def test_an_id_with_a_slash_in_it_can_be_ended_by_an_operator(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        await tell(at, "a%2Fb%20c", "heartbeat")
        ended = await at.admin.call("POST", "/v1/sessions/a%2Fb%20c/end", {})
    assert (ended.status, ended.json["session_id"]) == (200, "a/b c")


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("colour=red", "'colour' is not known here; there are: agent, all, "),
        ("all=maybe", "all: 'maybe' is neither true nor false"),
        ("limit=0", "limit: '0' is not a number from 1 to 1000"),
        ("cursor=x", "cursor: not one of ours"),
        ("cursor=WzFd", "cursor: not one of ours"),
    ],
)
async def test_a_filter_that_means_nothing_is_named(query: str, said: str) -> None:
    async with sidecar(NOBODY) as front, front.admin() as admin:
        got = await admin.ask(f"GET /v1/sessions?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    assert got.status == 400
    assert json.loads(got.body)["message"].startswith(said)


async def test_a_child_task_names_the_task_whose_thread_its_session_is(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        parent, _ = await at.start("long", "s1")
        await at.start("long", parent)
        found = {s["session_id"]: s for s in (await listed(at))["sessions"]}
    assert found[parent]["parent_task_id"] == parent
    assert found["s1"]["parent_task_id"] is None
