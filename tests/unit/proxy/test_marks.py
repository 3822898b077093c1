"""What a start takes along: the same whichever way it is put in."""

import json
from dataclasses import replace
from typing import Any

import pytest

from subagent_sidecar.core.model import Intent, IntentKind
from subagent_sidecar.core.trace_ids import sent_with
from subagent_sidecar.proxy.marks import sent

INTENT = Intent(
    intent_id="i",
    request_id="r",
    kind=IntentKind.START,
    upstream="up",
    created_at="2026-01-01T00:00:00.000000Z",
    session_id="s",
    supervisor="ann",
    agent_name="coder",
    depth=3,
    thread_id="t",
)
ODD: list[dict[str, Any]] = [
    {},
    {"session_id": 'a"}\\\u2028\ud800\n', "thread_id": '"\xe9\x00'},
    {"kind": IntentKind.UPDATE, "tree_id": "root", "trace_parent": f"00-{'a' * 32}-{'b' * 16}-01"},
    {"kind": IntentKind.STATELESS, "thread_id": None},
    {"kind": IntentKind.BATCH, "thread_id": None},
]


@pytest.mark.parametrize("facts", ODD)
def test_a_body_known_to_have_no_metadata_is_sent_as_any_other(facts: dict[str, Any]) -> None:
    intent, body = replace(INTENT, **facts), b'{"a":1e400}'
    assert sent(body, intent, bare=True) == sent(body, intent, bare=False)


@pytest.mark.parametrize("facts", ODD)
def test_a_body_with_a_number_that_python_would_not_read_is_marked_all_the_same(
    facts: dict[str, Any],
) -> None:
    told, _ = sent(b'{"a":%b}' % (b"1" * 5_000), replace(INTENT, **facts), bare=True)
    assert told.startswith(b'{"metadata":{"sidecar_session_id":')


@pytest.mark.parametrize("facts", ODD)
def test_what_is_told_is_what_is_on_record(facts: dict[str, Any]) -> None:
    intent = replace(INTENT, **facts)
    body, context = sent(b"{}", intent, bare=True)
    assert context == sent_with(intent)
    told = {
        "sidecar_session_id": intent.session_id,
        "sidecar_depth": "3",
        "sidecar_traceparent": context,
        "sidecar_task_id": intent.thread_id,
    }
    known = {name: value for name, value in told.items() if value is not None}
    assert json.loads(body) == {"metadata": known}
