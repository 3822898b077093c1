"""`GET /v1/traces/{id}`: the tree of a task, bounded, and links to it."""

from typing import Any

from tests.integration.cancel.rig import WITHIN, Desk, desk
from tests.support.waiting import eventually_got

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
LINKS = {"jaeger": "http://localhost:16686/trace/{trace_id}?uiFind={span_id}"}


async def start(at: Desk, graph: str, session: str | None = None, **headers: str) -> str:
    task_id = await at.client.new_thread()
    if session is not None:
        headers["x-subagent-session"] = session
    body = {"assistant_id": graph, "input": {}}
    answer = await at.client.call("POST", f"/threads/{task_id}/runs", body, headers=headers)
    assert answer.status in (200, 403), answer
    return task_id


async def trace(at: Desk, task_id: str, **query: Any) -> dict[str, Any]:
    pairs = "&".join(f"{key}={value}" for key, value in query.items())
    answer = await at.admin.call("GET", f"/v1/traces/{task_id}?{pairs}")
    assert answer.status == 200, answer
    page: dict[str, Any] = answer.json
    return page


def ids(page: dict[str, Any]) -> list[str]:
    return [task["task_id"] for task in page["tasks"]]


async def test_any_task_of_a_tree_shows_the_whole_tree() -> None:
    async with desk(trace_links=LINKS) as at:
        root = await start(at, "hang")
        child = await start(at, "hang", session=root)
        leaf = await start(at, "quick", session=child)
        await start(at, "quick")
        page = await trace(at, child[-12:])
        task = await at.page(child)
    assert ids(page) == [root, child, leaf]
    assert (page["task_id"], page["total"], page["next_cursor"]) == (child, 3, None)
    assert {task["trace_id"] for task in page["tasks"]} == {page["trace_id"]}
    span_id = page["tasks"][1]["span_id"]
    url = f"http://localhost:16686/trace/{page['trace_id']}?uiFind={span_id}"
    assert page["links"] == task["links"] == {"jaeger": url}


async def test_a_page_ends_where_it_shall_and_still_has_the_task_asked_for() -> None:
    async with desk() as at:
        root = await start(at, "hang")
        children = [await start(at, "hang", session=root) for _ in range(3)]
        leaf = await start(at, "hang", session=children[-1])
        first = await trace(at, leaf, limit=2)
        second = await trace(at, leaf, limit=2, cursor=first["next_cursor"])
        third = await trace(at, leaf, limit=2, cursor=second["next_cursor"])
    assert ids(first) == [root, children[0], children[2], leaf]
    assert (ids(second), ids(third)) == (children[1:], [leaf])
    assert (first["total"], third["next_cursor"]) == (5, None)


async def test_a_trace_is_found_by_its_own_id_with_all_its_trees() -> None:
    given = f"00-{TRACE}-{SPAN}-01"
    async with desk() as at:
        tasks = [await start(at, "hang", traceparent=given) for _ in range(2)]
        plain = await start(at, "hang")
        page = await trace(at, TRACE.upper())
        derived = await trace(at, (await at.task(plain))["trace_id"])
        missing = await at.admin.call("GET", f"/v1/traces/{'9' * 32}")
    assert (ids(page), page["trace_id"], page["task_id"]) == (tasks, TRACE, None)
    assert ids(derived) == [plain]
    assert (missing.status, missing.json["code"]) == (404, "task_not_found")


async def test_what_happened_and_what_was_refused_is_told_beside(tmp_path: Any) -> None:
    policy = tmp_path / "p.yaml"
    policy.write_text("version: 1\nlimits: [{name: shallow, depth: 0}]\n", "utf-8")
    async with desk(policy=str(policy)) as at:
        root = await start(at, "hang")
        run_id = (await at.task(root))["run_id"]
        await at.direct.run_when(root, run_id, "running")
        refused = await start(at, "quick", session=root)
        await at.cancel(root)
        page = await eventually_got(
            lambda: trace(at, root), lambda page: page["refusals"], within=WITHIN
        )
    kinds = [event["kind"] for event in page["events"]]
    assert kinds[0] == "cancel_asked" and "ended" in kinds
    (refusal,) = page["refusals"]
    assert (refusal["kind"], refusal["task_id"]) == ("refused", refused)
    assert (refusal["detail"]["session"], refusal["detail"]["rule"]) == (root, "shallow")


async def test_what_makes_no_sense_is_said() -> None:
    async with desk() as at:
        root = await start(at, "hang")
        asked = {
            f"{root}?limit=0": (400, "bad_query"),
            f"{root}?limit=1001": (400, "bad_query"),
            f"{root}?depth=1": (400, "bad_query"),
            f"{root}?cursor=x": (400, "bad_query"),
            "abc": (400, "bad_query"),
            "nobody-has-this": (404, "task_not_found"),
        }
        for path, told in asked.items():
            answer = await at.admin.call("GET", f"/v1/traces/{path}")
            assert (answer.status, answer.json["code"]) == told, path
