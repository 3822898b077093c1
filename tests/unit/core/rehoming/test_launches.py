"""Which task a supervisor's span has started."""

import pytest
from tests.support.otlp_request import Emitted, request

from subagent_sidecar.core.rehoming.launches import launched

TASK = "01a20a7a-9399-7a7e-9543-3118098b9fc5"
ANSWER = f"Launched async subagent. task_id: {TASK}"

SAID = {
    "OpenInference": ({"output.value": f'{{"content": "{ANSWER}", "x": 1}}'}, TASK),
    "OpenLLMetry": ({"a": "b", "traceloop.entity.output": f'{{"output": "{ANSWER}"}}'}, TASK),
    "another tool's": ({"output.value": f"Canceled task {TASK}"}, None),
    "a refusal": ({"output.value": "Failed to launch async subagent 'x': 403"}, None),
    "one that is far too long": ({"output.value": ANSWER + "x" * 70_000}, None),
    "nothing": ({}, None),
}


@pytest.mark.parametrize("name", SAID)
def test_what_the_tool_answered_names_the_task(name: str) -> None:
    said, expected = SAID[name]
    (span,) = request(Emitted(id=1, said=said)).resource_spans[0].scope_spans[0].spans
    assert launched(span.attributes) == expected
