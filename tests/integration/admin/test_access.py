"""Who gets in at the admin plane, tried over the wire: every route, with every token and none.

A guard that only unit tests call guards nothing, so nothing here asks the guard: a socket does."""

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.integration.admin.rig import TOKENS, WRONG, Desk, code, guarded
from tests.integration.http.rig import sidecar
from tests.unit.proxy.test_openapi import application

from subagent_sidecar.core.roles import Role
from subagent_sidecar.proxy.admin_metrics import MetricsRoutes

OPEN, VIEWER, OPERATOR, ADMIN = None, Role.VIEWER, Role.OPERATOR, Role.ADMIN

# The least role for each route, written down a second time: a slip in the table shows here.
LEAST: dict[str, Role | None] = {
    "GET /healthz": OPEN,
    "GET /readyz": OPEN,
    "GET /metrics": VIEWER,
    "GET /openapi.json": VIEWER,
    "GET /v1/audit": VIEWER,
    "GET /v1/budgets": VIEWER,
    "GET /v1/decisions": VIEWER,
    "GET /v1/events": VIEWER,
    "GET /v1/freeze": VIEWER,
    "GET /v1/keys": VIEWER,
    "GET /v1/policy": VIEWER,
    "GET /v1/policy/explain": VIEWER,
    "GET /v1/report": VIEWER,
    "GET /v1/sessions": VIEWER,
    "GET /v1/starts": VIEWER,
    "GET /v1/tasks": VIEWER,
    "GET /v1/tasks/{task_id}": VIEWER,
    "GET /v1/tasks/{task_id}/spans": VIEWER,
    "GET /v1/traces/{id}": VIEWER,
    "POST /v1/audit": OPERATOR,
    "POST /v1/budgets/raise": OPERATOR,
    "POST /v1/cancel": OPERATOR,
    "POST /v1/freeze": OPERATOR,
    "POST /v1/keys": ADMIN,
    "POST /v1/keys/{key}/revoke": ADMIN,
    "POST /v1/policy/reload": ADMIN,
    "POST /v1/reap": OPERATOR,
    "POST /v1/sessions/{session_id}/end": OPERATOR,
    "POST /v1/tasks/{task_id}/cancel": OPERATOR,
    "POST /v1/tools/{tool}": OPERATOR,
    "POST /v1/unfreeze": OPERATOR,
}
ACTS = sorted(route for route in LEAST if not route.startswith("GET "))


def routes() -> set[str]:
    """Of the application, as its router has them."""
    return {
        f"{route.method} {route.resource.canonical}"
        for route in application().router.routes()
        if route.resource is not None and route.method != "HEAD"
    }


def target(route: str) -> str:
    query = "?follow=false" if route.endswith("/events") else ""
    return (
        route.split()[1].format(task_id="t123", session_id="s123", id="t123", tool="x", key="k")
        + query
    )


def body(route: str) -> Any:
    """One that no route understands: who is let in does nothing."""
    return None if route.startswith("GET ") else {"zzz": 1}


def test_every_route_is_tried_here() -> None:
    assert routes() == LEAST.keys()


class Forgetful(MetricsRoutes):
    """Somebody adds a route, and does not say who may ask it."""

    def register(self, app: web.Application) -> None:
        super().register(app)
        app.router.add_post("/v1/forgotten", self.metrics)


def test_a_route_without_a_role_is_not_served() -> None:
    async def written(_: str) -> tuple[bytes, str]:
        return b"", ""

    with pytest.raises(LookupError, match="POST /v1/forgotten has no line in ACCESS"):
        application(metrics=Forgetful(written=written))


