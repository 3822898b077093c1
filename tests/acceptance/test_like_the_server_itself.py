"""Whatever a server's own OpenAPI allows is answered through the sidecar as it is directly.

A short attack; `make schema ARGS="--beside 10"` is the long one. What is left out stands in
tests/schema/beside.py, with the reasons.
"""

import pytest
from tests.acceptance.rig.masks import difference
from tests.acceptance.rig.servers import Sidecar
from tests.acceptance.rig.services import Service
from tests.schema.beside import SEES_OTHERS, TAKES_A_SECOND, Beside, comparable

EXAMPLES = 2
AT_LEAST = 100


@pytest.mark.filterwarnings("ignore::hypothesis.errors.HypothesisWarning")
def test_no_request_of_its_description_is_answered_differently(
    langgraph: Service, sidecar_to_langgraph: Sidecar
) -> None:
    beside = Beside(langgraph.url, sidecar_to_langgraph.url)
    left_out = [*SEES_OTHERS, *TAKES_A_SECOND]
    found = beside.attack(examples=EXAMPLES, seed=1, thorough=False, leaving=left_out)
    assert found.failures == {}  # Schemathesis itself came through
    assert beside.compared.differences == {}
    assert beside.compared.requests > AT_LEAST
    assert {200, 404, 422} <= set(beside.compared.statuses)


def test_a_difference_in_status_header_or_body_is_noticed() -> None:
    fields = {"content-type": ["application/json"], "x": ["1"]}
    direct = comparable(200, "OK", fields, b'{"a": 1, "metadata": {}}')
    echoed = b'{"a": 1, "metadata": {"sidecar_depth": "0"}}'
    assert not difference(direct, comparable(200, "OK", fields, echoed))
    assert difference(direct, comparable(201, "OK", fields, echoed))
    assert difference(direct, comparable(200, "OK", {**fields, "x": ["2"]}, echoed))
    assert difference(direct, comparable(200, "OK", fields, echoed.replace(b"1", b"2")))
