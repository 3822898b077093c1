"""`subagentctl policy replay` tells the truth: what it says strict would have refused of starts
that went through without rules is what strict refuses of the same starts when it is in force."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from tests.contract.agent_client import AgentClient, Answer, agent_client
from tests.integration.http.rig import LOCAL, Front, sidecar
from tests.support.operator import Said, subagentctl

from subagent_sidecar.testing import FakeAgentServer, hang

GRAPHS = {"coder": hang(), "writer": hang()}
LONG_AGO = "2020-01-01T00:00:00Z"


WRONG = (
    *("starts?limit=0", "starts?after=x", "starts?after=WyJhIl0", "starts?x=1", "starts?since=x"),
    *("decisions?order=x", "decisions?verdict=x", "decisions?cursor=WyJhIl0", "decisions?limit=x"),
)


@dataclass(frozen=True)
class Wanted:
    """A start that a supervisor makes: `parent` and `of` are numbers of starts before."""

    text: str
    session: str = ""
    agent: str = "coder"
    parent: int | None = None
    of: int | None = None


# Never five within a minute that strict lets in from one session: nothing here is about time.
STARTS: Sequence[Wanted] = (
    Wanted("one", "busy"),
    Wanted("two", "busy"),
    Wanted("three", "busy", "writer"),
    Wanted("four", "busy"),  # 3: no place
    Wanted("five", "busy"),  # 4: no place
    Wanted("once more", of=0),
    Wanted("below four", parent=3),  # its parent is not there
    Wanted("and below that", parent=6),
    Wanted("more of four", of=3),
    Wanted("the same", "twice"),
    Wanted("the same", "twice"),  # 10: said before
    Wanted("the same", "twice", "writer"),
    Wanted("root", "deep"),
    Wanted("helper", parent=12),
    Wanted("helper's helper", parent=13),  # 14: too deep
    Wanted("below that", parent=14),
)
REFUSED = {3: "session-fan-out", 4: "session-fan-out", 10: "no-duplicates", 14: "nesting"}
NOT_MADE = {6, 7, 8, 15}


@asynccontextmanager
async def front(policy: str) -> AsyncIterator[tuple[AgentClient, Front]]:
    async with (
        FakeAgentServer(GRAPHS) as server,
        sidecar(server.url, policy=policy) as parts,
        agent_client(f"http://{LOCAL}:{parts.port}") as client,
    ):
        yield client, parts


async def asked(front: Front, *args: str) -> Said:
    said = await subagentctl(f"http://{LOCAL}:{front.admin_port}", *args)
    assert said.code == 0, said
    return said


async def start(client: AgentClient, thread_id: str, session: str, wanted: Wanted) -> Answer:
    body = {
        "assistant_id": wanted.agent,
        "input": {"messages": [{"role": "user", "content": wanted.text}]},
    }
    headers = {"x-subagent-session": session}
    return await client.call("POST", f"/threads/{thread_id}/runs", body, headers=headers)


async def made(client: AgentClient) -> tuple[dict[int, str], dict[int, Answer]]:
    """Make the starts, where there is somebody to make them: threads and refusals, by number."""
    threads: dict[int, str] = {}
    refusals: dict[int, Answer] = {}
    for number, wanted in enumerate(STARTS):
        before = wanted.parent if wanted.parent is not None else wanted.of
        if before is not None and before not in threads:
            continue
        session = wanted.session if wanted.parent is None else threads[wanted.parent]
        thread = await client.new_thread() if wanted.of is None else threads[wanted.of]
        answer = await start(client, thread, session or "busy", wanted)
        if answer.status == 200:
            threads[number] = thread
        else:
            refusals[number] = answer
    return threads, refusals


async def test_a_replay_refuses_what_the_policy_refuses_when_it_is_in_force() -> None:
    async with front("none") as (client, parts):
        threads, refusals = await made(client)
        assert (len(threads), refusals) == (len(STARTS), {})
        said = await asked(
            parts, "policy", "replay", "strict", "--since", LONG_AGO, "-v", "-o", "json"
        )
    document = said.json
    begun = {thread: n for n, thread in threads.items() if STARTS[n].of is None}
    told = {
        begun[one["task_id"]]: one["rule"] for one in document["single"] if one["fate"] == "refused"
    }
    orphans = [one for one in document["single"] if one["fate"] == "orphaned"]
    assert told == REFUSED
    assert (document["starts"], document["refused"]) == (len(STARTS), len(REFUSED))
    assert len(orphans) == document["not_made"] == len(NOT_MADE)
    assert {rule["rule"]: rule["starts"] for rule in document["by_rule"]} == {
        "session-fan-out": 2,
        "no-duplicates": 1,
        "nesting": 1,
    }

    async with front("strict") as (client, parts):
        threads, refusals = await made(client)
        assert {number: answer.json["rule"] for number, answer in refusals.items()} == REFUSED
        assert set(range(len(STARTS))) - threads.keys() - refusals.keys() == NOT_MADE
        again = await asked(parts, "policy", "replay", "strict", "--since", LONG_AGO, "-o", "json")
        assert (again.json["starts"], again.json["refused"]) == (len(threads), 0)
        assert again.json["refusals"] == {"on_record": 4, "let_in": 0, "not_made": 0}
        loose = await asked(parts, "policy", "replay", "default", "--since", LONG_AGO, "-o", "json")
        assert loose.json["refusals"] == {"on_record": 4, "let_in": 4, "not_made": 0}


async def test_a_replay_begins_with_what_it_comes_to() -> None:
    async with front("none") as (client, parts):
        nothing = await asked(parts, "policy", "replay", "strict", "--since", LONG_AGO)
        assert nothing.out == "No start is on record since 2020-01-01 00:00:00 UTC.\n"
        await made(client)
        first, second = [
            await asked(parts, "policy", "replay", "strict", "--since", LONG_AGO) for _ in range(2)
        ]
        observed = await asked(parts, "policy", "replay", "observe", "--since", LONG_AGO)
    assert first == second
    lines = first.out.splitlines()
    assert lines[0] == (
        "Of 16 starts since 2020-01-01 00:00:00 UTC, strict.yaml would have refused 4 (25 %), and "
        "4 more would not have been made without them, saving nobody knows what; "
        "of 8 runs the cost is unknown, of 8 runs the tokens are unknown, 8 runs are not over."
    )
    assert [line.split()[:3:2] for line in lines[4:7]] == [
        ["nesting", "1"],
        ["no-duplicates", "1"],
        ["session-fan-out", "2"],
    ]
    assert "observe.yaml would have refused none" in observed.out
    assert "WOULD HAVE BEEN RECORDED" in observed.out


async def test_starts_and_decisions_come_in_pages() -> None:
    async with front("strict") as (client, parts):
        await made(client)
        async with agent_client(f"http://{LOCAL}:{parts.admin_port}") as admin:
            whole = (await admin.call("GET", "/v1/starts")).json
            paged, cursor = [], ""
            while cursor is not None:
                query = f"?limit=5&after={cursor}"
                page = (await admin.call("GET", f"/v1/starts{query}")).json
                paged += page["starts"]
                cursor = page["next_after"]
            # Runs go on meanwhile, so that only what never changes can be compared.
            assert _made(paged) == _made(whole["starts"])
            assert (len(paged), whole["whole_from"]) == (8, None)
            newest = (await admin.call("GET", "/v1/decisions?limit=3")).json
            assert [one["rule"] for one in newest["decisions"]] == [
                "session-fan-out",  # the second one of its kind, counted until somebody asks
                "nesting",
                "no-duplicates",
            ]
            rest = await admin.call("GET", f"/v1/decisions?cursor={newest['next_cursor']}")
            assert [one["rule"] for one in rest.json["decisions"]] == ["session-fan-out"]
            busy = (await admin.call("GET", "/v1/decisions?session=busy&order=oldest")).json
            assert [one["number"] for one in busy["decisions"]] == [1, 4]
            for wrong in WRONG:
                answer = await admin.call("GET", f"/v1/{wrong}")
                assert (answer.status, answer.json["code"]) == (400, "bad_query"), wrong


def _made(starts: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    return [(start["task_id"], start["run_id"], start["at"]) for start in starts]
