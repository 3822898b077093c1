"""What is done by the admin plane is on record, whoever did it and whatever came of it."""

import asyncio
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from tests.integration.admin.rig import TOKENS, Desk, guarded
from tests.integration.admin.test_access import ACTS, target
from tests.integration.budgets.rig import desk
from tests.support.waiting import eventually

from subagent_sidecar.admin_tokens import AdminTokens
from subagent_sidecar.core.acts import ActOutcome, AdminActed
from subagent_sidecar.core.metrics.meters import AdminMeter
from subagent_sidecar.errors import StoreUnavailable
from subagent_sidecar.proxy.admin_acts import Acts
from subagent_sidecar.proxy.admin_guard import AdminGuard
from subagent_sidecar.proxy.foreign_pages import ForeignPages

AT = "2026-11-24T03:00:00.000000Z"


async def test_every_route_that_is_more_than_a_question_leaves_an_act(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        for route in ACTS:
            before = len(await at.acts())
            await at.send("POST", target(route), TOKENS["admin"], body={"zzz": 1})
            found = await at.acts()
            assert (route, len(found)) == (route, before + 1)
            told = found[-1]["detail"]
            assert told["act"] not in {each["detail"]["act"] for each in found[:-1]}
            assert (told["by"], told["role"], told["from"]) == ("admin", "admin", "127.0.0.1")
            assert (told["outcome"], told["status"]) == ("refused", 400)
            assert told["code"] == "bad_body"


async def act(at: Desk, path: str, body: Any, role: str = "operator") -> Mapping[str, Any]:
    """The newest act, after a request of this one."""
    await at.send("POST", path, TOKENS[role], body=body)
    newest = (await at.acts())[-1]
    assert newest["detail"]["by"] == role
    found: Mapping[str, Any] = newest["detail"]
    return found


async def test_an_act_says_what_it_was_about_and_what_came_of_it(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        told = await act(at, "/v1/freeze", {"scope": "agent", "id": "coder", "reason": "loops"})
        assert told["target"] == {"scope": "agent", "id": "coder", "reason": "loops"}
        assert (told["act"], told["outcome"], told["status"]) == ("freeze", "done", 200)
        told = await act(at, "/v1/unfreeze", {"scope": "all"})
        assert (told["outcome"], told["code"]) == ("refused", "not_frozen")
        told = await act(at, "/v1/tasks/nobody/cancel", {"reason": "enough"})
        assert told["target"] == {"task_id": "nobody", "reason": "enough"}
        assert (told["outcome"], told["code"]) == ("refused", "task_not_found")
        told = await act(at, "/v1/cancel", {"all": True})
        assert told["target"] == {"all": True, "task_ids": [], "count": 0}
        told = await act(at, "/v1/policy/reload", {}, "admin")
        assert (told["act"], told["target"]) == ("reload_policy", {})


async def test_a_policy_that_cannot_be_used_is_an_act_as_well(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("version: 1\n", "utf-8")
    async with guarded(tmp_path, policy=[str(tmp_path / "policy.yaml")]) as at:
        (tmp_path / "policy.yaml").write_text("version: 7\n", "utf-8")
        told = await act(at, "/v1/policy/reload", {}, "admin")
    assert (told["outcome"], told["status"], told["code"]) == ("refused", 422, "policy_invalid")


async def test_what_agents_are_told_stands_in_no_act(tmp_path: Path) -> None:
    said = {"subagent_type": "coder", "description": "SECRET", "message": "SECRET"}
    async with guarded(tmp_path) as at:
        body = {"session": "s1", "arguments": {**said, "task_id": "t1"}}
        told = await act(at, "/v1/tools/update_async_task", body)
    known = {"tool": "update_async_task", "session": "s1", "task_id": "t1"}
    assert told["target"] == {**known, "subagent_type": "coder"}
    assert "SECRET" not in json.dumps(told)


async def test_odd_words_are_told_as_the_record_can_hold_them(tmp_path: Path) -> None:
    odd = {"task_ids": ["\ud800", "x" * 9_999, *("y" * 9 for _ in range(99))], "all": 2**70}
    async with guarded(tmp_path) as at:
        told = (await act(at, "/v1/cancel", odd))["target"]
        assert told["all"] == str(2**70)
        assert told["task_ids"][:2] == ["?", "x" * 256] and len(told["task_ids"]) == 20
        # What stands there can be asked for, too: every event goes past these filters.
        answer = await at.send("GET", "/v1/events?follow=false&agent=x", TOKENS["viewer"])
        assert answer.status == 200


async def test_a_key_that_somebody_took_for_a_reason_stands_in_no_act(tmp_path: Path) -> None:
    odd = {"scope": "all", "reason": "Authorization: Bearer c4nary-0123456789"}
    async with guarded(tmp_path) as at:
        told = await act(at, "/v1/freeze", odd)
    assert told["target"]["reason"] == "Authorization: <hidden>"


async def test_the_act_on_one_task_is_part_of_its_story(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        task, _ = await at.start("long")
        await at.task_when(task, status="running")
        await at.admin.call("POST", f"/v1/tasks/{task[:8]}/cancel", {"wait_s": 0, "reason": "why"})
        story = (await at.admin.call("GET", f"/v1/tasks/{task}")).json["events"]
        [told] = [each["detail"] for each in story if each["kind"] == "admin_act"]
        assert told["target"] == {"task_id": task, "reason": "why"}
        end = await at.admin.call("POST", "/v1/sessions/s1/end", {})
        assert end.status == 200
        cancel, ending = [each["detail"] for each in await at.events("admin_act")]
        assert (cancel["act"], ending["act"]) == ("cancel", "end_session")
        assert ending["target"]["supervisor"] == "anonymous"


async def test_what_a_token_may_not_is_told_once_a_minute(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        for path in ("/v1/tasks/t1/cancel", "/v1/tasks/t2/cancel", "/v1/policy/reload"):
            for role in ("viewer", "operator"):
                await at.send("POST", path, TOKENS[role], body={})
        denied = [
            each["detail"] for each in await at.acts() if each["detail"]["outcome"] == "denied"
        ]
    assert [(each["by"], each["act"]) for each in denied] == [
        ("viewer", "cancel"),
        ("viewer", "reload_policy"),
        ("operator", "reload_policy"),
    ]
    assert denied[0]["target"] == {"task_id": "t1"}
    assert (denied[0]["status"], denied[0]["code"]) == (403, "role_needed")


async def test_who_reads_leaves_nothing(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        for path in ("/v1/tasks", "/v1/policy", "/v1/report", "/metrics", "/v1/tasks/x"):
            await at.send("GET", path, TOKENS["admin"])
        await at.send("POST", "/v1/freeze", None, body={"scope": "all"})
        assert await at.acts() == []


# What takes long, breaks, or cannot be written down: a route of the test's own, under the name of
# one that there is.


class Book:
    """A record, and how it is told of acts."""

    def __init__(self) -> None:
        self.acts: list[AdminActed] = []
        self.entered = 0
        """How many were waited for."""

    async def up_to_date(self) -> None:
        self.entered = len(self.acts)

    def client(self, handler: Any, under_way_s: float = 3_600.0) -> "TestClient[Any, Any]":
        acts = Acts(
            record=self.acts.append,
            up_to_date=self.up_to_date,
            now=lambda: AT,
            monotonic=lambda: 0.0,
            under_way_s=under_way_s,
        )
        guard = AdminGuard(
            tokens=AdminTokens(),
            pages=ForeignPages(),
            acts=acts,
            meter=AdminMeter(),
            now=lambda: 0.0,
        )
        app = web.Application(middlewares=[guard.middleware])
        app.router.add_post("/v1/tasks/{task_id}/cancel", handler)
        return TestClient(TestServer(app))

    @property
    def outcomes(self) -> list[ActOutcome]:
        return [each.outcome for each in self.acts]


async def test_a_route_that_reads_no_body_takes_no_form_of_a_page_either() -> None:
    book = Book()

    async def careless(request: web.Request) -> web.Response:
        return web.json_response({})

    async with book.client(careless) as client:
        path = "/v1/tasks/t1/cancel"
        assert (await client.post(path, data="x")).status >= 400
        assert book.acts == []
        assert (await client.post(path, json={})).status == 200
    assert (book.outcomes, book.entered) == ([ActOutcome.DONE], 1)


async def test_an_act_that_takes_long_is_on_record_before_it_is_over() -> None:
    book, done = Book(), asyncio.Event()

    async def slow(request: web.Request) -> web.Response:
        await done.wait()
        return web.json_response({})

    async with book.client(slow, under_way_s=0.0) as client, asyncio.TaskGroup() as group:
        asking = group.create_task(client.post("/v1/tasks/t1/cancel", json={}))
        await eventually(lambda: book.outcomes == [ActOutcome.UNDER_WAY])
        done.set()
        assert (await asking).status == 200
    assert book.outcomes == [ActOutcome.UNDER_WAY, ActOutcome.DONE]
    assert [each.asked_at for each in book.acts] == [AT, AT]


async def test_an_act_that_the_sidecars_end_cuts_short_is_on_record() -> None:
    book, begun = Book(), asyncio.Event()

    async def cut(request: web.Request) -> web.Response:
        begun.set()
        raise asyncio.CancelledError

    async with book.client(cut) as client:
        with pytest.raises(Exception, match=r"disconnected|closed"):
            await client.post("/v1/tasks/t1/cancel", json={})
        await begun.wait()
    assert book.outcomes == [ActOutcome.CUT_SHORT]


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (RuntimeError("half-way"), 500, None),
        (StoreUnavailable("the store is full"), 503, "store_unavailable"),
        (web.HTTPServiceUnavailable(), 503, None),
    ],
)
@pytest.mark.filterwarnings("ignore::ResourceWarning")
async def test_an_act_that_breaks_half_way_is_on_record(
    error: Exception, status: int, code: str | None
) -> None:
    book = Book()

    async def broken(request: web.Request) -> web.Response:
        raise error

    async with book.client(broken) as client:
        await client.post("/v1/tasks/t1/cancel", json={})
    [act] = book.acts
    assert book.entered == 1
    assert (act.outcome, act.status, act.code) == (ActOutcome.FAILED, status, code)
    assert act.target == {"task_id": "t1"}


async def test_who_made_a_key_and_who_revoked_it_is_on_record(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        made = await at.send("POST", "/v1/keys", TOKENS["admin"], body={"name": "team-a"})
        key = json.loads(made.body)
        key_id = key["record"]["key_id"]
        assert key["record"]["created_by"] == "admin"
        for given in (key["key"], key_id):  # the key itself stands nowhere
            answer = await at.send("POST", f"/v1/keys/{given}/revoke", TOKENS["admin"], body={})
            assert key["key"].encode() not in answer.body
        made_act, pasted, again = [each["detail"] for each in await at.acts()]
        events = await at.send("GET", "/v1/events?follow=false", TOKENS["viewer"])
    assert made_act["target"] == {"name": "team-a", "key_id": key_id}
    for act, shown in ((pasted, "ssk_<hidden>"), (again, key_id)):
        told = {"key": shown, "key_ids": [key_id], "supervisor": "team-a"}
        assert (act["act"], act["outcome"], act["target"]) == ("revoke_key", "done", told)
    assert key["key"].encode() not in events.body
    by = {e["kind"]: e["detail"].get("by") for e in json.loads(events.body)["events"]}
    assert by["key_created"] == by["key_revoked"] == "admin"
