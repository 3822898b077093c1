"""What requests say about themselves, and that none of them can hurt."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.proxy.json_bytes import DEPTHS, HOSTILE, any_text, encoded, nested, objects, values

from subagent_sidecar.core.model import Item
from subagent_sidecar.core.storable import name, storable
from subagent_sidecar.proxy.bodies import (
    RunBody,
    ThreadBody,
    batch_body,
    batch_items,
    cancelled_runs,
    run_body,
    thread_body,
)

# The dialects of deepagents (wire.md 1, 5).
PY_0_7_32 = {
    "input": {"messages": [{"role": "user", "content": "topic A"}]},
    "stream_mode": "values",
    "config": {"configurable": {"deepagents_parent": {"thread_id": "sup"}}},
    "assistant_id": "researcher",
}
UPDATE = {**PY_0_7_32, "multitask_strategy": "interrupt"}
PY_0_5 = {"input": {"messages": [{"role": "user", "content": "x"}]}, "assistant_id": "researcher"}
JS = {"input": {"messages": [], "callbackThreadId": "sup"}, "assistant_id": "r"}

RUNS: list[tuple[object, RunBody]] = [
    (PY_0_7_32, RunBody(assistant_id="researcher", session_id="sup", purpose="topic A")),
    (UPDATE, RunBody(assistant_id="researcher", session_id="sup", strategy="interrupt",
                     purpose="topic A")),
    (PY_0_5, RunBody(assistant_id="researcher", purpose="x")),
    (JS, RunBody(assistant_id="r", session_id="sup")),
    ({"metadata": {"subagent_name": "coder"}}, RunBody(agent_name="coder")),
    ({"config": {"configurable": {"deepagents_parent": {"thread_id": "py"}}},
      "input": {"callbackThreadId": "js"}}, RunBody(session_id="py")),
    ({"config": {"configurable": {"deepagents_parent": {"thread_id": ""}}},
      "input": {"callbackThreadId": "js"}}, RunBody(session_id="js")),
    ({}, RunBody()),
    (None, RunBody()),
    ([PY_0_5], RunBody()),
    ("text", RunBody()),
    ({"assistant_id": 7, "multitask_strategy": ["x"], "metadata": "m", "config": [], "input": 1},
     RunBody()),
    ({"metadata": {"subagent_name": {"a": 1}}, "config": {"configurable": []}}, RunBody()),
    ({"config": {"configurable": {"deepagents_parent": "sup"}}}, RunBody()),
    ({"config": None, "metadata": None, "input": None}, RunBody()),
]  # fmt: skip


def said(body: bytes) -> RunBody:
    """But for the fingerprint, which is test_instruction's matter."""
    return replace(run_body(body), bare=False, fingerprint=None)


@pytest.mark.parametrize(("body", "expected"), RUNS)
def test_what_a_run_says(body: object, expected: RunBody) -> None:
    assert said(json.dumps(body).encode()) == expected


@pytest.mark.parametrize(("body", "expected"), RUNS[:6])
def test_what_python_reads_and_others_do_not_is_read_all_the_same(
    body: dict[str, Any], expected: RunBody
) -> None:
    odd = {**body, "odd": float("nan"), "huge": 10**30, "half": "\ud800"}
    assert said(json.dumps(odd).encode()) == expected


BARE = [
    (b"{}", True),
    (b' {"a": [1, {"b": null}]} ', True),
    (b'{"input":{"metadata":{}},"assistant_id":"the metadata"}', True),
    (b'{"input":7}', True),
    (b'{"input":7,"metadata":{}}', False),
    (b'{"metadata":{}}', False),
    (b'{"metadata":null}', False),
    (b'{"metadata":7}', False),
    (b'{"m\\u0065tadata":{"x":1}}', False),
    (b'{"\\u006detadata":null,"input":7}', False),
    (b"[]", False),
    (b"null", False),
    (b"", False),
    (b'{"a":1} x', False),
    (b'{"a":1,}', False),
    (b'{"a":1', False),
    (b'{"input":{"a":1}', False),
    (b'{"input":{]}}', False),
]


