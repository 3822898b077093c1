"""A self-hosted Agent Protocol server in the shape of deepagents' FastAPI example: six routes.

What makes this shape different from langgraph-api, and is kept here: no list of runs, no thread
status or metadata, run status `cancelled`, an interrupt wipes the thread's values, `enqueue` is not
known (both runs go at once), cancelling only changes the status while the work goes on, and the
work's late end overwrites it.
"""

import asyncio
import itertools
import uuid
from typing import Annotated, Any

from fastapi import Body, FastAPI, HTTPException
from tests.acceptance.app.instructions import obey_waits, orders_in

Json = dict[str, Any]

app = FastAPI()

_threads: dict[str, Json] = {}
_runs: dict[str, Json] = {}
_work: set[asyncio.Task[None]] = set()
_moments = itertools.count()


@app.get("/ok")
async def ok() -> Json:
    return {"ok": True}


@app.post("/threads")
async def create_thread() -> Json:
    thread_id = str(uuid.uuid4())
    _threads[thread_id] = {
        "thread_id": thread_id,
        "created_at": _moment(),
        "messages": [],
        "values": {},
    }
    return _threads[thread_id]


@app.get("/threads/{thread_id}")
async def get_thread(thread_id: str) -> Json:
    return _thread(thread_id)


@app.post("/threads/{thread_id}/runs")
async def create_run(thread_id: str, body: Annotated[Json, Body()]) -> Json:
    thread = _thread(thread_id)
    if body.get("multitask_strategy") == "interrupt":
        _drop_running(thread)
    text = body["input"]["messages"][-1]["content"]
    thread["messages"].append({"role": "user", "content": text})
    run: Json = {
        "run_id": str(uuid.uuid4()),
        "thread_id": thread_id,
        "assistant_id": body.get("assistant_id") or "researcher",
        "status": "pending",
        "created_at": _moment(),
        "error": None,
    }
    _runs[run["run_id"]] = run
    accepted = dict(run)
    work = asyncio.ensure_future(_execute(run, thread, text))
    _work.add(work)
    work.add_done_callback(_work.discard)
    return accepted


@app.get("/threads/{thread_id}/runs/{run_id}")
async def get_run(thread_id: str, run_id: str) -> Json:
    return _run(thread_id, run_id)


@app.post("/threads/{thread_id}/runs/{run_id}/cancel")
async def cancel_run(thread_id: str, run_id: str) -> Json:
    run = _run(thread_id, run_id)
    run["status"] = "cancelled"
    return run


async def _execute(run: Json, thread: Json, text: str) -> None:
    run["status"] = "running"
    orders = orders_in(text)
    try:
        await obey_waits(orders)
        answer = await _agent(run["assistant_id"], orders.topic, orders.words)
    except RuntimeError as error:
        run |= {"status": "error", "error": str(error)}
        return
    thread["messages"].append({"role": "assistant", "content": answer})
    thread["values"] = {"messages": list(thread["messages"])}
    run["status"] = "success"


async def _agent(name: str, topic: str, words: int) -> str:
    if name == "failing":
        raise RuntimeError("boom: the subagent failed on purpose")
    if name == "hang":
        await asyncio.get_running_loop().create_future()
    return f"Findings on {topic} {' '.join(f'w{n}' for n in range(words))}"


def _drop_running(thread: Json) -> None:
    thread["values"] = {}
    for run in _runs.values():
        if run["thread_id"] == thread["thread_id"] and run["status"] == "running":
            run["status"] = "cancelled"


def _thread(thread_id: str) -> Json:
    if thread_id not in _threads:
        raise HTTPException(status_code=404, detail="Thread not found")
    return _threads[thread_id]


def _run(thread_id: str, run_id: str) -> Json:
    run = _runs.get(run_id)
    if run is None or run["thread_id"] != thread_id:
        raise HTTPException(status_code=404, detail="Run not found")
    return run


def _moment() -> str:
    """A logical clock in the clothes of a timestamp: this server never runs for a day."""
    minutes, seconds = divmod(next(_moments), 60)
    return f"2026-01-01T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}+00:00"
