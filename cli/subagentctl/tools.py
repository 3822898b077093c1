"""Tools of the sidecar, called as a model would call them."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from subagentctl.client import Client, JsonObject, segment

_MARGIN_S = 60.0
"""What a tool asks of agent servers takes its time as well."""

ACTIVE = frozenset({"pending", "running"})


@dataclass(frozen=True, slots=True)
class Standing:
    """What a check says: `found` is the JSON that a model reads; `media` what an answer shows."""

    found: JsonObject
    answer: JsonObject
    media: tuple[str, ...] = field(default=())

    @property
    def status(self) -> str:
        return str(self.found.get("status"))

    @property
    def over(self) -> bool:
        return self.status not in ACTIVE


def call(
    client: Client,
    tool: str,
    arguments: Mapping[str, Any],
    *,
    session: str | None = None,
    wait: float = 0.0,
) -> JsonObject:
    """The sidecar's answer; raises what `Client.post` does."""
    body: JsonObject = {"arguments": dict(arguments)}
    if session is not None:
        body["session"] = session
    return client.post(f"/v1/tools/{segment(tool)}", body, timeout=wait + _MARGIN_S)


def check(client: Client, task_id: str) -> Standing:
    return _standing(client, call(client, "check_async_task", {"task_id": task_id}))


def wait(client: Client, task_id: str, seconds: float) -> Standing:
    """How it stands once it is over, or `seconds` have passed."""
    arguments = {"task_id": task_id, "timeout": seconds}
    return _standing(client, call(client, "wait_async_task", arguments, wait=seconds))


def wait_until(
    client: Client,
    task_id: str,
    *,
    step: float,
    left: Callable[[], float],
    show: Callable[[Standing], None],
) -> Standing:
    """Until it is over, or no seconds are `left`; `show` how it stands every `step` seconds."""
    while True:
        standing = wait(client, task_id, max(0.0, min(step, left())))
        if standing.over or left() <= 0:
            return standing
        show(standing)


def _standing(client: Client, answer: JsonObject) -> Standing:
    try:
        found = json.loads(str(answer.get("text")))
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise client.surprise("its answer does not say how the task stands")
    blocks = answer.get("content")
    listed = blocks[1:] if isinstance(blocks, list) else []
    texts = [b["text"] for b in listed if isinstance(b, dict) and isinstance(b.get("text"), str)]
    if texts:
        found = {**found, "result": "\n".join(texts)}
    kinds = [str(b.get("type")) for b in listed if isinstance(b, dict) and b.get("type") != "text"]
    return Standing(found, answer, tuple(kinds))