async def test_every_route_lets_in_whom_it_should_and_nobody_else(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        for route, least in LEAST.items():
            method = route.split()[0]
            for token in (None, WRONG):
                answer = await at.send(method, target(route), token, body=body(route))
                assert (route, answer.status) == (route, 200 if least is OPEN else 401)
            for role in Role:
                answer = await at.send(method, target(route), TOKENS[role], body=body(route))
                let_in = least is OPEN or role.may(least)
                assert (route, role, answer.status == 403) == (route, role, not let_in)
                assert answer.status not in (401, 415)
                if not let_in and least is not None:
                    assert code(answer) == "role_needed"
                    said = json.loads(answer.body)["message"]
                    assert f"the role {least}" in said and f"'{role}' has {role}" in said


async def test_heads_are_guarded_as_the_gets_they_stand_for(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        for path in ("/metrics", "/v1/tasks", "/openapi.json"):
            assert (await at.send("HEAD", path)).status == 401
            assert (await at.send("HEAD", path, TOKENS["viewer"])).status == 200


async def test_who_is_refused_is_told_how_to_get_in(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        none, wrong = await at.send("GET", "/v1/tasks"), await at.send("GET", "/v1/tasks", WRONG)
    assert none.get(b"WWW-Authenticate".lower()) == b'Bearer realm="subagent-sidecar"'
    assert wrong.get(b"www-authenticate") == (
        b'Bearer realm="subagent-sidecar", error="invalid_token"'
    )
    for answer in (none, wrong):
        assert code(answer) == "token_needed"
        assert "SUBAGENTCTL_TOKEN" in json.loads(answer.body)["message"]
        assert WRONG.encode() not in answer.body


async def test_to_ask_what_would_be_reaped_is_to_read(tmp_path: Path) -> None:
    viewer = TOKENS["viewer"]
    async with guarded(tmp_path) as at:
        for query, status in {
            "?dry_run=true": 200,
            "?dry_run=false": 403,
            "?dry_run=what": 403,
            "?dry_run=false&dry_run=true": 403,
            "": 403,
        }.items():
            answer = await at.send("POST", f"/v1/reap{query}", viewer, body={})
            assert (query, answer.status) == (query, status)
        assert {each["detail"]["act"] for each in await at.acts()} == {"reap"}
        assert {each["detail"]["outcome"] for each in await at.acts()} == {"denied"}


async def test_probes_learn_no_more_than_that_it_is_up(tmp_path: Path) -> None:
    async with guarded(tmp_path) as at:
        for path in ("/healthz", "/readyz"):
            for token in (None, WRONG):
                answer = await at.send("GET", path, token)
                assert (answer.status, json.loads(answer.body)) == (200, {"status": "ok"})
                assert answer.get(b"server") is None  # aiohttp's tells its version
        answer = await at.send("GET", "/readyz", TOKENS["viewer"])
        assert "store" in json.loads(answer.body)


async def test_without_tokens_everybody_on_the_machine_is_an_admin() -> None:
    async with sidecar("http://127.0.0.1:9") as front:
        at = Desk(front)
        for token in (None, WRONG):
            assert (await at.send("GET", "/v1/tasks", token)).status == 200
        assert (await at.send("POST", "/v1/policy/reload", body={})).status == 200
        assert "store" in json.loads((await at.send("GET", "/readyz")).body)
        [act] = await at.acts()
    assert (act["detail"]["by"], act["detail"]["act"]) == ("anonymous", "reload_policy")


# How a token may be told, and how not.


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (f"authorization: bearer {TOKENS['viewer']}\r\n", 200),
        (f"Authorization: Bearer   {TOKENS['viewer']}\r\n", 200),
        (f"Authorization: Basic {TOKENS['viewer']}\r\n", 401),
        (f"Authorization: {TOKENS['viewer']}\r\n", 401),
        (f"Authorization: Bearer {TOKENS['viewer']}x\r\n", 401),
        (f"Authorization: Bearer {TOKENS['viewer'][:-1]}\r\n", 401),
        (f"Authorization: Bearer {TOKENS['viewer'].upper()}\r\n", 401),
        ("Authorization: Bearer ' OR '1'='1\r\n", 401),
        ("Authorization: Bearer \xff\xfe\r\n", 401),
        ("Authorization: Bearer\r\n", 401),
        ("Authorization:\r\n", 401),
        (f"X-Api-Key: {TOKENS['admin']}\r\n", 401),
        (f"Cookie: token={TOKENS['admin']}\r\n", 401),
        (f"Authorization: Bearer {TOKENS['viewer']}\r\nAuthorization: Bearer x\r\n", 400),
        (f"Authorization: Bearer x\r\nAuthorization: Bearer {TOKENS['viewer']}\r\n", 400),
    ],
)
async def test_a_token_is_a_bearer_token_and_stands_once(
    tmp_path: Path, fields: str, status: int
) -> None:
    async with guarded(tmp_path) as at:
        assert (await at.send("GET", "/v1/tasks", fields=fields)).status == status
        query = f"/v1/tasks?token={TOKENS['admin']}&access_token={TOKENS['admin']}"
        assert (await at.send("GET", query)).status == 401


# Counted and said, but not once for every attempt, and never which token it was.


async def test_attempts_are_counted_and_told_of_once_a_minute(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with guarded(tmp_path) as at:
        for number in range(5):
            await at.send("GET", "/v1/tasks")
            await at.send("GET", "/healthz", f"{WRONG}-{number}")
            await at.send("POST", "/v1/freeze", TOKENS["viewer"], body={"scope": "all"})
        await at.send("GET", "/v1/tasks", host="pages.example")
        told = {why: await at.refusals(why) for why in ("no_token", "wrong_token", "role", "page")}
    assert told == {"no_token": 5, "wrong_token": 5, "role": 5, "page": 1}
    lines = [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
    assert sorted(lines) == [
        "the admin plane refused a request from 127.0.0.1 with a token that is none of ours",
        "the admin plane refused a request from 127.0.0.1 with the role viewer (token 'viewer')",
        "the admin plane refused a request from 127.0.0.1 without a token",
    ]
    assert WRONG not in caplog.text


# Pages in browsers


@pytest.mark.parametrize("route", sorted(LEAST))
async def test_no_route_answers_a_page_of_a_stranger(route: str) -> None:
    """Not where there are no tokens either: a browser on the machine is nobody's operator."""
    async with sidecar("http://127.0.0.1:9", allowed_hosts=["sidecar.example"]) as front:
        at, method = Desk(front), route.split()[0]
        answer = await at.send(method, target(route), body=body(route), host="pages.example")
        assert (answer.status, code(answer)) == (421, "foreign_origin")
        origin = "Origin: https://pages.example\r\n"
        answer = await at.send(method, target(route), body=body(route), fields=origin)
        assert (answer.status, code(answer)) == (421, "foreign_origin")
        for host in (
            "localhost:4000/#@evil",
            "user@localhost",
            "localhost,a",
            "127.0.0.1.evil.com",
        ):
            answer = await at.send(method, target(route), body=body(route), host=host)
            assert (host, answer.status, code(answer)) == (host, 421, "foreign_origin")
        for host in ("sidecar.example:8461", "Sidecar.Example.", "host.docker.internal:8461"):
            answer = await at.send(method, target(route), body=body(route), host=host)
            assert answer.status != 421


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
async def test_no_act_takes_what_a_page_can_send_unasked(tmp_path: Path, kind: str) -> None:
    fields = f"Content-Type: {kind}\r\n" if kind else ""
    async with guarded(tmp_path) as at:
        for route in ACTS:
            answer = await at.send(
                "POST", target(route), TOKENS["admin"], fields=f"{fields}Content-Length: 0\r\n"
            )
            assert (route, answer.status, code(answer)) == (route, 415, "not_json")
