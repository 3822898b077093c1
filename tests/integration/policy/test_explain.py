"""`subagentctl policy explain`: what it says of a start is what happens to it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from tests.contract.agent_client import AgentClient, Answer, agent_client
from tests.integration.http.rig import LOCAL, sidecar
from tests.support.operator import Said, subagentctl

from subagent_sidecar.testing import FakeAgentServer, hang

POLICY = """
version: 1
limits:
  - {name: places, concurrent: 2, per: session, message: Wait for it.}
  - {name: nesting, depth: 0}
  - {name: same, duplicates: 1, per: session, window: 1h}
  - {name: watched, mode: observe, starts: 1, per: supervisor}
budgets:
  - {name: money, usd: 2, per: session, reserve: {usd: 0.25}, on_unpriced: ignore}
  - {name: follow-ups, runs: 2, per: task}
lifecycle:
  - {name: clocks, run: 30m, total: 2h}
  - {name: for-coders, match: {agent: coder}, run: 1h}
"""


@dataclass(frozen=True)
class Desk:
    client: AgentClient
    admin: AgentClient

    async def start(self, thread_id: str, text: str, session: str = "s") -> Answer:
        body = {
            "assistant_id": "coder",
            "input": {"messages": [{"role": "user", "content": text}]},
        }
        headers = {"x-subagent-session": session}
        return await self.client.call("POST", f"/threads/{thread_id}/runs", body, headers=headers)

    async def started(self, text: str, session: str = "s") -> str:
        thread_id = await self.client.new_thread()
        answer = await self.start(thread_id, text, session)
        assert answer.status == 200, answer
        return thread_id

    async def explained(self, query: str) -> Any:
        answer = await self.admin.call("GET", f"/v1/policy/explain?{query}")
        assert answer.status == 200, answer
        return answer.json

    async def explain(self, *args: str) -> Said:
        said = await subagentctl(self.admin.url, "policy", "explain", *args)
        assert said.code == 0, said
        return said


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    file = folder / "team.yaml"
    file.write_text(POLICY, "utf-8")
    async with (
        FakeAgentServer({"coder": hang(), "writer": hang()}) as server,
        sidecar(server.url, policy=str(file)) as parts,
        agent_client(f"http://{LOCAL}:{parts.port}") as client,
        agent_client(f"http://{LOCAL}:{parts.admin_port}") as admin,
    ):
        yield Desk(client, admin)


def standing(answer: Any) -> dict[str, tuple[Any, ...]]:
    """Of each rule what it counts, the numbers, and the verdict."""
    return {
        f"{row['rule']} {row['what']}": (row["current"], row["limit"], row["verdict"])
        for row in answer["rules"]
    }


async def test_a_start_is_explained_by_what_it_would_say(tmp_path: Path) -> None:
    async with desk(tmp_path) as front:
        before = await front.explained("agent=coder&session=s")
        assert standing(before) == {
            "places concurrent": (0, 2, "lets_in"),
            "nesting depth": (0, 0, "lets_in"),
            "same duplicates": (0, 1, "lets_in"),
            "watched starts": (0, 1, "lets_in"),
            "money micro_usd": ("0.000000", "2.000000", "lets_in"),
            "follow-ups runs": (0, 2, "lets_in"),
        }
        assert before["verdicts"]["start"]["let_in"]
        assert (before["task"], before["decisions"]) == (None, [])
        assert [(row["setting"], row["value"], row["rule"]) for row in before["lifecycle"]] == [
            ("run", "1h", "for-coders"),
            ("total", "2h", "clocks"),
        ]
        await front.started("one")
        await front.started("two")
        after = await front.explained("agent=coder&session=s")
        assert standing(after)["places concurrent"] == (2, 2, "refuses")
        assert standing(after)["watched starts"] == (2, 1, "would_refuse")
        assert standing(after)["money micro_usd"] == ("0.500000", "2.000000", "lets_in")
        elsewhere = await front.explained("agent=coder&session=other")
        assert elsewhere["verdicts"]["start"]["would_refuse"] == ["watched"]


async def test_what_is_explained_is_what_happens(tmp_path: Path) -> None:
    async with desk(tmp_path) as front:
        await front.started("one")
        task = await front.started("two")
        told = (await front.explained("agent=coder&session=s"))["verdicts"]["start"]["message"]
        refused = await front.start(await front.client.new_thread(), "three")
        assert (refused.status, refused.json["message"]) == (403, told)
        deeper = await front.explained(f"agent=coder&session={task}")
        assert (deeper["call"]["depth"], deeper["call"]["tree_id"]) == (1, task)
        below = await front.start(await front.client.new_thread(), "below", session=task)
        assert below.json["message"] == deeper["verdicts"]["start"]["message"]


async def test_a_task_is_explained_with_what_was_asked_and_refused_before(tmp_path: Path) -> None:
    async with desk(tmp_path) as front:
        task = await front.started("one")
        assert (await front.start(task, "more")).status == 200
        assert (await front.start(task, "and more")).status == 402
        found = await front.explained(f"task={task[-10:]}")
        assert standing(found)["follow-ups runs"] == (2, 2, "refuses")
        assert standing(found)["same duplicates"] == (1, 1, "refuses")
        verdicts = found["verdicts"]
        assert {kind: verdict["rule"] for kind, verdict in verdicts.items()} == {
            "start": None,
            "repeat": "same",
            "update": "follow-ups",
        }
        first, second = found["task"]["admitted"]
        assert (first["kind"], second["kind"]) == ("start", "update")
        assert {row["rule"] for row in first["asked"]} > {row["rule"] for row in second["asked"]}
        assert second["asked"][-1] == {
            "rule": "follow-ups",
            "what": "runs",
            "current": 1,
            "limit": 2,
        }
        [decision] = found["decisions"]
        assert (decision["verdict"], decision["rule"]) == ("deny", "follow-ups")
        check = next(check for check in decision["checks"] if check["denies"])
        assert (check["rule"], check["current"], check["limit"]) == ("follow-ups", 2, 2)


async def test_a_person_reads_a_line_for_each_rule_and_the_verdict_last(tmp_path: Path) -> None:
    async with desk(tmp_path) as front:
        task = await front.started("one")
        await front.start(task, "more")
        await front.start(task, "and more")
        lines = (await front.explain(task[-12:])).out.splitlines()
        assert lines[0].startswith(f"task {task} (")
        places = next(line for line in lines if line.startswith("places"))
        assert places.split()[:7] == ["places", "team", "unfinished", "session", "s", "1", "of"]
        money = next(line for line in lines if line.startswith("money"))
        assert "$0.50 of $2.00, needs $0.25" in money
        assert "starts + follow-ups" in money
        assert "run      1h     for-coders  team    enforce" in lines
        assert any(line.endswith("follow-ups (runs) 1 of 2") for line in lines)
        assert "REFUSED LATELY" in lines
        observed = "watched, which only observes, would refuse it"
        assert lines[-3] == f"A start would be let in; {observed}."
        assert lines[-2].startswith("The same instruction once more would be refused: Not started:")
        assert lines[-1].startswith("A follow-up would be refused: Not started: the budget")
        said = await front.explain("--agent", "coder", "--session", "new", "-o", "json")
        assert said.json["verdicts"]["start"]["let_in"] is True


async def test_an_upstream_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    async with desk(tmp_path) as front:
        said = await subagentctl(
            front.admin.url, "policy", "explain", "--agent", "coder", "--upstream", "nope"
        )
    assert (said.code, said.out) == (4, "")
    assert said.err == "subagentctl: there is no upstream 'nope'; there are: default.\n"


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "bad_query"),
        ("session=s", 400, "bad_query"),
        ("task=abcd&agent=coder", 400, "bad_query"),
        ("agent=coder&depth=-1", 400, "bad_query"),
        ("agent=coder&colour=red", 400, "bad_query"),
        ("agent=coder&upstream=nowhere", 404, "no_such_upstream"),
        ("task=nobody-has-this", 404, "task_not_found"),
    ],
)
async def test_what_cannot_be_explained(tmp_path: Path, query: str, status: int, code: str) -> None:
    async with desk(tmp_path) as front:
        answer = await front.admin.call("GET", f"/v1/policy/explain?{query}")
        assert (answer.status, answer.json["code"]) == (status, code)
