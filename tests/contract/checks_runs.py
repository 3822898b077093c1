"""What an agent server promises about runs: started, ended, cancelled, superseded."""

from tests.contract.agent_client import AgentClient, Answer, random_id, run_of

NOT_CANCELLABLE = (
    "No matching runs to cancel. Please verify the thread ID and run IDs are correct,"
    " and the runs haven't been deleted or completed."
)


async def a_run_is_accepted_with_its_ids_and_our_request_id(client: AgentClient) -> None:
    thread_id = await client.new_thread({"subagent_name": "s", "shared": "thread"})
    body = run_of("researcher", metadata={"mine": 1, "shared": "run"})
    answer = await client.call(
        "POST", f"/threads/{thread_id}/runs", body, headers={"x-request-id": "our-request-1"}
    )

    run = answer.json
    location = f"/threads/{thread_id}/runs/{run['run_id']}"
    assert answer.headers["content-location"] == location
    assert run["status"] == "pending"
    assert run["multitask_strategy"] == "enqueue"
    assert run["kwargs"]["config"]["configurable"]["langgraph_request_id"] == "our-request-1"
    assert run["kwargs"]["input"] == body["input"]
    wanted = {"subagent_name": "s", "mine": 1, "shared": "run", "graph_id": "researcher"}
    assert wanted.items() <= run["metadata"].items()


