"""Chat messages as langgraph-api shows them in values, state and streams."""

import uuid
from typing import Any

from subagent_sidecar.testing.records import Json, Run
from subagent_sidecar.testing.scripts import Script

_TYPES = {"user": "human", "human": "human", "assistant": "ai", "ai": "ai", "system": "system"}


def as_messages(run_input: Any) -> list[Json]:
    """What an input adds to the conversation; ids are given where there are none."""
    given = run_input.get("messages", []) if isinstance(run_input, dict) else []
    return [_as_message(message) for message in given]


def _as_message(message: Any) -> Json:
    if isinstance(message, str):
        message = {"role": "user", "content": message}
    role = str(message.get("role") or message.get("type") or "user")
    return {
        "content": message.get("content", ""),
        "additional_kwargs": {},
        "response_metadata": {},
        "type": _TYPES.get(role, role),
        "name": message.get("name"),
        "id": message.get("id") or str(uuid.uuid4()),
    }


def ai_message(text: str, run: Run, script: Script) -> Json:
    """One answer of the model, with the usage the script says a call costs."""
    return {
        "content": text,
        "additional_kwargs": {},
        "response_metadata": {
            "model_name": script.model,
            "model_provider": "anthropic",
            "stop_reason": "end_turn",
        },
        "type": "ai",
        "name": run.graph_id,
        "id": f"lc_run--{uuid.uuid4()}-0",
        "tool_calls": [],
        "invalid_tool_calls": [],
        "usage_metadata": {
            "input_tokens": script.input_tokens,
            "output_tokens": script.output_tokens,
            "total_tokens": script.input_tokens + script.output_tokens,
            "input_token_details": {"cache_read": 0, "cache_creation": 0},
        },
    }
