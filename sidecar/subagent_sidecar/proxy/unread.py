"""Starts whose bodies are not read, where a policy would have to know what they say."""

from ..core.policy import Policy
from ..core.wire import Act
from ..errors import BadBody, BodyTooLarge
from . import bodies
from .calls import Call


def refuse_unread(call: Call, policy: Policy) -> None:
    """A batch counts as many starts as it has, and a rule for an agent must know whose a start is.
    Raises BodyTooLarge, BadBody. Without such rules what is not read is passed on as it is."""
    if not (policy.limits or policy.budgets):
        return
    batch = call.meaning.act is Act.RUNS_BATCH
    if is_unread(call):
        if batch or policy.by_agent:
            raise BodyTooLarge(
                f"a start of more than {call.limits.inspect_limit} bytes (inspect_limit) is not "
                "read, so that nobody can tell what the policy has to say of it; send less"
            )
        return
    body = call.incoming.whole or b""
    if batch and body.strip() != b"[]" and not bodies.batch_items(body):
        raise BadBody(
            "this batch is no list of runs that could be read, so that nobody can tell how many "
            "starts it is; send plain JSON"
        )


def is_unread(call: Call) -> bool:
    """Whether the body is too long to be read, or would be if it came more slowly."""
    return call.incoming.stream is not None or (
        len(call.incoming.whole or b"") > call.limits.inspect_limit
    )
