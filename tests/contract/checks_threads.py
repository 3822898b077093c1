"""What an agent server promises about threads, ids and refusals."""

from tests.contract.agent_client import AgentClient, random_id, run_of


async def health_and_version_are_told(client: AgentClient) -> None:
    ok = await client.call("GET", "/ok")
    assert (ok.status, ok.json["ok"]) == (200, True)
    info = await client.call("GET", "/info")
    assert info.status == 200
    assert {"version", "flags", "host"} <= set(info.json)


async def a_thread_gets_the_id_it_asks_for_once(client: AgentClient) -> None:
    wanted = random_id()
    first = await client.call("POST", "/threads", {"thread_id": wanted, "metadata": {"n": 1}})
    assert first.json["thread_id"] == wanted

    again = await client.call("POST", "/threads", {"thread_id": wanted})
    assert (again.status, again.detail) == (409, f"Thread with ID {wanted} already exists")
    body = {"thread_id": wanted, "if_exists": "do_nothing", "metadata": {"n": 2}}
    same = await client.call("POST", "/threads", body)
    assert same.status == 200
    assert same.json["metadata"] == {"n": 1}


async def a_new_thread_is_idle_and_empty(client: AgentClient) -> None:
    answer = await client.call("POST", "/threads", {"metadata": {"subagent_name": "researcher"}})

    assert answer.headers["content-type"] == "application/json"
    thread = answer.json
    assert thread["status"] == "idle"
    assert thread["values"] is None
    assert thread["config"] == {}
    assert thread["metadata"] == {"subagent_name": "researcher"}
    assert "error" not in thread


async def an_id_that_is_none_is_refused(client: AgentClient) -> None:
    answers = [
        await client.call("GET", "/threads/abc"),
        await client.call("POST", "/threads", {"thread_id": "my-id"}),
        await client.call("GET", f"/threads/{random_id()}/runs/abc"),
        await client.call("POST", "/threads/abc/runs", run_of("researcher")),
    ]
    assert [(a.status, a.detail) for a in answers] == [
        (422, "Invalid thread ID: must be a UUID"),
        (422, "Invalid thread ID: must be a UUID"),
        (422, "Invalid run ID: must be a UUID"),
        (422, "Invalid thread ID"),
    ]


async def an_unknown_thread_is_not_found(client: AgentClient) -> None:
    ghost = random_id()
    missing = (404, f"Thread with ID {ghost} not found")
    for method, path in [
        ("GET", f"/threads/{ghost}"),
        ("DELETE", f"/threads/{ghost}"),
        ("GET", f"/threads/{ghost}/state"),
        ("GET", f"/threads/{ghost}/runs"),
        ("GET", f"/threads/{ghost}/runs/{random_id()}"),
    ]:
        answer = await client.call(method, path)
        assert (answer.status, answer.detail) == missing, (method, path)
    start = await client.call("POST", f"/threads/{ghost}/runs", run_of("researcher"))
    assert (start.status, start.detail) == (404, "Thread or assistant not found.")


async def a_path_or_method_nobody_serves_is_refused(client: AgentClient) -> None:
    nowhere = await client.call("POST", "/nope", {})
    assert (nowhere.status, nowhere.json) == (404, {"detail": "Not Found"})
    put = await client.call("PUT", "/threads")
    assert (put.status, put.json) == (405, {"detail": "Method Not Allowed"})
    assert put.headers["allow"] == "POST"


async def a_body_that_is_not_json_is_refused(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    for path in ("/threads", f"/threads/{thread_id}/runs"):
        for raw in (b"{bad", b""):
            answer = await client.call("POST", path, raw=raw)
            assert (answer.status, answer.detail) == (422, "Invalid JSON in request body")


async def threads_are_found_by_metadata_and_id(client: AgentClient) -> None:
    parent = random_id()
    mine = await client.new_thread({"parent_thread_id": parent, "tags": {"a": 1, "b": 2}})
    other = await client.new_thread({"parent_thread_id": random_id()})

    found = await client.call("POST", "/threads/search", {"metadata": {"parent_thread_id": parent}})
    assert [thread["thread_id"] for thread in found.json] == [mine]
    assert found.headers["x-pagination-total"] == "1"
    body = {"metadata": {"parent_thread_id": parent, "tags": {"a": 1}}}
    assert len((await client.call("POST", "/threads/search", body)).json) == 1
    body = {"metadata": {"parent_thread_id": parent, "tags": {"a": 2}}}
    assert (await client.call("POST", "/threads/search", body)).json == []
    by_id = await client.call("POST", "/threads/search", {"ids": [mine, other], "limit": 10})
    assert {thread["thread_id"] for thread in by_id.json} == {mine, other}
    nothing = await client.call("POST", "/threads/search", {"ids": [mine, other], "status": "busy"})
    assert nothing.json == []


async def a_search_tells_that_there_is_more(client: AgentClient) -> None:
    parent = random_id()
    for _ in range(3):
        await client.new_thread({"parent_thread_id": parent})
    body = {"metadata": {"parent_thread_id": parent}, "limit": 2}

    page = await client.call("POST", "/threads/search", body)
    assert (len(page.json), page.headers["x-pagination-next"]) == (2, "2")
    rest = await client.call("POST", "/threads/search", {**body, "offset": 2})
    assert len(rest.json) == 1
    assert "x-pagination-next" not in rest.headers


async def a_patch_merges_metadata(client: AgentClient) -> None:
    thread_id = await client.new_thread({"a": 1, "b": 1})
    answer = await client.call("PATCH", f"/threads/{thread_id}", {"metadata": {"b": 2, "c": 3}})

    assert answer.json["metadata"] == {"a": 1, "b": 2, "c": 3}
    ghost = await client.call("PATCH", f"/threads/{random_id()}", {"metadata": {}})
    assert (ghost.status, ghost.json) == (404, {"detail": "Not Found"})


async def a_deleted_thread_is_gone(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    gone = await client.call("DELETE", f"/threads/{thread_id}")

    assert (gone.status, gone.body) == (204, b"")
    assert (await client.call("GET", f"/threads/{thread_id}")).status == 404


async def the_state_of_a_fresh_thread_is_empty(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    state = (await client.call("GET", f"/threads/{thread_id}/state")).json

    assert state["values"] == {}
    assert (state["next"], state["tasks"], state["interrupts"]) == ([], [], [])
    assert state["checkpoint"] is None


async def crons_are_kept_and_deleted(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    body = {"schedule": "0 5 1 1 *", **run_of("researcher")}
    created = await client.call("POST", f"/threads/{thread_id}/runs/crons", body)
    assert created.status == 200
    cron = created.json
    assert cron["thread_id"] == thread_id

    found = await client.call("POST", "/runs/crons/search", {"limit": 100})
    assert cron["cron_id"] in [c["cron_id"] for c in found.json]
    assert (await client.call("DELETE", f"/runs/crons/{cron['cron_id']}")).status == 204
    assert (await client.call("DELETE", f"/runs/crons/{cron['cron_id']}")).status == 404


CHECKS = (
    health_and_version_are_told,
    a_thread_gets_the_id_it_asks_for_once,
    a_new_thread_is_idle_and_empty,
    an_id_that_is_none_is_refused,
    an_unknown_thread_is_not_found,
    a_path_or_method_nobody_serves_is_refused,
    a_body_that_is_not_json_is_refused,
    threads_are_found_by_metadata_and_id,
    a_search_tells_that_there_is_more,
    a_patch_merges_metadata,
    a_deleted_thread_is_gone,
    the_state_of_a_fresh_thread_is_empty,
    crons_are_kept_and_deleted,
)
