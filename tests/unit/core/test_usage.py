"""What messages say they used, in the shapes real servers write them and in none."""

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.contract.captures import flows
from tests.support.books import Story

from subagent_sidecar.core.model import RunStatus
from subagent_sidecar.core.usage import Reading, readings, run_at_work

USAGE = {"input_tokens": 105, "output_tokens": 29, "total_tokens": 134}

# As langgraph-api 0.16.7 shows the state of a deepagents 0.7 graph.
DEEPAGENTS: dict[str, Any] = {
    "content": "Step 1 of 5",
    "additional_kwargs": {
        "invalid_tool_calls": [],
        "usage_metadata": {
            "input_tokens": 104,
            "output_tokens": 46,
            "total_tokens": 150,
            "input_token_details": {"cache_read": 52, "cache_creation": 0},
        },
    },
    "response_metadata": {
        "model_name": "claude-sonnet-4-6",
        "model_provider": "anthropic",
        "stop_reason": "tool_use",
    },
    "type": "ai",
    "name": "coder",
    "id": "lc_run--01a20663-3d7f-76d1-a36d-9a52f78bcefe-0",
    "tool_calls": [],
    "invalid_tool_calls": [],
    "usage_metadata": None,
}


def message(usage: Any = USAGE, message_id: Any = "m1", **fields: Any) -> dict[str, Any]:
    return {"type": "ai", "content": "hi", "id": message_id, "usage_metadata": usage, **fields}


def only(*messages: Any) -> Reading:
    (found,) = readings(messages)
    return found


def test_a_message_of_deepagents_says_it_in_the_additional_fields() -> None:
    assert only(DEEPAGENTS) == Reading(
        message_id="lc_run--01a20663-3d7f-76d1-a36d-9a52f78bcefe-0",
        model="claude-sonnet-4-6",
        provider="anthropic",
        input_tokens=104,
        output_tokens=46,
        cache_read_tokens=52,
    )


def test_the_recorded_servers_show_one_message_alike_wherever_they_show_it() -> None:
    recorded = [
        exchange.json for exchange in flows()["threads"] if "usage_metadata" in exchange.answer
    ]
    lists = [(answer.get("values") or answer)["messages"] for answer in recorded]
    assert len(lists) == 2
    first, second = map(readings, lists)
    assert first == second
    assert [(r.model, r.provider) for r in first] == [("claude-sonnet-4-6", "anthropic")]
    assert all(r.input_tokens and r.output_tokens and r.cache_read_tokens for r in first)


@pytest.mark.parametrize(
    ("details", "read", "written", "hour"),
    [
        (None, 0, 0, 0),
        ({}, 0, 0, 0),
        ({"cache_read": 52}, 52, 0, 0),
        ({"cache_read": 52, "cache_creation": 7}, 52, 7, 0),
        ({"cache_read": None, "cache_creation": None}, 0, 0, 0),
        # langchain-anthropic: told apart by age, and the sum set to 0
        ({"cache_creation": 0, "ephemeral_5m_input_tokens": 30}, 0, 30, 0),
        (
            {
                "cache_creation": 0,
                "ephemeral_5m_input_tokens": 30,
                "ephemeral_1h_input_tokens": 12,
            },
            0,
            42,
            12,
        ),
        # its versions before that said both
        ({"cache_creation": 42, "ephemeral_5m_input_tokens": 42}, 0, 42, 0),
        ({"cache_read": "many", "cache_creation": -1}, 0, 0, 0),
        ("none", 0, 0, 0),
    ],
)
def test_the_parts_of_the_input(details: Any, read: int, written: int, hour: int) -> None:
    found = only(message({**USAGE, "input_token_details": details}))
    assert found.input_tokens == 105
    parts = (found.cache_read_tokens, found.cache_write_tokens, found.cache_write_1h_tokens)
    assert parts == (read, written, hour)


@pytest.mark.parametrize(
    ("metadata", "model", "provider"),
    [
        ({"model_name": "gpt-4o-2024-08-06"}, "gpt-4o-2024-08-06", None),
        ({"model": "claude-x", "model_provider": "anthropic"}, "claude-x", "anthropic"),
        ({"model_name": "a", "model": "b"}, "a", None),
        ({"model_name": "", "model": "b"}, "b", None),
        ({"model_name": None, "model_id": "us.x-v1:0"}, "us.x-v1:0", None),
        ({"ls_model_name": "m", "ls_provider": "openai"}, "m", "openai"),
        ({"model_name": ["a"], "model": "b"}, "b", None),
        ({"model_name": "x" * 201}, None, None),
        ({"model_name": "tab\there"}, None, None),
        ({"model_name": "half \ud800"}, None, None),
        ({}, None, None),
        (None, None, None),
    ],
)
def test_the_model_is_named_in_one_of_many_ways(
    metadata: Any, model: str | None, provider: str | None
) -> None:
    found = only(message(response_metadata=metadata))
    assert (found.model, found.provider) == (model, provider)