@pytest.mark.parametrize(("body", "expected"), BARE)
def test_a_body_that_is_called_bare_is_an_object_without_metadata(
    body: bytes, expected: bool
) -> None:
    assert run_body(body).bare is expected


def says(content: object, **more: object) -> bytes:
    return json.dumps({"input": {"messages": content, **more}}).encode()


PURPOSES: list[tuple[object, str | None]] = [
    ([{"role": "user", "content": "a"}, {"role": "user", "content": "b"}], "b"),
    ([{"content": "a"}, {"content": ""}], "a"),
    ([{"content": [{"type": "text", "text": "a"}, {"type": "image"}, {"text": "b"}]}], "a b"),
    ([{"content": [{"text": 7}, "c"]}], None),
    ({"role": "user", "content": "alone"}, "alone"),
    ([{"content": "  many \n\t spaces  "}], "many spaces"),
    ([{"content": "x" * 5_000}], "x" * 200),
    ([{"content": "ab " * 1_000}], ("ab " * 67)[:200]),
    ([{"content": "half \ud800 a pair"}], "half ? a pair"),
    ([{"content": "🚀" * 300}], "🚀" * 200),
    ([], None),
    (["text", 7, None, []], None),
    ("text", None),
    (None, None),
]


@pytest.mark.parametrize(("messages", "expected"), PURPOSES)
def test_the_purpose_is_the_begin_of_the_last_message_with_text(
    messages: object, expected: str | None
) -> None:
    assert run_body(says(messages)).purpose == expected


def test_an_enormous_input_is_not_read_and_hides_nothing_else() -> None:
    body = said(
        json.dumps({**UPDATE, "input": {"messages": [{"content": "x" * 300_000}]}}).encode()
    )
    assert body == RunBody(assistant_id="researcher", session_id="sup", strategy="interrupt")


def test_the_last_of_two_members_of_one_name_counts() -> None:
    assert run_body(b'{"assistant_id":"a","assistant_id":"b"}').assistant_id == "b"


BATCHES: list[tuple[object, RunBody]] = [
    ([PY_0_5, JS], RunBody(assistant_id="researcher", purpose="x")),
    ([{**PY_0_5, "odd": float("nan")}], RunBody(assistant_id="researcher", purpose="x")),
    ([], RunBody()),
    ([7], RunBody()),
    (PY_0_5, RunBody()),
]


@pytest.mark.parametrize(("body", "expected"), BATCHES)
def test_a_batch_says_what_its_first_run_says(body: object, expected: RunBody) -> None:
    told = batch_body(json.dumps(body).encode())
    assert replace(told, fingerprint=None) == expected


def test_each_run_of_a_batch_says_what_it_would_say_alone() -> None:
    bodies: list[dict[str, Any]] = [PY_0_5, JS, {**UPDATE, "metadata": {"subagent_name": "coder"}}]
    alone = [run_body(json.dumps(body).encode()) for body in bodies]
    expected = [
        Item(
            agent_name=each.agent_name,
            assistant_id=each.assistant_id,
            purpose=each.purpose,
            fingerprint=each.fingerprint,
        )
        for each in alone
    ]
    assert batch_items(json.dumps(bodies).encode()) == expected
    odd = [{**body, "odd": float("nan")} for body in bodies]
    assert batch_items(json.dumps(odd).encode()) == expected


@pytest.mark.parametrize("body", [b"", b"{}", b"7", b"[", b'"text"'])
def test_what_is_no_batch_holds_no_run(body: bytes) -> None:
    assert batch_items(body) == []


THREADS: list[tuple[object, ThreadBody]] = [
    ({"metadata": {"subagent_name": "r", "parent_thread_id": "sup"}},
     ThreadBody(session_id="sup", agent_name="r")),
    ({"metadata": {"parent_thread_id": "sup"}}, ThreadBody(session_id="sup")),
    ({"metadata": {}}, ThreadBody()),
    ({}, ThreadBody()),
    ({"metadata": {"subagent_name": "half \ud800"}}, ThreadBody(agent_name="half ?")),
    ({"metadata": ["parent_thread_id"]}, ThreadBody()),
    ([], ThreadBody()),
]  # fmt: skip


@pytest.mark.parametrize(("body", "expected"), THREADS)
def test_what_a_thread_says(body: object, expected: ThreadBody) -> None:
    assert thread_body(json.dumps(body).encode()) == expected


