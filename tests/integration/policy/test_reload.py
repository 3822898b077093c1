"""Reloads of a sidecar as users have it (failures.md 11)."""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.contract.agent_client import AgentClient, Answer, agent_client
from tests.support.policies import mutated
from tests.support.processes import SidecarProcess
from tests.support.waiting import eventually, eventually_got

from subagent_sidecar.tasks import spawn
from subagent_sidecar.testing import FakeAgentServer, succeed

PATIENCE = 60.0
BAD = "version: 1\nlimits:\n  - {name: x, depth: 1, starts: 2}\n  - {name: y, deepth: 1}\n"


def policy(name: str, *, agent: str = "nobody") -> str:
    """A file with one rule, by which `agent` may not start."""
    return f"version: 1\nlimits:\n  - {{name: {name}, match: {{agent: {agent}}}, deny: true}}\n"


@dataclass(frozen=True, slots=True)
class Desk:
    sidecar: SidecarProcess
    file: Path
    client: AgentClient
    admin: AgentClient

    async def state(self) -> dict[str, Any]:
        answer = await self.admin.call("GET", "/v1/policy")
        assert answer.status == 200, answer
        found: dict[str, Any] = answer.json
        return found

    async def rules(self) -> list[str]:
        return [rule["name"] for rule in (await self.state())["policy"]["limits"]]

    async def reload(self) -> Answer:
        return await self.admin.call("POST", "/v1/policy/reload", {})

    async def in_force(self, name: str) -> None:
        await eventually_got(self.rules, lambda rules: rules == [name], within=PATIENCE)

    def replace(self, text: str) -> None:
        """As careful editors do: a new file takes the place of the old one."""
        other = self.file.with_suffix(".new")
        other.write_text(text, "utf-8", errors="surrogatepass")
        other.replace(self.file)

    async def start(self) -> Answer:
        thread = await self.client.new_thread()
        body = {"assistant_id": "researcher", "input": {"messages": []}}
        return await self.client.call("POST", f"/threads/{thread}/runs", body)


@asynccontextmanager
async def desk(folder: Path) -> AsyncIterator[Desk]:
    file = folder / "team.yaml"
    file.write_text(policy("first"), "utf-8")
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(FakeAgentServer({"researcher": succeed()}))
        sidecar = SidecarProcess(
            folder, upstreams={"main": server.url}, config={"policy": "team.yaml"}
        )
        await stack.enter_async_context(sidecar)
        client = await stack.enter_async_context(agent_client(sidecar.url))
        admin = await stack.enter_async_context(agent_client(sidecar.admin_url))
        yield Desk(sidecar, file, client, admin)


