"""What a supervisor's key says of a start."""

from collections.abc import Sequence

from .keys import may_start
from .matching import Call, Scope
from .policy import Mode
from .verdict import KEY, Check, Deny

_SHOWN = 5


def beyond_key(agents: Sequence[str], call: Call, assistant_id: str | None) -> Deny | None:
    """The refusal of a start that a key for `agents` does not let its holder make; None: it may. It
    is held against what the agent is called by, and against the graph that would run."""
    names = [call.agent] if assistant_id is None else [call.agent, assistant_id]
    out = may_start(agents, names)
    if out is None:
        return None
    check = Check(
        rule="agents",
        policy=KEY,
        mode=Mode.ENFORCE,
        what=KEY,
        limit=0,
        current=0,
        denies=True,
        scope=Scope.AGENT,
        scope_id=out,
    )
    return Deny(check=check, checks=(check,), reason=_listed(agents))


def _listed(agents: Sequence[str]) -> str:
    """As a sentence has them."""
    shown = list(agents[:_SHOWN])
    return " or ".join(shown if len(shown) == len(agents) else [*shown, "the like"])
