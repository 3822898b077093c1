"""The Python SDK from end to end, written once for its async and its sync client.

A step is yielded as `(name, call)`; the runner performs the call (awaiting or draining what it
returns), notes the result under the name, and sends it back in.
"""

from collections.abc import Callable, Generator
from functools import partial
from typing import Any

Steps = Generator[tuple[str, Callable[[], Any]], Any, None]

_YEARLY = "0 0 1 1 *"


def tour(client: Any, tag: str, fixed_id: str) -> Steps:
    """`tag` marks all that is made, so that searches find nothing else; `fixed_id` is a new id."""
    yield from _threads(client, tag, fixed_id)
    yield from _runs(client, tag)
    yield from _streams(client)
    yield from _stateless(client)
    yield from _store(client, tag)
    yield from _assistants(client, tag)
    yield from _crons(client, tag)
    yield from _mistakes(client, fixed_id)


def _ask(text: str) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": text}]}


def _threads(client: Any, tag: str, fixed_id: str) -> Steps:
    threads = client.threads
    own = {"metadata": {"tour": tag}}
    thread = yield "threads.create", lambda: threads.create(**own)
    thread_id = thread["thread_id"]
    for _ in range(2):
        yield (
            "threads.create the same id",
            lambda: threads.create(thread_id=fixed_id, if_exists="do_nothing", **own),
        )
    yield "threads.get", lambda: threads.get(thread_id)
    yield "threads.update", lambda: threads.update(thread_id, metadata={"colour": "röd"})
    yield "threads.search", lambda: threads.search(**own, limit=1, sort_by="created_at")
    yield "threads.search the next", lambda: threads.search(**own, offset=1, sort_by="created_at")
    yield "threads.count", lambda: threads.count(**own)
    yield "runs.wait", lambda: client.runs.wait(thread_id, "researcher", input=_ask("A words=2"))
    yield "threads.get_state", lambda: threads.get_state(thread_id)
    yield "threads.get_history", lambda: threads.get_history(thread_id, limit=5)
    yield (
        "threads.update_state",
        lambda: threads.update_state(thread_id, _ask("by hand"), as_node="research"),
    )
    copy = yield "threads.copy", lambda: threads.copy(thread_id)
    yield "threads.get_state of the copy", lambda: threads.get_state(copy["thread_id"])
    yield "threads.delete", lambda: threads.delete(thread_id)
    yield "threads.get after its delete", lambda: threads.get(thread_id)


def _runs(client: Any, tag: str) -> Steps:
    runs = client.runs
    thread = yield "a thread for runs", lambda: client.threads.create(metadata={"tour": tag})
    thread_id = thread["thread_id"]
    run = yield (
        "runs.create",
        lambda: runs.create(
            thread_id, "researcher", input=_ask("B words=2"), metadata={"tour": tag}
        ),
    )
    yield "runs.join", lambda: runs.join(thread_id, run["run_id"])
    yield "runs.get", lambda: runs.get(thread_id, run["run_id"])
    hanging = yield "runs.create hang", lambda: runs.create(thread_id, "hang", input=_ask("C"))
    yield (
        "runs.create reject",
        lambda: runs.create(thread_id, "researcher", input=_ask("D"), multitask_strategy="reject"),
    )
    yield (
        "runs.cancel and wait",
        lambda: runs.cancel(thread_id, hanging["run_id"], wait=True, action="interrupt"),
    )
    yield "runs.cancel again", lambda: runs.cancel(thread_id, hanging["run_id"])
    yield "runs.list", lambda: runs.list(thread_id)
    yield "runs.list one status", lambda: runs.list(thread_id, status="interrupted")
    yield "runs.wait that fails", lambda: runs.wait(thread_id, "failing", input=_ask("E"))
    yield "runs.wait that asks", lambda: runs.wait(thread_id, "asker", input=_ask("F"))
    yield (
        "runs.wait with the answer",
        lambda: runs.wait(thread_id, "asker", command={"resume": "EU"}),
    )
    yield "runs.delete", lambda: runs.delete(thread_id, hanging["run_id"])
    yield "runs.get after its delete", lambda: runs.get(thread_id, hanging["run_id"])