async def test_the_log_says_at_the_start_what_is_in_force(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        await eventually(lambda: "ready: " in at.sidecar.log, within=PATIENCE)
        (ready,) = [line for line in at.sidecar.log.splitlines() if "ready: " in line]
        assert f"; policy: 1 rule of {at.file} (enforced), version " in ready
        assert ready.endswith("; traces: not exported")


async def test_it_shows_what_is_in_force(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        state = await at.state()
        assert state["files"] == [str(at.file)]
        assert state["origins"] == {"first": "team"}
        assert (state["reloads"], state["failed_reloads"], state["failed"]) == (0, 0, None)
        assert state["policy"]["limits"] == [
            {"name": "first", "mode": "enforce", "match": {"agent": ["nobody"]}, "deny": True}
        ]


async def test_a_changed_file_is_taken_up_by_itself(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        at.file.write_text(policy("second"), "utf-8")
        await at.in_force("second")
        at.replace(policy("third"))
        await at.in_force("third")
        assert "policy reloaded (a policy file has changed): 1 rule of" in at.sidecar.log


async def test_a_link_that_leads_elsewhere_is_taken_up_by_itself(tmp_path: Path) -> None:
    """As Kubernetes updates what it has mounted."""
    for name in ("..old", "..new"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "team.yaml").write_text(policy(name[2:]), "utf-8")
    async with desk(tmp_path) as at:
        (tmp_path / "..data").symlink_to("..old")
        at.file.unlink()
        at.file.symlink_to(Path("..data") / "team.yaml")
        await at.in_force("old")
        (tmp_path / "..tmp").symlink_to("..new")
        (tmp_path / "..tmp").replace(tmp_path / "..data")
        await at.in_force("new")


async def test_sighup_reloads_and_ends_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        os.kill(at.sidecar.pid, signal.SIGHUP)
        told = "policy read again (SIGHUP): it says what it said"
        await eventually(lambda: told in at.sidecar.log, within=PATIENCE)
        assert (await at.start()).status == 200


async def test_a_bad_file_is_refused_with_every_problem_and_changes_nothing(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        before = await at.state()
        at.replace(BAD)
        answer = await at.reload()
        assert (answer.status, answer.json["error"]) == (422, "policy_invalid")
        places = [": ".join(problem.split(": ")[:2]) for problem in answer.json["problems"]]
        assert places == [f"{at.file}:3: limits[0].depth", f"{at.file}:4: limits[1].deepth"]
        assert answer.json["message"] == "; ".join(answer.json["problems"])
        after = await at.state()
        assert after["failed"]["problems"] == answer.json["problems"]
        kept = ("version", "policy", "origins", "loaded_at", "reloads")
        assert [after[key] for key in kept] == [before[key] for key in kept]
        assert all(f"policy not reloaded: {p}" in at.sidecar.log for p in answer.json["problems"])
        at.replace(policy("better"))
        answer = await at.reload()
        assert (answer.status, answer.json["failed"]) == (200, None)
        assert await at.rules() == ["better"]


async def test_a_page_in_a_browser_cannot_have_it_reloaded(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        form = {"Content-Type": "text/plain"}
        answer = await at.admin.call("POST", "/v1/policy/reload", raw=b"{}", headers=form)
        assert (answer.status, answer.json["error"]) == (415, "not_json")
        for headers in ({"Host": "evil.example"}, {"Origin": "https://evil.example"}):
            answer = await at.admin.call("POST", "/v1/policy/reload", {}, headers=headers)
            assert (answer.status, answer.json["error"]) == (421, "foreign_origin")
        answer = await at.admin.call("POST", "/v1/policy/reload", {"file": "/etc/passwd"})
        assert (answer.status, answer.json["error"]) == (400, "bad_body")
        assert (await at.state())["reloads"] == 0


async def subagentctl(at: Desk, *words: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "subagentctl", "--server", at.sidecar.admin_url, *words),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_subagentctl_shows_and_reloads_what_is_in_force(tmp_path: Path) -> None:
    async with desk(tmp_path) as at:
        code, out, err = await subagentctl(at, "policy", "show")
        assert (code, err) == (0, "")
        assert f"{at.file}\n" in out and "first  " in out
        at.replace(policy("second"))
        code, out, err = await subagentctl(at, "policy", "reload")
        assert (code, err, out.count("\n")) == (0, "", 1)
        # The sidecar may have found the new file by itself, on a slow machine.
        assert out.startswith(("reloaded: version ", "read again, and nothing has changed: "))
        at.replace(BAD)
        code, out, err = await subagentctl(at, "policy", "reload")
        assert (code, out, len(err.splitlines())) == (64, "", 3)
        code, out, err = await subagentctl(at, "policy", "show")
        assert (code, err) == (0, "") and "second  " in out and "the last reload failed" in out


async def test_two_hundred_edits_while_starts_go_on(tmp_path: Path) -> None:  # row 11
    """Every start is answered by the server, or refused by a rule that was in force meanwhile."""
    chance = random.Random(11)
    over = asyncio.Event()
    known: set[str] = {"first"}
    answers: list[Answer] = []

    async with desk(tmp_path) as at:

        async def starts() -> None:
            while not over.is_set():
                answers.append(await at.start())

        load = [spawn(starts(), name="starts", awaited=True) for _ in range(4)]
        refused = 0
        for number in range(200):
            text = policy(f"g{number}", agent="researcher" if number % 2 else "nobody")
            at.replace(mutated(text, chance) if chance.random() < 0.5 else text)
            answer = await at.reload()
            assert answer.status in (200, 422), answer
            refused += answer.status == 422
            known |= set(await at.rules())
        over.set()
        await asyncio.gather(*load)
        state = await at.state()
    assert 20 < refused < 150
    assert state["failed_reloads"] >= refused
    assert {answer.status for answer in answers} <= {200, 403}
    assert {answer.json["rule"] for answer in answers if answer.status == 403} <= known
    assert "Traceback" not in at.sidecar.log
