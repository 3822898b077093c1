"""What tests of refusals share."""

from tests.support.counting import Counted
from tests.unit.core.test_decide import CALL, NOW, policy

from subagent_sidecar.core.decide import decide
from subagent_sidecar.core.matching import Call
from subagent_sidecar.core.verdict import Deny

HOPELESS = (
    "Waiting does not help: go on with the results you have, do the rest yourself, or tell the "
    "user."
)
AGAIN = "(rule a of policy p; the same call now would be refused again)"


def denied(section: str, rule: str, numbers: Counted, call: Call = CALL) -> Deny:
    found = decide(policy(section, f"name: a, {rule}"), numbers, call, NOW)
    assert isinstance(found, Deny)
    return found
