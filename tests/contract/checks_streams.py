"""What an agent server promises about streams, waits and stateless runs."""

import asyncio

from tests.contract.agent_client import AgentClient, parse_sse, random_id, run_of


async def a_stream_tells_the_run_as_events(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    answer = await client.call("POST", f"/threads/{thread_id}/runs/stream", run_of("researcher"))

    events = parse_sse(answer.body)
    location = f"/threads/{thread_id}/runs/{events[0].data['run_id']}"
    wanted = {
        "content-type": "text/event-stream; charset=utf-8",
        "location": f"{location}/stream",
        "content-location": location,
        "cache-control": "no-store",
        "x-accel-buffering": "no",
    }
    assert wanted.items() <= answer.headers.items()
    assert [event.name for event in events] == ["metadata", "values", "values"]
    assert events[-1].data["messages"][-1]["type"] == "ai"
    assert {event.event_id for event in events} == {None}


async def a_failing_stream_ends_in_an_error_event(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    answer = await client.call("POST", f"/threads/{thread_id}/runs/stream", run_of("failing"))

    events = parse_sse(answer.body)
    assert [event.name for event in events] == ["metadata", "values", "error"]
    assert events[-1].data["error"] == "RuntimeError"


async def a_resumable_stream_goes_on_after_any_event(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    body = run_of("researcher", stream_resumable=True, stream_mode=["values", "updates"])
    first = await client.call("POST", f"/threads/{thread_id}/runs/stream", body)
    events, path = parse_sse(first.body), first.headers["location"]
    ids = [str(event.event_id) for event in events]
    assert len(events) >= 4
    assert ids == sorted(ids)

    # `langgraph dev` makes ids of the millisecond alone: two events may share one, and then a
    # client that saw only the first of them never sees the second.
    for event_id in ids:
        resumed = await client.call("GET", path, headers={"Last-Event-ID": event_id})
        later = [event for event in events if str(event.event_id) > event_id]
        assert parse_sse(resumed.body) == later
    everything = await client.call("GET", path, headers={"Last-Event-ID": "-1"})
    assert parse_sse(everything.body) == events
    assert (await client.call("GET", path)).body == b""


async def a_stream_joined_late_tells_nothing_twice(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "researcher")
    await client.run_when(thread_id, run_id, "success")
    path = f"/threads/{thread_id}/runs/{run_id}"

    late = await client.call("GET", f"{path}/stream")
    assert (late.status, late.body) == (200, b"")
    result = await client.call("GET", f"{path}/join")
    assert result.json["messages"][-1]["type"] == "ai"
    assert (result.headers["location"], result.headers["content-location"]) == (
        f"{path}/join",
        path,
    )


async def joining_an_unknown_run_says_so_in_the_body(client: AgentClient) -> None:
    path = f"/threads/{await client.new_thread()}/runs/{random_id()}"
    unknown = {"error": "HTTPException", "message": "404: Run not found"}

    result = await client.call("GET", f"{path}/join")
    assert (result.status, result.json) == (200, {"__error__": unknown})
    stream = await client.call("GET", f"{path}/stream")
    (event,) = parse_sse(stream.body)
    assert (stream.status, event.name, event.data) == (200, "error", unknown)


async def waiting_returns_the_values_or_the_error(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    path = f"/threads/{thread_id}/runs/wait"
    good = await client.call("POST", path, run_of("researcher"))
    assert good.json["messages"][-1]["type"] == "ai"
    assert good.headers["location"] == good.headers["content-location"] + "/join"

    bad = await client.call("POST", path, run_of("failing"))
    assert (bad.status, bad.json["__error__"]["error"]) == (200, "RuntimeError")


async def a_client_that_leaves_may_take_its_run_along(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    body = run_of("hang", on_disconnect="cancel")
    url = f"{client.url}/threads/{thread_id}/runs/stream"
    async with client.session.post(url, json=body) as response:
        run_id = response.headers["content-location"].rsplit("/", 1)[1]
        await response.content.readuntil(b"\r\n\r\n")
        await client.run_when(thread_id, run_id, "running")
        response.close()

    await client.run_when(thread_id, run_id, "interrupted")


async def a_client_that_leaves_changes_nothing_by_default(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    url = f"{client.url}/threads/{thread_id}/runs/stream"
    async with client.session.post(url, json=run_of("researcher")) as response:
        run_id = response.headers["content-location"].rsplit("/", 1)[1]
        response.close()

    await client.run_when(thread_id, run_id, "success")


async def everyone_who_joined_sees_the_end(client: AgentClient) -> None:
    thread_id = await client.new_thread()
    run_id = await client.start(thread_id, "hang")
    await client.run_when(thread_id, run_id, "running")
    path = f"/threads/{thread_id}/runs/{run_id}"

    async with asyncio.TaskGroup() as group:
        stream = group.create_task(client.call("GET", f"{path}/stream"))
        result = group.create_task(client.call("GET", f"{path}/join"))
        group.create_task(client.call("POST", f"{path}/cancel?wait=1"))
    assert stream.result().status == 200
    assert result.result().status == 200


async def a_stateless_run_takes_its_thread_along(client: AgentClient) -> None:
    started = await client.call("POST", "/runs", run_of("researcher"))
    run = started.json
    assert started.headers["content-location"] == f"/runs/{run['run_id']}"
    assert run["kwargs"]["temporary"] is True
    assert "graph_id" not in run["metadata"]
    waited = await client.call("POST", "/runs/wait", run_of("researcher"))
    assert waited.json["messages"][-1]["type"] == "ai"
    thread_path = waited.headers["content-location"].split("/runs/")[0]

    assert (await client.call("GET", thread_path)).status == 404
    streamed = await client.call("POST", "/runs/stream", run_of("researcher"))
    run_id = parse_sse(streamed.body)[0].data["run_id"]
    assert streamed.headers["location"] == f"/runs/{run_id}/stream"


async def a_batch_starts_each_of_its_runs(client: AgentClient) -> None:
    batch = await client.call("POST", "/runs/batch", [run_of("researcher"), run_of("researcher")])

    assert [run["status"] for run in batch.json] == ["pending", "pending"]
    assert len({run["thread_id"] for run in batch.json}) == 2
    assert (await client.call("POST", "/runs/batch", [])).status == 422


CHECKS = (
    a_stream_tells_the_run_as_events,
    a_failing_stream_ends_in_an_error_event,
    a_resumable_stream_goes_on_after_any_event,
    a_stream_joined_late_tells_nothing_twice,
    joining_an_unknown_run_says_so_in_the_body,
    waiting_returns_the_values_or_the_error,
    a_client_that_leaves_may_take_its_run_along,
    a_client_that_leaves_changes_nothing_by_default,
    everyone_who_joined_sees_the_end,
    a_stateless_run_takes_its_thread_along,
    a_batch_starts_each_of_its_runs,
)