def _streams(client: Any) -> Steps:
    runs = client.runs
    thread = yield "a thread for streams", lambda: client.threads.create()
    thread_id = thread["thread_id"]
    for mode in ("values", "updates", "messages-tuple", "events"):
        yield (
            f"runs.stream {mode}",
            partial(
                runs.stream, thread_id, "researcher", input=_ask("G words=3"), stream_mode=mode
            ),
        )
    yield (
        "runs.stream resumable",
        lambda: runs.stream(
            thread_id,
            "researcher",
            input=_ask("H words=3"),
            stream_mode=["values", "updates"],
            stream_resumable=True,
            stream_subgraphs=True,
        ),
    )
    run = yield (
        "runs.create to join",
        lambda: runs.create(
            thread_id, "researcher", input=_ask("I sleep=1 words=3"), stream_mode=["values"]
        ),
    )
    yield "runs.join_stream", lambda: runs.join_stream(thread_id, run["run_id"])
    yield "runs.join_stream too late", lambda: runs.join_stream(thread_id, run["run_id"])
    yield (
        "runs.stream that fails",
        lambda: runs.stream(thread_id, "failing", input=_ask("J"), stream_mode="values"),
    )


def _stateless(client: Any) -> Steps:
    runs = client.runs
    yield "stateless runs.wait", lambda: runs.wait(None, "researcher", input=_ask("K words=2"))
    yield (
        "stateless runs.stream",
        lambda: runs.stream(None, "researcher", input=_ask("L words=2"), stream_mode="values"),
    )
    yield (
        "stateless runs.create",
        lambda: runs.create(None, "researcher", input=_ask("M words=2")),
    )
    batch = [
        {"assistant_id": "researcher", "input": _ask("N words=2")},
        {"assistant_id": "researcher", "input": _ask("O words=2")},
    ]
    yield "runs.create_batch", lambda: runs.create_batch(batch)


def _store(client: Any, tag: str) -> Steps:
    store = client.store
    space = ("tours", tag)
    for key, colour in (("a", "blå"), ("b", "rød")):
        yield f"store.put_item {key}", partial(store.put_item, space, key, {"colour": colour})
    yield "store.get_item", lambda: store.get_item(space, "a")
    yield (
        "store.search_items",
        lambda: store.search_items(space, filter={"colour": "rød"}, limit=10),
    )
    yield "store.list_namespaces", lambda: store.list_namespaces(prefix=["tours", tag])
    yield "store.delete_item", lambda: store.delete_item(space, "a")
    yield "store.get_item after its delete", lambda: store.get_item(space, "a")


def _assistants(client: Any, tag: str) -> Steps:
    assistants = client.assistants
    ours: dict[str, Any] = {"metadata": {"created_by": "system"}}  # other tours make some too
    found = yield "assistants.search", lambda: assistants.search(graph_id="researcher", **ours)
    assistant_id = found[0]["assistant_id"]
    yield (
        "assistants.search pages",
        lambda: assistants.search(limit=2, sort_by="name", response_format="object", **ours),
    )
    yield "assistants.get", lambda: assistants.get(assistant_id)
    yield "assistants.get_graph", lambda: assistants.get_graph(assistant_id, xray=True)
    yield "assistants.get_schemas", lambda: assistants.get_schemas(assistant_id)
    yield "assistants.get_subgraphs", lambda: assistants.get_subgraphs(assistant_id)
    made = yield (
        "assistants.create",
        lambda: assistants.create("researcher", name="a tourist", metadata={"tour": tag}),
    )
    yield (
        "assistants.update",
        lambda: assistants.update(made["assistant_id"], metadata={"seen": True}),
    )
    yield "assistants.get_versions", lambda: assistants.get_versions(made["assistant_id"])
    yield "assistants.delete", lambda: assistants.delete(made["assistant_id"])


def _crons(client: Any, tag: str) -> Steps:
    crons = client.crons
    thread = yield "a thread for crons", lambda: client.threads.create()
    cron = yield (
        "crons.create_for_thread",
        lambda: crons.create_for_thread(
            thread["thread_id"], "researcher", schedule=_YEARLY, input=_ask("P")
        ),
    )
    yield "crons.search", lambda: crons.search(thread_id=thread["thread_id"])
    yield "crons.update", lambda: crons.update(cron["cron_id"], enabled=False)
    yield "crons.delete", lambda: crons.delete(cron["cron_id"])
    yield "crons.search after its delete", lambda: crons.search(thread_id=thread["thread_id"])
    alone = yield (
        "crons.create",
        lambda: crons.create(
            "researcher", schedule=_YEARLY, input=_ask("Q"), metadata={"tour": tag}
        ),
    )
    yield "crons.delete the stateless one", lambda: crons.delete(alone["cron_id"])


def _mistakes(client: Any, fixed_id: str) -> Steps:
    nobody = "00000000-0000-4000-8000-000000000000"
    yield "threads.get of nobody", lambda: client.threads.get(nobody)
    yield "threads.get of no id", lambda: client.threads.get("not-an-id")
    yield "runs.create of no graph", lambda: client.runs.create(fixed_id, "no-such-graph")
    yield "runs.get of nobody", lambda: client.runs.get(fixed_id, nobody)
