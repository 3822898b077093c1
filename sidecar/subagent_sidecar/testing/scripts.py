"""What the graphs of a fake server do when they are run."""

from dataclasses import dataclass
from enum import StrEnum


class Outcome(StrEnum):
    """How a run of the graph ends, if nobody stops it."""

    SUCCEED = "succeed"
    FAIL = "fail"
    ASK = "ask"
    HANG = "hang"


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One graph: `steps` model calls, `seconds` in all, then the outcome.

    A step adds one AI message to the thread, one event to the stream and one checkpoint. The first
    comes after `seconds / steps`.
    """

    outcome: Outcome
    seconds: float = 0.0
    steps: int = 1
    text: str = "done"
    options: tuple[str, ...] = ()
    input_tokens: int = 100
    output_tokens: int = 20
    model: str = "claude-sonnet-4-6"


def succeed(after: float = 0.0, *, steps: int = 1, reply: str = "done") -> Script:
    """End well after `after` seconds; the last of the `steps` messages says `reply`."""
    return Script(outcome=Outcome.SUCCEED, seconds=after, steps=steps, text=reply)


def fail(after: float = 0.0, *, message: str = "boom") -> Script:
    """Raise RuntimeError(message) after `after` seconds, before any step."""
    return Script(outcome=Outcome.FAIL, seconds=after, steps=0, text=message)


def ask(
    question: str = "Which region?",
    options: tuple[str, ...] = ("EU", "US"),
    *,
    after: float = 0.0,
) -> Script:
    """Pause for a human; a later run with `command.resume` ends the conversation well."""
    return Script(outcome=Outcome.ASK, seconds=after, steps=0, text=question, options=options)


def hang() -> Script:
    """Run until cancelled."""
    return Script(outcome=Outcome.HANG, steps=0)


USUAL_GRAPHS: dict[str, Script] = {
    "researcher": succeed(),
    "coder": succeed(0.3, steps=3, reply="Coder finished."),
    "failing": fail(),
    "asker": ask(),
    "hang": hang(),
}
"""The graphs a `FakeAgentServer` has when it is given none."""
