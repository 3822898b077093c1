"""Starts whose bodies are not read, where a policy would have to know what they say."""

from ..core.policy import Policy
from ..core.wire import Act
from ..errors import BadBody, BodyTooLarge
from . import bodies
from .calls import Call


def refuse_unread(call: Call, policy: Policy) -> None:
    """A batch counts as many starts as it has, and a rule for an agent, or a key for some agents,
    must know whose a start is. Raises BodyTooLarge, BadBody. Without such rules what is not read
    is passed on as it is."""
    batch, agents = call.meaning.act is Act.RUNS_BATCH, call.request.principal.only
    if not (batch or policy.by_agent or agents):
        return
    if agents:
        refuse_if_unread(call)
    elif not (policy.limits or policy.budgets):
        return
    if batch or policy.by_agent:
        refuse_if_unread(call)
    if is_unread(call):
        return
    body = call.incoming.whole or b""
    if batch and body.strip() != b"[]" and not bodies.batch_items(body):
        raise BadBody(
            "this batch is no list of runs that could be read, so that nobody can tell how many "
            "starts it is; send plain JSON"
        )


def refuse_unread_door(call: Call, policy: Policy) -> None:
    """The same at another door than the run routes. An A2A agent stands in the path."""
    ruled = (policy.limits or policy.budgets) and policy.by_agent
    if (ruled or call.agents) and call.meaning.act is not Act.A2A:
        refuse_if_unread(call)


def refuse_if_unread(call: Call) -> None:
    """Raises BodyTooLarge, BadBody."""
    if is_unread(call):
        raise BodyTooLarge(
            f"a start of more than {call.limits.inspect_limit} bytes (inspect_limit) is not "
            "read, so that nobody can tell what the policy has to say of it; send less"
        )
    if is_encoded(call):
        raise BadBody(
            "a start with a Content-Encoding is not read, so that nobody can tell what the policy "
            "has to say of it; send plain JSON"
        )


def is_encoded(call: Call) -> bool:
    """Whether a server that undoes a coding would read something else than stands here."""
    coding = call.request.headers.get("content-encoding")
    return coding is not None and coding.strip().lower() not in ("", "identity")


def is_unread(call: Call) -> bool:
    """Whether the body is too long to be read, or would be if it came more slowly."""
    return call.incoming.stream is not None or (
        len(call.incoming.whole or b"") > call.limits.inspect_limit
    )