@pytest.mark.parametrize(
    ("value", "meant"),
    [
        (0, 0),
        (7, 7),
        (7.0, 7),
        (10**12, 10**12),
        (10**12 + 1, None),
        (2**70, None),
        (1e300, None),
        (7.5, None),
        (-1, None),
        (True, None),
        ("7", None),
        (None, None),
        ([7], None),
        (float("nan"), None),
        (float("inf"), None),
    ],
)
@pytest.mark.parametrize("key", ["input_tokens", "output_tokens"])
def test_what_is_no_number_of_tokens_leaves_the_message_unknown(
    key: str, value: Any, meant: int | None
) -> None:
    found = readings([message({**USAGE, key: value})])
    assert [getattr(reading, key) for reading in found] == ([] if meant is None else [meant])


@pytest.mark.parametrize(
    "other",
    [
        {"type": "human", "content": "go", "id": "h"},
        {"type": "tool", "content": "42", "id": "t", "additional_kwargs": {}},
        message(None),
        message({}),
        message({"input_tokens": 5}),
        message([1, 2]),
        message("5"),
        None,
        "text",
        7,
        [message()],
        {"lc": 1, "kwargs": None},
    ],
)
def test_a_message_that_does_not_say_is_passed_over(other: Any) -> None:
    assert readings([other, message(message_id="m2")]) == readings([message(message_id="m2")])


def test_the_constructor_form_is_a_message_too() -> None:
    wrapped = {"lc": 1, "type": "constructor", "id": ["langchain_core"], "kwargs": message()}
    assert only(wrapped) == only(message())


def test_a_repeated_message_counts_once_as_it_was_said_last() -> None:
    grown = {**USAGE, "output_tokens": 60}
    assert only(message(), message(grown)).output_tokens == 60


def test_messages_without_ids_are_told_apart_by_what_they_say() -> None:
    bare, other = message(message_id=None), message(message_id="", content="bye")
    found = readings([bare, other, bare])
    assert len({reading.message_id for reading in found}) == 3


def test_a_message_without_an_id_is_the_same_wherever_it_stands() -> None:
    bare = message(message_id=None)
    assert readings([bare]) == readings([{"type": "human"}, message(message_id="x"), bare])[1:]


@pytest.mark.parametrize("odd", ["x" * 201, "a\nb", "\ud800", 7, ["a"]])
def test_an_id_that_cannot_be_kept_is_none(odd: Any) -> None:
    assert only(message(message_id=odd)).message_id.startswith("no-id-")


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
usage_like = st.fixed_dictionaries(
    {}, optional={key: anything for key in (*USAGE, "input_token_details")}
)
message_like = st.fixed_dictionaries(
    {},
    optional={
        "id": anything,
        "lc": anything,
        "kwargs": anything,
        "usage_metadata": usage_like | anything,
        "additional_kwargs": st.fixed_dictionaries({"usage_metadata": usage_like}) | anything,
        "response_metadata": anything,
    },
)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(message_like | anything, max_size=5))
def test_nothing_that_a_server_writes_raises(messages: list[Any]) -> None:
    """failures.md 26"""
    found = readings(messages)
    assert len({reading.message_id for reading in found}) == len(found) <= len(messages)
    for reading in found:
        assert reading.message_id.encode() and (reading.model or "").encode("utf-8") is not None
        assert 0 <= reading.input_tokens <= 10**12 and 0 <= reading.output_tokens <= 10**12
        assert 0 <= reading.cache_write_tokens < 2**63


def test_nesting_without_end_does_not_raise() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    assert only(message(message_id=None, content=deep)).message_id


def at_work(story: Story) -> str | None:
    return run_at_work(story.tables.runs("t"))


def test_the_run_at_work_is_the_last_that_has_begun() -> None:
    story = Story()
    assert at_work(story) is None
    story.started("r1")
    assert at_work(story) == "r1"
    story.run_seen("r1", RunStatus.RUNNING)
    story.started("r2")
    assert at_work(story) == "r1", "the follow-up waits its turn"
    story.run_seen("r1", RunStatus.SUCCESS)
    assert at_work(story) == "r1"
    story.run_seen("r2", RunStatus.RUNNING)
    assert at_work(story) == "r2"


def test_a_follow_up_that_was_cancelled_before_it_began_has_said_nothing() -> None:
    story = Story()
    story.started("r1")
    story.run_seen("r1", RunStatus.SUCCESS)
    story.started("r2")
    story.run_seen("r2", RunStatus.INTERRUPTED)
    assert at_work(story) == "r1"
