"""Why the sidecar ended a task, as a model is told it. Who looks at a timeline wants to know why,
and neither twice by whom nor what the model shall do."""

import re

_TOLD_BY_OPERATOR = re.compile(
    r"Cancelled by the operator(?:: (?P<why>.*))?\. Do not start it again unless the user asks\."
)
_TOLD_BY_BUDGET = re.compile(
    r"Cancelled before its end: (?P<why>.*?)\. Do not start it again: .* "
    r"\((?P<rule>rule \S+ of policy \S+); it refuses new starts as well\)",
    re.DOTALL,
)
_TOLD_BY_REAPER = re.compile(
    r"(?:clock: )?(?:Cancelled|Ended[^:]*): (?P<why>.*)\. "
    r"(?:Do not start it again|The server may have too much|It may be stuck).*"
    r"\((?P<rule>[^()]*)\)",
    re.DOTALL,
)


def for_people(by: str, reason: str) -> str:
    """The reason without what is meant for the supervisor's model."""
    if by == "operator" and (told := _TOLD_BY_OPERATOR.fullmatch(reason)):
        return told["why"] or ""
    pattern = {"budget": _TOLD_BY_BUDGET, "reaper": _TOLD_BY_REAPER}.get(by)
    if pattern is not None and (told := pattern.fullmatch(reason)):
        return f"{told['why']} ({told['rule']})"
    return reason