async def listed_runs_carry_the_request_id_too(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    path = f"/threads/{thread_id}/runs"
    await client.call("POST", path, run_of("researcher"), headers={"x-request-id": "find-me"})

    (run,) = (await client.call("GET", path)).json
    assert run["kwargs"]["config"]["configurable"]["langgraph_request_id"] == "find-me"


async def a_good_run_leaves_an_answer_and_its_usage(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "researcher")
    run = await client.run_when(thread_id, run_id, "success")
    thread = (await client.call("GET", f"/threads/{thread_id}")).json

    assert "error" not in run
    assert (thread["status"], thread["error"], thread["interrupts"]) == ("idle", None, {})
    human, ai = thread["values"]["messages"]
    assert (human["type"], human["content"], ai["type"]) == ("human", "hello", "ai")
    assert ai["usage_metadata"]["total_tokens"] > 0
    assert ai["response_metadata"]["model_name"]


async def a_failed_run_tells_why_on_its_thread_only(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "failing")
    run = await client.run_when(thread_id, run_id, "error")
    thread = (await client.call("GET", f"/threads/{thread_id}")).json

    assert "error" not in run
    assert thread["status"] == "error"
    assert thread["error"]["error"] == "RuntimeError"
    assert "boom" in thread["error"]["message"]


async def a_run_that_asks_succeeds_and_its_thread_waits(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "asker")
    await client.run_when(thread_id, run_id, "success")
    thread = (await client.call("GET", f"/threads/{thread_id}")).json
    assert thread["status"] == "interrupted"
    ((question,),) = thread["interrupts"].values()
    assert question["value"]["question"] == "Which region?"

    cancel = await client.call("POST", f"/threads/{thread_id}/runs/{run_id}/cancel")
    assert (cancel.status, cancel.detail) == (404, NOT_CANCELLABLE)
    body = {"assistant_id": "asker", "command": {"resume": "EU"}}
    resumed = await client.call("POST", f"/threads/{thread_id}/runs/wait", body)
    assert "EU" in resumed.json["messages"][-1]["content"]
    assert (await client.thread_when(thread_id, "idle"))["interrupts"] == {}


async def cancelling_a_running_run_interrupts_it(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "hang")
    await client.run_when(thread_id, run_id, "running")
    path = f"/threads/{thread_id}/runs/{run_id}/cancel"

    done = await client.call("POST", f"{path}?wait=0&action=interrupt")
    assert (done.status, done.body, done.headers.get("content-type")) == (202, b"", None)
    await client.run_when(thread_id, run_id, "interrupted")
    thread = await client.thread_when(thread_id, "interrupted")
    message = "interrupt requested via POST /threads/{thread_id}/runs/{run_id}/cancel"
    assert thread["error"] == {"error": "UserInterrupt", "message": message}
    again = await client.call("POST", path)
    assert (again.status, again.detail) == (404, NOT_CANCELLABLE)


async def cancelling_what_is_unknown_is_not_found(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    for thread in (thread_id, random_id()):
        answer = await client.call("POST", f"/threads/{thread}/runs/{random_id()}/cancel")
        assert (answer.status, answer.detail) == (404, "No runs found to cancel.")


async def cancelling_may_wait_for_the_end(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "hang")
    await client.state_at_work(thread_id)
    path = f"/threads/{thread_id}/runs/{run_id}"

    done = await client.call("POST", f"{path}/cancel?wait=1")
    assert done.status == 200
    assert set(done.json) <= {"messages"}  # usually {}: only what the stream said since then
    assert (done.headers["location"], done.headers["content-location"]) == (f"{path}/join", path)
    assert (await client.call("GET", path)).json["status"] == "interrupted"


async def a_run_rolled_back_is_gone(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "hang")
    await client.run_when(thread_id, run_id, "running")
    path = f"/threads/{thread_id}/runs/{run_id}"

    assert (await client.call("POST", f"{path}/cancel?wait=1&action=rollback")).status == 200
    thread = await client.thread_when(thread_id, "idle")
    assert thread["error"]["error"] == "UserRollback"
    gone = await client.call("GET", path)
    assert (gone.status, gone.json) == (404, {"detail": "Not Found"})


async def a_pending_run_can_be_cancelled(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "researcher", after_seconds=3600)
    assert (await client.call("GET", f"/threads/{thread_id}")).json["status"] == "busy"

    assert (await _cancel(client, thread_id, run_id)).status == 202
    await client.run_when(thread_id, run_id, "interrupted")
    await client.thread_when(thread_id, "idle")


async def runs_are_cancelled_by_thread_and_ids(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "hang")
    await client.run_when(thread_id, run_id, "running")

    body = {"thread_id": thread_id, "run_ids": [run_id]}
    assert (await client.call("POST", "/runs/cancel", body)).status == 204
    await client.run_when(thread_id, run_id, "interrupted")
    assert (await client.call("POST", "/runs/cancel", {"thread_id": thread_id})).status == 422


async def an_update_interrupts_the_run_before_it(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    first = await client.start(thread_id, "hang")
    await client.run_when(thread_id, first, "running")
    second = await client.start(thread_id, "researcher", multitask_strategy="interrupt")

    await client.run_when(thread_id, first, "interrupted")
    await client.run_when(thread_id, second, "success")
    await client.thread_when(thread_id, "idle")


async def an_update_may_roll_back_the_run_before_it(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    first = await client.start(thread_id, "hang")
    await client.run_when(thread_id, first, "running")
    second = await client.start(thread_id, "researcher", multitask_strategy="rollback")

    await client.run_when(thread_id, second, "success")
    assert (await client.call("GET", f"/threads/{thread_id}/runs/{first}")).status == 404


async def an_update_waits_in_the_queue_by_default(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    first = await client.start(thread_id, "hang")
    second = await client.start(thread_id, "researcher")
    await client.run_when(thread_id, first, "running")
    runs = (await client.call("GET", f"/threads/{thread_id}/runs")).json
    assert [(run["run_id"], run["status"]) for run in runs] == [
        (second, "pending"),
        (first, "running"),
    ]

    await _cancel(client, thread_id, first)
    await client.run_when(thread_id, second, "success")


async def an_update_may_be_refused_while_busy(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    first = await client.start(thread_id, "hang")
    body = run_of("researcher", multitask_strategy="reject")
    answer = await client.call("POST", f"/threads/{thread_id}/runs", body)

    assert answer.status == 409
    assert answer.detail.startswith("Thread is already running a task.")
    assert len((await client.call("GET", f"/threads/{thread_id}/runs")).json) == 1
    await client.run_when(thread_id, first, "running")
    await _cancel(client, thread_id, first)


async def runs_are_listed_newest_first_in_pages(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    ids = [await client.start(thread_id, "researcher", after_seconds=3600) for _ in range(3)]
    path = f"/threads/{thread_id}/runs"

    page = await client.call("GET", f"{path}?limit=2&offset=1&select=run_id&select=status")
    assert page.json == [{"run_id": i, "status": "pending"} for i in (ids[1], ids[0])]
    assert "x-pagination-total" not in page.headers
    assert (await client.call("GET", f"{path}?status=success")).json == []
    for run_id in ids:
        await _cancel(client, thread_id, run_id)


async def the_state_shows_a_run_at_work(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "hang")
    state = await client.state_at_work(thread_id)

    assert [m["content"] for m in state["values"]["messages"]] == ["hello"]
    assert state["checkpoint"]["thread_id"] == thread_id
    assert state["metadata"]["run_id"] == run_id
    assert (await client.call("GET", f"/threads/{thread_id}")).json["values"] is None
    await _cancel(client, thread_id, run_id)


async def a_run_can_be_deleted(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "researcher")
    await client.run_when(thread_id, run_id, "success")
    path = f"/threads/{thread_id}/runs/{run_id}"

    assert (await client.call("DELETE", path)).status == 204
    assert (await client.call("GET", path)).status == 404
    assert (await client.call("DELETE", path)).detail == "Run not found"


async def a_graph_nobody_knows_is_refused(client: AgentClient) -> None:
    path = f"/threads/{await client.new_thread()}/runs"
    nameless = await client.call("POST", path, {})
    assert (nameless.status, nameless.detail[:40]) == (
        422,
        '"assistant_id" is a required property\n\nF',
    )
    unknown = await client.call("POST", path, run_of("no-such-graph"))
    assert unknown.status == 422
    assert unknown.detail.startswith("Invalid assistant: 'no-such-graph'.")
    stranger = await client.call("POST", path, run_of(random_id()))
    assert (stranger.status, stranger.detail) == (404, "Thread or assistant not found.")


async def a_webhook_to_loopback_is_refused(client: AgentClient) -> None:
    path = f"/threads/{await client.new_thread()}/runs"
    body = run_of("researcher", webhook="http://127.0.0.1:9999/hook")
    answer = await client.call("POST", path, body)

    assert (answer.status, answer.detail) == (422, "Webhook host blocked: loopback IP range")
    assert (await client.call("GET", path)).json == []


async def context_and_configurable_exclude_each_other(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    both = run_of("researcher", context={"a": 1}, config={"configurable": {"b": 1}})

    assert (await client.call("POST", f"/threads/{thread_id}/runs", both)).status == 400
    assert (await client.call("GET", f"/threads/{thread_id}")).json["status"] == "idle"


async def _cancel(client: AgentClient, thread_id: str, run_id: str) -> Answer:
    return await client.call("POST", f"/threads/{thread_id}/runs/{run_id}/cancel")


CHECKS = (
    a_run_is_accepted_with_its_ids_and_our_request_id,
    listed_runs_carry_the_request_id_too,
    a_good_run_leaves_an_answer_and_its_usage,
    a_failed_run_tells_why_on_its_thread_only,
    a_run_that_asks_succeeds_and_its_thread_waits,
    cancelling_a_running_run_interrupts_it,
    cancelling_what_is_unknown_is_not_found,
    cancelling_may_wait_for_the_end,
    a_run_rolled_back_is_gone,
    a_pending_run_can_be_cancelled,
    runs_are_cancelled_by_thread_and_ids,
    an_update_interrupts_the_run_before_it,
    an_update_may_roll_back_the_run_before_it,
    an_update_waits_in_the_queue_by_default,
    an_update_may_be_refused_while_busy,
    runs_are_listed_newest_first_in_pages,
    the_state_shows_a_run_at_work,
    a_run_can_be_deleted,
    a_graph_nobody_knows_is_refused,
    a_webhook_to_loopback_is_refused,
    context_and_configurable_exclude_each_other,
)
