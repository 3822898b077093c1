"""`/metrics` of a running sidecar tells what happens to its tasks."""

import json
from pathlib import Path

import pytest
from tests.contract.agent_client import agent_client, run_of
from tests.integration.budgets.rig import Desk, desk
from tests.integration.http.rig import sidecar
from tests.integration.metrics.rig import Scrape, scraped, scraped_when
from tests.support.ports import free_port

from subagent_sidecar.core.metrics.instruments import ALL, Kind
from subagent_sidecar.core.metrics.labels import MOST_NAMES, OTHER
from subagent_sidecar.testing import FakeAgentServer, FaultKind, succeed

POLICY = {
    "limits": [
        {"name": "few", "concurrent": 3, "per": "session"},
        {"name": "once", "starts": 1, "per": "session", "mode": "observe"},
    ],
    "budgets": [{"name": "usd", "usd": 0.009, "per": "session", "soft_at": 0.5}],
}


def shown(scrape: Scrape) -> set[str]:
    return {sample.name for sample in scrape.samples}


async def test_before_anything_happens_every_metric_is_there(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("0123456789abcdef", "utf-8")
    told = {"name": "ops", "url": "http://127.0.0.1:9/", "secret_file": str(secret)}
    more = {"retention": "0s", "push": [told], "push_allow": ["127.0.0.1"]}
    async with desk(tmp_path, POLICY, **more) as at:
        names = shown(await scraped(at.admin))
    for each in ALL:
        assert each.name + ("_count" if each.kind is Kind.HISTOGRAM else "") in names
    assert {"process_resident_memory_bytes", "process_open_fds"} <= names


async def test_without_an_accept_it_is_prometheus_text(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        answer = await at.admin.call("GET", "/metrics")
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# TYPE subagent_tasks_live gauge\n" in answer.body


@pytest.mark.parametrize("store", ["memory:", "sqlite"])
async def test_a_story_of_tasks_is_in_it(tmp_path: Path, store: str) -> None:
    url = store if store == "memory:" else f"sqlite:///{tmp_path}/books.db"
    async with desk(tmp_path, POLICY, store=url) as at:
        first, _ = await at.start("quick", "s1")
        await at.task_when(first, status="success")
        await at.used(first)
        second, _ = await at.start("idle", "s1")
        refused = [(await at.start("idle", "s2"))[1].status for _ in range(5)]
        assert refused == [200, 200, 200, 403, 403]
        await at.admin.call("POST", f"/v1/tasks/{second}/cancel", {})
        await at.task_when(second, status="cancelled")
        found = await scraped_when(at.admin, "tasks_finished_total", 2)
        assert _lived(found) == {"quick": 1, "idle": 4}
        assert found.value("tasks_finished_total", status="success", cause="upstream") == 1
        assert found.value("tasks_finished_total", status="cancelled", cause="operator") == 1
        assert found.value("tasks_live", agent="idle") == 3
        assert found.value("tasks_live") == 3
        assert found.value("starts_would_refuse_total", rule="once") == 3
        assert found.value("run_duration_seconds_count", agent="quick") == 1
        assert found.value("cancels_asked_total", by="operator") == 1
        found = await scraped_when(at.admin, "cancels_settled_total", 1, outcome="confirmed")
        assert found.value("tokens_total", agent="quick", model="my-model", type="input") == 1_000
        assert found.value("cost_usd_total", agent="quick") == 0.0045
        assert found.value("proxy_requests_total", kind="start", code="2xx") == 5
        assert found.value("proxy_requests_total", kind="start", code="4xx") == 2
        assert found.value("proxy_overhead_seconds_count", kind="start") == 7
        assert found.value("upstream_requests_total", result="2xx") > 5
        assert found.value("upstream_up") == 1
        assert found.value("watcher_tasks") >= 3
        assert found.value("store_up") == 1
        committed = found.value("store_commit_duration_seconds_count")
        assert (0 < committed <= found.value("store_writes_total")) is (store != "memory:")
        found = await scraped_when(at.admin, "starts_refused_total", 2)  # told as one, in a moment
        assert found.value("starts_refused_total", rule="few") == 2
        found = await scraped_when(at.admin, "budget_told_total", 1, rule="usd", told="near")
        assert found.value("budget_remaining_ratio", rule="usd") == 0.5
        assert found.value("budget_scopes_near", rule="usd") == 1


def _lived(found: Scrape) -> dict[str, float]:
    agents = found.labels("tasks_started_total", "agent") - {OTHER}
    return {agent: found.value("tasks_started_total", agent=agent) for agent in agents}


async def test_levers_and_reloads_are_in_it(tmp_path: Path) -> None:
    async with desk(tmp_path, POLICY) as at:
        await at.admin.call("POST", "/v1/freeze", {"scope": "agent", "id": "quick"})
        assert (await at.start("quick"))[1].status == 403
        found = await scraped_when(at.admin, "starts_refused_total", 1, rule="freeze")
        assert (found.value("freezes", scope="agent"), found.value("freezes")) == (1, 1)
        (tmp_path / "policy.yaml").write_text("version: 1\nlimits: 7\n", "utf-8")
        answer = await at.admin.call("POST", "/v1/policy/reload", {})
        assert answer.status == 422
        found = await scraped_when(at.admin, "policy_reload_failed", 1)
        assert found.value("policy_reloads_total", result="failed") >= 1
        assert found.value("policy_rules", kind="limit", mode="enforce") == 1
        loaded = found.value("policy_loaded_timestamp_seconds")
        (tmp_path / "policy.yaml").write_text(json.dumps({"version": 1}), "utf-8")
        assert (await at.admin.call("POST", "/v1/policy/reload", {})).status == 200
        found = await scraped_when(at.admin, "policy_reload_failed", 0)
        assert found.value("policy_rules") == 0
        assert found.value("policy_loaded_timestamp_seconds") > loaded


CLOCKS = {
    "lifecycle": [
        {"name": "clock", "match": {"agent": "idle"}, "run": "300ms"},
        {"name": "tried", "match": {"agent": "long"}, "run": "300ms", "mode": "observe"},
    ]
}


async def test_what_the_reaper_ends_or_would_end_is_in_it(tmp_path: Path) -> None:
    async with desk(tmp_path, CLOCKS, reap_interval="200ms") as at:
        await at.start("idle")
        await at.start("long")
        found = await scraped_when(at.admin, "tasks_finished_total", 1, cause="reaper")
        assert found.value("tasks_reaped_total", reason="run") == 1
        assert found.value("tasks_reaped_total") == 1
        found = await scraped_when(at.admin, "tasks_would_reap_total", 1, reason="run")
        assert found.value("tasks_finished_total", agent="long") == 0


async def test_a_stream_counts_while_it_is_open_and_adds_no_overhead(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        task, answer = await at.start("idle")
        path = f"{at.client.url}/threads/{task}/runs/{answer.json['run_id']}/stream"
        async with at.client.session.get(path) as stream:
            assert stream.status == 200
            found = await scraped_when(at.admin, "proxy_streams", 1, kind="answer")
            assert found.value("proxy_requests_total", kind="join") == 0
        found = await scraped_when(at.admin, "proxy_streams", 0)
        assert found.value("proxy_overhead_seconds_count", kind="join") == 0


async def test_an_answer_in_pieces_is_one_request_whose_time_is_not_ours() -> None:
    async with (
        FakeAgentServer({"slow": succeed(0.3)}) as server,
        sidecar(server.url) as front,
        agent_client(f"http://127.0.0.1:{front.port}") as client,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        path = f"/threads/{await client.new_thread()}/runs/stream"
        assert (await client.call("POST", path, run_of("slow"))).status == 200
        found = await scraped_when(admin, "proxy_requests_total", 1, kind="start", code="2xx")
        assert found.value("proxy_overhead_seconds_count", kind="start") == 0
        assert found.value("proxy_overhead_seconds_count", kind="other") == 1  # the thread's


async def test_identical_polls_that_shared_an_answer_are_told(tmp_path: Path) -> None:
    async with desk(tmp_path, {}, coalesce="10s") as at:
        task, answer = await at.start("idle")
        path = f"/threads/{task}/runs/{answer.json['run_id']}"
        for _ in range(6):  # the first may have news, which the others are to see for themselves
            await at.client.call("GET", path)
        found = await scraped(at.admin)
        shared = found.value("proxy_shared_checks_total")
        assert found.value("proxy_requests_total", kind="check", code="2xx") == 6
        assert shared > 0
        assert found.value("proxy_overhead_seconds_count", kind="check") == 6 - shared


# failures.md row 1
async def test_an_upstream_that_is_gone_shows_as_down() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    async with (
        sidecar(f"gone={url}") as front,
        agent_client(f"http://127.0.0.1:{front.port}") as client,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        for _ in range(6):
            assert (await client.call("GET", "/ok")).status == 502
        found = await scraped_when(admin, "upstream_up", 0, upstream="gone")
        assert found.value("upstream_breaker", upstream="gone", state="closed") == 0
        assert found.value("upstream_requests_total", upstream="gone", result="unreachable") >= 6
        assert found.value("proxy_requests_total", kind="other", code="5xx") == 6
        assert "gone" in found.labels("tasks_live", "upstream")


# failures.md row 4
async def test_an_upstream_that_does_not_answer_the_watcher_shows_as_down(tmp_path: Path) -> None:
    async with desk(tmp_path, {}) as at:
        await at.start("idle")
        assert (await scraped(at.admin)).value("upstream_up") == 1
        at.server.faults.add(FaultKind.RESET, "/threads*", times=None)
        found = await scraped_when(at.admin, "upstream_up", 0)
        assert found.value("upstream_breaker", state="closed") == 1
        assert found.value("upstream_requests_total", result="broken") >= 2
        at.server.faults.clear()
        await scraped_when(at.admin, "upstream_up", 1)


async def test_agents_are_folded_when_there_are_too_many() -> None:
    count = MOST_NAMES + 10
    graphs = {f"agent-{number}": succeed(600.0) for number in range(count)}
    async with (
        FakeAgentServer(graphs) as server,
        sidecar(server.url) as front,
        agent_client(f"http://127.0.0.1:{front.port}") as client,
        agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
    ):
        for graph in graphs:
            thread_id = await client.new_thread()
            await client.call("POST", f"/threads/{thread_id}/runs", {"assistant_id": graph})
        found = await scraped_when(admin, "tasks_started_total", count)
        assert len(found.labels("tasks_started_total", "agent")) == MOST_NAMES + 1
        assert found.value("tasks_started_total", agent=OTHER) == 10
        assert found.value("tasks_live", agent=OTHER) == 10


async def test_after_a_restart_counters_begin_anew_and_gauges_go_on(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/books.db"
    async with desk(tmp_path, {}, store=store) as at:
        task, _ = await at.start("idle")
        await at.task_when(task, agent_name="idle")
        assert (await scraped_when(at.admin, "tasks_started_total", 1)).value("tasks_live") == 1
        server = at.server
        async with (
            sidecar(server.url, store=store) as front,
            agent_client(f"http://127.0.0.1:{front.admin_port}") as admin,
        ):
            found = await scraped(admin)
            assert found.value("tasks_live", agent="idle") == 1
            assert found.value("tasks_started_total") == 0
            assert "idle" in found.labels("tasks_started_total", "agent")
            await _started_elsewhere(at)
            await scraped_when(admin, "tasks_started_total", 1)


async def _started_elsewhere(at: Desk) -> None:
    """By another sidecar on the same store: what is on record counts, whoever entered it."""
    await at.start("idle")
