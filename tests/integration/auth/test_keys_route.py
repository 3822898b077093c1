"""Operators make, list and revoke keys by the admin plane."""

from typing import Any

import pytest
from tests.contract.agent_client import agent_client
from tests.integration.auth.rig import admin, ask, guarded, new_key
from tests.integration.http.rig import LOCAL, recorded
from tests.support.openapi import answer_schema, mistakes
from tests.support.waiting import eventually_got

GET = "GET /threads/t"


async def test_a_key_is_shown_once_and_not_to_be_kept_by_anybody() -> None:
    async with recorded(auth=True) as (_, front):
        async with agent_client(f"http://{LOCAL}:{front.admin_port}") as client:
            made = await client.call("POST", "/v1/keys", {"name": "team-a"})
        assert made.headers["cache-control"] == "no-store"
        key = made.json["key"]
        for path in ("/v1/keys", "/v1/events?follow=false&after=0", "/metrics"):
            async with agent_client(f"http://{LOCAL}:{front.admin_port}") as client:
                told = (await client.call("GET", path)).body.decode()
            assert key not in told and key.split("_")[2] not in told


async def test_what_is_answered_is_what_openapi_says() -> None:
    async with guarded() as (_, front, _):
        told = await admin(front, "/openapi.json")
        for path, body in (
            ("/v1/keys", None),
            ("/v1/keys", {"name": "b", "agents": ["res*"], "expires": "30d", "every_task": True}),
            ("/v1/keys/b/revoke", {}),
        ):
            answer = await admin(front, path, body)
            route = "/v1/keys/{key}/revoke" if path.endswith("revoke") else path
            schema = answer_schema(told, route, "get" if body is None else "post", 200)
            assert mistakes(told, schema, answer) == []


async def test_the_list_tells_what_each_may_and_how_it_stands() -> None:
    async with guarded() as (_, front, _):
        await new_key(front, "b", agents=["coder", "res*"], every_task=False, expires="1ms")
        listed = await eventually_got(
            lambda: admin(front, "/v1/keys"), lambda got: got["keys"][1]["state"] != "live"
        )
        assert listed["auth"] is True
        what = ("name", "state", "agents", "every_task")
        assert [[each[key] for key in what] for each in listed["keys"]] == [
            ["team-a", "live", ["*"], True],
            ["b", "expired", ["coder", "res*"], False],
        ]


async def test_a_key_is_revoked_by_its_id_or_by_the_name_of_who_has_no_other() -> None:
    async with guarded() as (_, front, first):
        second = await new_key(front)
        told = await admin(front, "/v1/keys/team-a/revoke", {}, status=409)
        assert told["code"] == "ambiguous_key"
        assert told["candidates"] == [each.split("_")[1] for each in (first, second)]
        done = await admin(front, f"/v1/keys/{told['candidates'][0]}/revoke", {})
        assert (done["changed"], done["revoked"][0]["state"]) == (1, "revoked")
        assert (await ask(front, GET, f"x-api-key: {first}")).status == 401
        assert (await ask(front, GET, f"x-api-key: {second}")).status == 200
        assert (await admin(front, "/v1/keys/team-a/revoke", {}))["changed"] == 1
        assert (await admin(front, "/v1/keys/team-a/revoke", {}))["changed"] == 0
        assert (await ask(front, GET, f"x-api-key: {second}")).status == 401


async def test_all_keys_of_a_supervisor_go_at_once_if_that_is_said() -> None:
    async with guarded() as (_, front, _):
        await new_key(front)
        other = await new_key(front, "team-b")
        assert (await admin(front, "/v1/keys/team-a/revoke", {"all": True}))["changed"] == 2
        assert (await ask(front, GET, f"x-api-key: {other}")).status == 200


async def test_a_key_that_was_pasted_whole_is_revoked_and_not_repeated() -> None:
    async with guarded() as (_, front, key):
        cut_short = await admin(front, f"/v1/keys/{key[:-2]}/revoke", {}, status=404)
        assert key[:-2] not in str(cut_short)
        done = await admin(front, f"/v1/keys/{key}/revoke", {})
        assert done["changed"] == 1 and key not in str(done)
        told = await admin(front, "/v1/events?follow=false&after=0")
        assert key.split("_")[2][:40] not in str(told)


async def test_a_name_that_nobody_has_is_answered_with_those_like_it() -> None:
    async with guarded() as (_, front, _):
        told = await admin(front, "/v1/keys/taem-a/revoke", {}, status=404)
        assert (told["code"], told["message"].endswith("; like it: team-a")) == (
            "key_not_found",
            True,
        )


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({}, "name: must be the name"),
        ({"name": ""}, "name: must have"),
        ({"name": "a b"}, "name: must have"),
        ({"name": "anonymous"}, "name: 'anonymous' is what"),
        ({"name": "a", "agents": []}, "agents: names nobody"),
        ({"name": "a", "agents": "coder"}, "agents: must be a list"),
        ({"name": "a", "expires": "soon"}, "expires: 'soon' is not a duration"),
        ({"name": "a", "expires": "0"}, "expires: must be more than 0"),
        ({"name": "a", "expires": "9999w"}, "expires: must be more than 0, and at most"),
        ({"name": "a", "every_task": 1}, "every_task: must be true or false"),
        ({"name": "a", "role": "admin"}, "'role' is not known"),
    ],
)
async def test_what_is_no_key_is_told_word_for_word(body: Any, says: str) -> None:
    async with recorded() as (_, front):
        told = await admin(front, "/v1/keys", body, status=400)
        assert told["message"].startswith(says)
        assert (await admin(front, "/v1/keys"))["keys"] == []


async def test_keys_can_be_made_before_they_are_asked_for() -> None:
    async with recorded() as (_, front):
        await new_key(front)
        listed = await admin(front, "/v1/keys")
        assert (listed["auth"], len(listed["keys"])) == (False, 1)
        assert (await ask(front, GET)).status == 200
