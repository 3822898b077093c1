"""The operator's levers on the admin plane: freeze, and budgets."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from tests.integration.budgets.rig import STEP_MICRO_USD, Desk, desk

SESSION = {"name": "session-usd", "usd": 5, "runs": 9, "per": "session", "window": "1d"}
TASK = {"name": "task-runs", "match": {"agent": "quick"}, "runs": 1, "per": "task"}
DAY = {"name": "all-time", "usd": 100, "run_time": "2h", "per": "global"}
NO_RESERVE = {"reserved": 0, "reserving": 0, "at_least": False}
BUDGETS = {"budgets": [SESSION, TASK, DAY]}


async def post(at: Desk, path: str, **body: object) -> Any:
    return await at.admin.call("POST", path, body)


async def budgets(at: Desk, query: str = "") -> Any:
    return (await at.admin.call("GET", f"/v1/budgets{query}")).json


@pytest.mark.parametrize(
    ("which", "stopped", "goes_on"),
    [
        ({"scope": "all"}, [("quick", "s1"), ("long", "s2")], []),
        ({"scope": "agent", "id": "quick"}, [("quick", "s1"), ("quick", "s2")], [("idle", "s1")]),
        ({"scope": "session", "id": "s1"}, [("quick", "s1"), ("idle", "s1")], [("quick", "s2")]),
    ],
)
async def test_the_very_next_start_is_refused_until_the_freeze_is_lifted(
    tmp_path: Path, which: dict[str, str], stopped: list[Any], goes_on: list[Any]
) -> None:
    async with desk(tmp_path, {}) as at:
        frozen = await post(at, "/v1/freeze", **which, reason="they\nspend")
        for graph, session in stopped:
            _, answer = await at.start(graph, session)
            assert (answer.status, answer.json["code"]) == (403, "frozen")
            assert "they spend" in answer.json["message"]
        for graph, session in goes_on:
            assert (await at.start(graph, session))[1].status == 200
        assert (await at.admin.call("GET", "/v1/freeze")).json == {"frozen": frozen.json["frozen"]}
        [told] = frozen.json["frozen"]
        assert told["scope"] == which["scope"] and told["id"] == which.get("id")
        assert (await post(at, "/v1/unfreeze", **which)).json == {"frozen": []}
        for graph, session in stopped:
            assert (await at.start(graph, session))[1].status == 200
        kinds = [event["kind"] for event in await at.events("frozen", "unfrozen")]
    assert kinds == ["frozen", "unfrozen"]


async def test_a_freeze_stops_follow_ups_and_ends_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        task_id, started = await at.start("long")
        await post(at, "/v1/freeze", scope="all")
        update = (await at.start("long", thread_id=task_id))[1]
        await at.used(task_id, steps=2)
        run = await at.client.call("GET", f"/threads/{task_id}/runs/{started.json['run_id']}")
    assert (update.status, update.json["code"]) == (403, "frozen")
    assert run.json["status"] in ("pending", "running")


async def test_of_starts_at_the_same_moment_none_passes_a_freeze_that_was_answered(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, {}) as at:
        threads = [await at.client.new_thread() for _ in range(20)]
        await post(at, "/v1/freeze", scope="all")
        answers = await asyncio.gather(*(at.start("quick", thread_id=each) for each in threads))
    assert {answer.status for _, answer in answers} == {403}


async def test_what_is_not_frozen_cannot_be_unfrozen(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        await post(at, "/v1/freeze", scope="agent", id="coder")
        answer = await post(at, "/v1/unfreeze", scope="agent", id="code")
    assert (answer.status, answer.json["code"]) == (404, "not_frozen")
    assert answer.json["message"] == "agent code is not frozen; frozen: agent coder"


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({}, "scope: must be one of all, agent, session"),
        ({"scope": ["all"]}, "scope: must be one of"),
        ({"scope": "upstream", "id": "x"}, "scope: must be one of"),
        ({"scope": "all", "id": "x"}, "id: 'all' has none"),
        ({"scope": "agent"}, "id: must be the name of the agent"),
        ({"scope": "session", "id": ""}, "id: must be the name of the session"),
        ({"scope": "session", "id": "\ud800"}, "id: must be the name of the session"),
        ({"scope": "all", "reason": 1}, "reason: must be text"),
        ({"scope": "all", "why": "x"}, "'why' is not known here"),
    ],
)
async def test_a_freeze_that_makes_no_sense_freezes_nothing(
    tmp_path: Path, body: dict[str, object], said: str
) -> None:
    async with desk(tmp_path, {}) as at:
        answer = await post(at, "/v1/freeze", **body)
        assert (answer.status, answer.json["code"]) == (400, "bad_body")
        assert said in answer.json["message"]
        assert (await at.admin.call("GET", "/v1/freeze")).json == {"frozen": []}


async def test_budgets_are_shown_with_what_is_left_in_each_scope(tmp_path: Path) -> None:
    async with desk(tmp_path, BUDGETS) as at:
        task_id, _ = await at.start("quick", "s1")
        await at.used(task_id)
        found = await budgets(at)
    assert found["rules"] == ["session-usd", "task-runs", "all-time"] and not found["more"]
    rows = {row["rule"]: row for row in found["budgets"]}
    assert found["budgets"][0]["rule"] == "task-runs"  # all of it is used
    cost = f"0.{STEP_MICRO_USD:06d}"
    assert rows["session-usd"] == {
        "rule": "session-usd",
        "policy": "policy",
        "mode": "enforce",
        "scope": "session",
        "scope_id": "s1",
        "window": "1d",
        "on_exhausted": "deny_new",
        "state": "ok",
        "share": 0.1111,
        "unpriced": 0,
        "amounts": {
            "usd": {
                "used": cost,
                "spent": cost,
                "reserved": "0.000000",
                "reserving": 0,
                "limit": "5.000000",
                "raised": "0.000000",
                "remaining": f"4.{10**6 - STEP_MICRO_USD:06d}",
                "at_least": False,
            },
            "runs": {**NO_RESERVE, "used": 1, "spent": 1, "limit": 9, "raised": 0, "remaining": 8},
        },
    }
    assert (rows["task-runs"]["state"], rows["task-runs"]["scope_id"]) == ("exhausted", task_id)
    assert rows["all-time"]["scope_id"] == "*"
    assert rows["all-time"]["amounts"]["run_time"]["limit"] == 7200


async def test_what_is_reserved_is_shown_apart_from_what_is_spent(tmp_path: Path) -> None:
    reserving = {"name": "usd", "usd": 1, "per": "session", "reserve": {"usd": 0.5}}
    async with desk(tmp_path, {"budgets": [reserving]}) as at:
        await at.start("idle", "s1")
        await at.start("idle", "s1")
        [row] = (await budgets(at))["budgets"]
        _, refused = await at.start("idle", "s1")
        raised = await post(at, "/v1/budgets/raise", rule="usd", scope_id="s1", usd="1")
    usd = row["amounts"]["usd"]
    assert row["state"] == "reserved"
    assert (usd["used"], usd["spent"], usd["reserved"]) == ("1.000000", "0.000000", "1.000000")
    assert (usd["reserving"], usd["remaining"]) == (2, "0.000000")
    assert (refused.status, refused.json["reserved"]) == (402, "1.000000")
    assert "kept in reserve by 2 runs in flight" in refused.json["message"]
    assert raised.json["budget"]["amounts"]["usd"]["reserved"] == "1.000000"


async def test_a_sum_that_is_not_known_says_so(tmp_path: Path) -> None:
    async with desk(tmp_path, BUDGETS) as at:
        task_id, _ = await at.start("unpriced", "s1")
        await at.used(task_id)
        [row] = (await budgets(at, "?rule=session-usd"))["budgets"]
    assert (row["state"], row["unpriced"]) == ("unpriced", 1)
    assert row["amounts"]["usd"]["at_least"] and not row["amounts"]["runs"]["at_least"]


async def test_a_raise_holds_for_the_very_next_start(tmp_path: Path) -> None:
    async with desk(tmp_path, BUDGETS) as at:
        task_id, _ = await at.start("quick", "s1")
        await at.used(task_id)
        assert (await at.start("quick", thread_id=task_id))[1].json["code"] == "budget_runs"
        raised = await post(
            at, "/v1/budgets/raise", rule="task-runs", scope_id=task_id[-12:], runs=1
        )
        assert (await at.start("quick", thread_id=task_id))[1].status == 200
        assert (await at.start("quick", thread_id=task_id))[1].status == 402
        [event] = await at.events("budget_raised")
    row = raised.json["budget"]
    assert (row["scope_id"], row["state"]) == (task_id, "ok")
    runs = {**NO_RESERVE, "used": 1, "spent": 1, "limit": 2, "raised": 1, "remaining": 1}
    assert row["amounts"] == {"runs": runs}
    assert event["detail"]["budget"] == "task-runs" and event["detail"]["scope_id"] == task_id


async def test_only_the_scope_that_is_named_is_raised(tmp_path: Path) -> None:
    async with desk(tmp_path, BUDGETS) as at:
        for session in ("s1", "s2"):
            await at.start("idle", session)
        await post(at, "/v1/budgets/raise", rule="session-usd", scope_id="s1", usd="2.5", runs=1)
        await post(at, "/v1/budgets/raise", rule="session-usd", scope_id="s1", usd=0.5)
        await post(at, "/v1/budgets/raise", rule="all-time", run_time="30m")
        found = await budgets(at, "?rule=session-usd")
        [everybody] = (await budgets(at, "?rule=all-time"))["budgets"]
    limits = {row["scope_id"]: row["amounts"]["usd"]["limit"] for row in found["budgets"]}
    assert limits == {"s1": "8.000000", "s2": "5.000000"}
    assert everybody["amounts"]["run_time"]["limit"] == 9000


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ({"rule": "x", "scope_id": "s1", "usd": 1}, 404, "no budget in force is called 'x'"),
        ({"scope_id": "s1", "usd": 1}, 400, "rule: must be a name"),
        ({"rule": "session-usd", "usd": 1}, 400, "scope_id: must be a name"),
        ({"rule": "session-usd", "scope_id": "s1"}, 400, "say what to add: usd, runs"),
        ({"rule": "session-usd", "scope_id": "s1", "tokens": 1}, 400, "limits usd, runs only"),
        ({"rule": "session-usd", "scope_id": "s1", "usd": 0}, 400, "more than nothing"),
        ({"rule": "session-usd", "scope_id": "s1", "usd": -1}, 400, "usd: -1 is not an amount"),
        ({"rule": "session-usd", "scope_id": "s1", "usd": "1e-9"}, 400, "six decimals at most"),
        ({"rule": "session-usd", "scope_id": "s1", "runs": 1.5}, 400, "runs: must be a whole"),
        ({"rule": "session-usd", "scope_id": "s1", "runs": True}, 400, "runs: must be a whole"),
        ({"rule": "all-time", "scope_id": "s1", "usd": 1}, 400, "of all callers together"),
        ({"rule": "all-time", "run_time": "soon"}, 400, "run_time: 'soon' is not a duration"),
        ({"rule": "all-time", "run_time": "0s"}, 400, "run_time: must be more than nothing"),
        ({"rule": "task-runs", "scope_id": "nobody", "runs": 1}, 404, "no task's id begins"),
    ],
)
async def test_a_raise_that_makes_no_sense_raises_nothing(
    tmp_path: Path, body: dict[str, object], status: int, said: str
) -> None:
    async with desk(tmp_path, BUDGETS) as at:
        answer = await post(at, "/v1/budgets/raise", **body)
        assert answer.status == status and said in answer.json["message"]
        assert await at.events("budget_raised") == []


async def test_a_name_nothing_is_on_record_of_is_frozen_ahead_of_time_and_that_is_said(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, {}) as at:
        await at.start("quick", "s1")
        slip = await post(at, "/v1/freeze", scope="agent", id="quik")
        known = await post(at, "/v1/freeze", scope="agent", id="quick")
        new = await post(at, "/v1/freeze", scope="session", id="tomorrow")
        assert (await at.start("idle", "tomorrow"))[1].json["code"] == "frozen"
    assert slip.json["not_on_record"] == {
        "scope": "agent",
        "id": "quik",
        "did_you_mean": ["quick"],
    }
    assert len(slip.json["frozen"]) == 1 and known.json["not_on_record"] is None
    assert new.json["not_on_record"]["did_you_mean"] == []


async def test_a_raise_for_a_name_nothing_is_on_record_of_is_kept_and_that_is_said(
    tmp_path: Path,
) -> None:
    async with desk(tmp_path, BUDGETS) as at:
        await at.start("quick", "session-1")
        answer = await post(at, "/v1/budgets/raise", rule="session-usd", scope_id="sesion-1", usd=1)
        known = await post(at, "/v1/budgets/raise", rule="session-usd", scope_id="session-1", usd=1)
    assert answer.json["not_on_record"]["did_you_mean"] == ["session-1"]
    assert answer.json["budget"]["amounts"]["usd"]["limit"] == "6.000000"
    assert known.json["not_on_record"] is None


@pytest.mark.parametrize("name", ["*", "qui*", " quick"])
async def test_what_can_only_be_a_mistake_freezes_and_raises_nothing(
    tmp_path: Path, name: str
) -> None:
    async with desk(tmp_path, BUDGETS) as at:
        await at.start("quick", "s1")
        for path, body in (
            ("/v1/freeze", {"scope": "agent", "id": name}),
            ("/v1/budgets/raise", {"rule": "session-usd", "scope_id": name, "usd": 1}),
        ):
            answer = await post(at, path, **body)
            assert (answer.status, answer.json["code"]) == (400, "not_a_name")
            assert name in answer.json["message"]
        assert await at.events("frozen", "budget_raised") == []


async def test_a_name_is_a_name_once_somebody_goes_by_it(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        await at.start("quick", "what?")
        assert (await post(at, "/v1/freeze", scope="session", id="what?")).status == 200


async def test_a_raise_for_an_upstream_that_is_not_there_is_a_mistake(tmp_path: Path) -> None:
    budget = {"name": "runs", "runs": 9, "per": "upstream"}
    async with desk(tmp_path, {"budgets": [budget]}) as at:
        answer = await post(at, "/v1/budgets/raise", rule="runs", scope_id="nope", runs=1)
        there = await post(at, "/v1/budgets/raise", rule="runs", scope_id="default", runs=1)
    assert (answer.status, answer.json["code"]) == (404, "no_such_upstream")
    assert answer.json["message"] == "there is no upstream 'nope'; there are: default"
    assert (there.status, there.json["not_on_record"]) == (200, None)


async def test_what_is_not_frozen_is_answered_with_what_is(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        nothing = await post(at, "/v1/unfreeze", scope="all")
        await post(at, "/v1/freeze", scope="agent", id="quick")
        one, everything = [
            await post(at, "/v1/unfreeze", **body)
            for body in ({"scope": "agent", "id": "idle"}, {"scope": "all"})
        ]
    assert [a.status for a in (nothing, one, everything)] == [404] * 3
    assert nothing.json["message"] == "nothing is frozen"
    assert one.json["message"] == "agent idle is not frozen; frozen: agent quick"
    assert everything.json["message"] == (
        "there is no freeze of all starts to lift; each of these is lifted by its name: agent quick"
    )


async def test_without_budgets_there_is_nothing_to_show(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        await at.start("idle")
        assert await budgets(at) == {"budgets": [], "rules": [], "more": False}
        assert (await at.admin.call("GET", "/v1/budgets?rule=x")).status == 404
        assert (await at.admin.call("GET", "/v1/budgets?of=x")).status == 400
