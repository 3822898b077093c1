"""Answers as blocks: what LangChain makes of the same message, and so what deepagents tells."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from deepagents.middleware import async_subagents as deep
from langchain_core.messages import convert_to_messages

from subagent_sidecar.core import tool_results, tool_words

PNG = {"type": "base64", "media_type": "image/png", "data": "AAAA"}
TEXT = {"type": "text", "text": "see"}

MESSAGES: list[Any] = [
    {"type": "ai", "content": "hello"},
    {"type": "ai", "content": ""},
    {"type": "ai", "content": ["a", "b"]},
    {"type": "ai", "content": [TEXT, {"type": "text", "text": "more"}]},
    {"type": "ai", "content": [TEXT, {"type": "image_url", "image_url": {"url": "https://x/y"}}]},
    {
        "type": "ai",
        "content": [{"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}],
    },
    {"type": "ai", "content": [{"type": "image_url", "image_url": "https://x/y.png"}]},
    {"type": "ai", "content": [{"type": "image", "source": PNG}]},
    {"type": "ai", "content": [{"type": "image", "source": {"type": "url", "url": "https://x"}}]},
    {
        "type": "ai",
        "content": [
            {"type": "image", "source_type": "base64", "data": "AA", "mime_type": "image/png"}
        ],
    },
    {"type": "ai", "content": [{"type": "image", "source_type": "url", "url": "https://x"}]},
    {"type": "ai", "content": [{"type": "audio", "base64": "AAAA", "mime_type": "audio/wav"}]},
    {
        "type": "ai",
        "content": [{"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}],
    },
    {
        "type": "ai",
        "content": [
            {
                "type": "file",
                "file": {"file_data": "data:application/pdf;base64,AA", "filename": "a.pdf"},
            }
        ],
    },
    {
        "type": "ai",
        "content": [{"type": "document", "source": {**PNG, "media_type": "application/pdf"}}],
    },
    {"type": "ai", "content": [{"type": "reasoning", "reasoning": "hm"}, TEXT]},
    {"type": "ai", "content": [{"type": "thinking", "thinking": "hm"}, TEXT]},
    {"type": "ai", "content": [{"type": "foo", "x": 1}]},
    {"type": "ai", "content": "x", "tool_calls": [{"name": "a", "args": {}, "id": "1"}]},
    {"type": "tool", "content": "done", "tool_call_id": "1"},
    {"role": "assistant", "content": "plain"},
    {"role": "unheard-of", "content": "plain"},
    "bare",
]


def of_deepagents(values: Mapping[str, Any]) -> Any:
    return deep._check_output({"result": deep._final_content(values)})


def of_ours(values: Mapping[str, Any]) -> Any:
    blocks = tool_results.answer(values)
    text = tool_results.text(blocks)
    if text is not None:
        return tool_words.as_json({"result": text})
    return [{"type": "text", "text": tool_words.as_json({})}, *blocks]


def without_ids(told: Any) -> Any:
    """LangChain makes up ids for blocks, and keeps details that only one maker knows."""
    if isinstance(told, str):
        return told
    return [{k: v for k, v in block.items() if k != "id"} for block in told]


@pytest.mark.parametrize("message", MESSAGES, ids=json.dumps)
def test_an_answer_is_told_as_deepagents_tells_it(message: Any) -> None:
    values = {"messages": [{"type": "human", "content": "do"}, message]}
    assert without_ids(of_ours(values)) == without_ids(of_deepagents(values))


@pytest.mark.parametrize("values", [{}, {"messages": []}, {"messages": None}])
def test_a_task_without_messages_is_told_as_deepagents_tells_it(values: Any) -> None:
    assert of_ours(values) == of_deepagents(values)


@pytest.mark.parametrize("values", [None, [], "text", {"messages": 5}, {"messages": {"a": 1}}])
def test_values_of_any_shape_are_no_messages(values: Any) -> None:
    assert "no output messages" in of_ours(values)


@pytest.mark.parametrize("content", [None, 5, {"a": 1}, [None, 5, {"type": 5}, {"type": "image"}]])
def test_content_of_any_shape_is_told_somehow(content: Any) -> None:
    assert of_ours({"messages": [{"type": "ai", "content": content}]})


def test_the_messages_above_hold_media_of_every_kind() -> None:
    kinds = set()
    for message in MESSAGES:
        try:
            kinds |= {block["type"] for block in convert_to_messages([message])[0].content_blocks}
        except ValueError:
            continue
    assert kinds >= {"text", "image", "audio", "file", "non_standard", "tool_call"}


RUNS = ["pending", "running", "success", "error", "timeout", "interrupted", "odd"]
THREADS = [None, "idle", "busy", "interrupted", "error", "odd"]


@pytest.mark.parametrize("run", RUNS)
@pytest.mark.parametrize("thread", THREADS)
def test_a_status_is_that_of_deepagents(run: str, thread: str | None) -> None:
    shown: Any = {"status": run}
    of: Any = None if thread is None else {"status": thread}
    assert tool_results.status(shown, of) == deep._task_status(shown, of)
    assert tool_results.moved_on(shown, of) is deep._needs_latest_run(shown, of)


def test_what_a_thread_asks_is_gathered_from_its_subgraphs_too() -> None:
    one, two = {"id": "1", "value": "a"}, {"id": "2", "value": {"b": 1}}
    thread: Any = {"interrupts": {"x": [one], "y": [two]}}
    assert tool_results.interrupts(thread) == [one, two] == deep._pending_interrupts(thread)


@pytest.mark.parametrize("thread", [None, {}, {"interrupts": []}, {"interrupts": {"x": [5]}}])
def test_a_thread_of_any_shape_asks_nothing(thread: Any) -> None:
    assert tool_results.interrupts(thread) == []