CANCELS: list[tuple[object, tuple[str | None, list[str], str | None]]] = [
    ({"thread_id": "t", "run_ids": ["a", "b"]}, ("t", ["a", "b"], None)),
    ({"status": "running"}, (None, [], "running")),
    ({"thread_id": 7, "run_ids": [1, None, "a"], "status": {}}, (None, ["a"], None)),
    ({"run_ids": "abc"}, (None, [], None)),
    ({}, (None, [], None)),
    ([], (None, [], None)),
]


@pytest.mark.parametrize(("body", "expected"), CANCELS)
def test_what_a_bulk_cancel_names(
    body: object, expected: tuple[str | None, list[str], str]
) -> None:
    thread_id, run_ids, status = cancelled_runs(json.dumps(body).encode())
    assert (thread_id, list(run_ids), status) == expected


def not_bare_to_python(body: bytes) -> bool:
    try:
        found = json.loads(body.decode("utf-8", "replace"))
        return not isinstance(found, dict) or "metadata" in found
    except json.JSONDecodeError:
        return True
    except (ValueError, RecursionError):  # beyond its limits
        return False


def check(body: bytes) -> None:
    """Whatever it says, it can be stored, and it is no longer than what we keep. What is called
    an object without metadata is one to others too."""
    assert not (run_body(body).bare and not_bare_to_python(body))
    run, first, thread = run_body(body), batch_body(body), thread_body(body)
    purposes = [item.purpose for item in batch_items(body)]
    assert purposes[:1] in ([], [first.purpose])
    assert run.fingerprint is None or len(run.fingerprint) == 16
    thread_id, run_ids, status = cancelled_runs(body)
    names = [run.assistant_id, run.agent_name, run.session_id, run.strategy, run.purpose]
    names += [first.assistant_id, first.session_id, thread.session_id, thread.agent_name]
    for text in (*names, thread_id, status, *run_ids):
        assert text is None or text.encode("utf-8") is not None
    assert all(text is None or len(text) <= 256 for text in names)


KEYS = ("assistant_id", "multitask_strategy", "metadata", "config", "input", "messages", "status",
        "thread_id", "run_ids", "subagent_name", "parent_thread_id", "configurable", "content",
        "deepagents_parent", "callbackThreadId")  # fmt: skip
runs = objects(*KEYS)


@given(encoded(runs | st.lists(runs, max_size=2) | st.fixed_dictionaries({
    "metadata": objects("subagent_name", "parent_thread_id"),
    "config": st.fixed_dictionaries({"configurable": objects("deepagents_parent")}),
    "input": st.fixed_dictionaries({"messages": st.lists(objects("content"), max_size=2) | values}),
})))  # fmt: skip
def test_no_body_can_hurt(body: bytes) -> None:
    check(body)


@given(st.binary(max_size=40))
def test_no_bytes_can_hurt(body: bytes) -> None:
    check(body)


@pytest.mark.parametrize("body", HOSTILE, ids=range(len(HOSTILE)))
def test_no_hostile_body_can_hurt(body: bytes) -> None:
    check(body)


# The loose reader takes over where the strict one gives up: here at a half of a pair.
DEEP = [
    b'{"assistant_id":"\\ud800","input":%b}',
    b'{"input":{"messages":[{"content":%b}]}}',
    b'{"metadata":%b,"config":%b}',
    b'[{"assistant_id":"\\ud800","input":%b}]',
    b"%b",
]


@pytest.mark.parametrize("depth", DEPTHS)
@pytest.mark.parametrize("template", DEEP)
def test_no_depth_can_hurt(template: bytes, depth: int) -> None:
    check(template.replace(b"%b", nested(depth, b'{"subagent_name":"a"}')))


@given(any_text)
def test_a_name_is_storable_and_short(text: str) -> None:
    kept = name(text)
    assert (kept is None) is (text == "")
    if kept is not None:
        assert kept.encode("utf-8").decode("utf-8") == kept
        assert len(kept) <= 256
    assert storable("plain") == "plain"


def test_a_name_is_not_endless() -> None:
    assert name("x" * 1_000) == "x" * 256
