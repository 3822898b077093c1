"""What of a request is held against the policy, and where it stands there."""

from dataclasses import fields
from inspect import signature
from types import SimpleNamespace
from typing import Any

from subagent_sidecar.core.wire import Act, Meaning
from subagent_sidecar.proxy.assistants import Assistants
from subagent_sidecar.proxy.bodies import RunBody
from subagent_sidecar.proxy.crossed import Told
from subagent_sidecar.proxy.starts import Starts
from subagent_sidecar.service import Service


class Admitting:
    """A service that keeps what it is told of a start."""

    async def admit(self, *said: object) -> None:
        self.said = signature(Service.admit).bind(self, *said).arguments
        del self.said["self"]


def nobody(**facts: object) -> Any:
    return SimpleNamespace(**facts)


async def unguarded() -> bool:
    return False


async def test_every_word_of_a_request_is_told_as_what_it_is() -> None:
    """They are handed on in their order, which no type checker watches over."""
    service = Admitting()
    starts = Starts(
        service=service,  # type: ignore[arg-type]
        doubts=nobody(),
        follower=nobody(),
        coalescer=nobody(),
        tidier=nobody(concerns=lambda thread_id: False),
        assistants=Assistants({}, now=float, guarded=unguarded),
        unrecorded=nobody(),
        remaining=nobody(of_start=lambda intent: None),
        webhooks=None,
    )
    body = RunBody(**{field.name: field.name for field in fields(RunBody)})  # type: ignore[arg-type]
    call = nobody(
        meaning=Meaning(Act.CRON_CREATE),
        request=nobody(
            principal=nobody(supervisor="supervisor", only=("agents",), every_task="every_task")
        ),
        target=nobody(name="upstream"),
        witness=nobody(claim="claim", admitted=lambda intent: None),
        told=Told("header_session", "request_id", "trace_parent", keyed=False),
    )
    await starts.admit(call, body, "thread_id")
    expected = {name: name for name in service.said} | {
        "body_session": "session_id",
        "items": (),
        "batch": False,
        "cron": True,
        "agents": ("agents",),
    }
    assert service.said == expected
