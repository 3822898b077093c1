"""What tools say, for people."""

import json
from collections.abc import Iterator

from subagentctl.client import JsonObject
from subagentctl.look import Look
from subagentctl.text import clean
from subagentctl.tools import Standing


def standing_page(standing: Standing, task: JsonObject, look: Look) -> str:
    """How a task stands, and what it has to say."""
    head = "  ".join(
        [
            look.paint(clean(standing.status), standing.status),
            clean(str(task.get("agent_name") or "")),
            clean(str(task.get("task_id") or "")),
        ]
    )
    body = list(_body(standing))
    return "".join(f"{line}\n" for line in [head.rstrip(), *([""] if body else []), *body])


def _body(standing: Standing) -> Iterator[str]:
    found = standing.found
    for key in ("result", "error"):
        if isinstance(found.get(key), str):
            yield from lines(found[key])
    for kind in standing.media:
        yield f"[{kind}; -o json has it]"
    interrupts = found.get("interrupts")
    if isinstance(interrupts, list):
        yield "It asks:"
        for each in interrupts:
            value = each.get("value") if isinstance(each, dict) else each
            yield from lines(value if isinstance(value, str) else json.dumps(value))
    elif "waited_s" in found:
        yield f"It is not over after {found['waited_s']} s, and goes on."
    elif isinstance(found.get("note"), str):
        yield from lines(found["note"])


def lines(text: str) -> list[str]:
    """`text` line by line, each harmless to a terminal."""
    return [clean(line) for line in text.splitlines()]


def progress(standing: Standing, seconds: float, look: Look) -> str:
    """One line of a display that is written over."""
    minutes, rest = divmod(int(seconds), 60)
    status = look.paint(f"{look.live} {clean(standing.status)}", standing.status)
    return f"{status}  {minutes}:{rest:02d}  (Ctrl-C leaves it running)"
