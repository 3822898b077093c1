"""`GET /v1/report` of a sidecar that has seen something."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.integration.budgets.rig import WITHIN, Desk, desk
from tests.integration.http.rig import sidecar
from tests.support.waiting import eventually_got

NO_PAINTERS = {"name": "no-painters", "match": {"agent": "idle"}, "deny": True}


async def reported(at: Desk, query: str = "") -> Any:
    answer = await at.admin.call("GET", f"/v1/report{query}")
    assert answer.status == 200, answer.body
    return answer.json


async def test_a_report_tells_what_ran_what_it_cost_and_what_was_refused(tmp_path: Path) -> None:
    clocks = {"name": "clocks", "run": "2h"}
    async with desk(tmp_path, {"limits": [NO_PAINTERS], "lifecycle": [clocks]}) as at:
        quick = [(await at.start("quick"))[0] for _ in range(3)]
        for task_id in quick:
            await at.task_when(task_id, status="success")
            await at.used(task_id)
        await at.start("long")
        await at.start("idle")
        told = await eventually_got(
            lambda: reported(at),
            lambda report: len(report["agents"]) == 3 and report["agents"][0]["metered_runs"] == 3,
            within=WITHIN,
        )
        narrow = await reported(at, "?agent=long&break_even=2m&session=s1&upstream=default")
    agents = {agent["agent_name"]: agent for agent in told["agents"]}
    assert agents["quick"]["endings"]["success"] == agents["quick"]["started"] == 3
    assert agents["quick"]["run_time_s"]["of"] == 3 and agents["quick"]["few"]
    assert agents["quick"]["cost_usd"] == "0.013500"
    assert agents["quick"]["run_clock_s"] == 7_200
    assert (agents["long"]["live_runs"], agents["long"]["ended_runs"]) == (1, 0)
    assert (agents["idle"]["refused"], agents["idle"]["refusal_rate"]) == (1, 1.0)
    assert agents["idle"]["refused_by"] == {"no-painters": 1}
    assert (told["advice"], told["break_even_s"], told["left_out"]) == ([], 30.0, 0)
    assert [agent["agent_name"] for agent in narrow["agents"]] == ["long"]
    assert narrow["break_even_s"] == 120.0


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("since=noon", "since: 'noon' is not an ISO-8601 time"),
        ("break_even=soon", "break_even: 'soon' is not a duration such as"),
        ("break_even=25h", "break_even: a day is the most"),
        ("colour=red", "'colour' is not known here; there are: agent, break_even, "),
    ],
)
async def test_a_question_that_means_nothing_is_named_in_plain_words(query: str, said: str) -> None:
    async with sidecar("http://127.0.0.1:9") as front, front.admin() as admin:
        got = await admin.ask(f"GET /v1/report?{query} HTTP/1.1\r\nHost: a\r\n\r\n".encode())
    told = json.loads(got.body)
    assert (got.status, told["code"]) == (400, "bad_query")
    assert told["message"].startswith(said)
