"""Webhooks of clients are judged before anything is sent: by the addresses their hosts have.

The agent server resolves the name again when it posts, and nothing here can bind it to what was
found: a name that is its owner's to point elsewhere is only as good as its owner. So what keeps a
server from where it must not go is its own network; this keeps clients from asking for it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ..core.push.addresses import AllowList
from ..core.webhooks import UnclearWebhook, host_of, webhooks
from ..errors import BadBody, WebhookRefused

Resolve = Callable[[str], Awaitable[Sequence[str]]]

_PATIENCE_S = 5.0


async def resolve(host: str) -> Sequence[str]:
    """The addresses of a host, as the system has them. Raises OSError."""
    loop = asyncio.get_running_loop()
    return [str(each[4][0]) for each in await loop.getaddrinfo(host, None)]


class Webhooks:
    """Every address of a webhook's host has to be one that `allow` names."""

    def __init__(self, allow: AllowList, resolve: Resolve = resolve) -> None:
        self._allow = allow
        self._resolve = resolve

    async def judge(self, body: bytes) -> None:
        """Raises WebhookRefused, BadBody."""
        try:
            found = webhooks(body)
        except ValueError as error:
            raise BadBody(
                "this body cannot be read, so that nobody can tell which webhook it asks for; send "
                "plain JSON"
            ) from error
        for each in found:
            await self._judge(each)

    async def _judge(self, webhook: Any) -> None:
        try:
            host = host_of(webhook)
        except UnclearWebhook as error:
            raise _refused(f"{error}") from error
        if not self._allow.may_allow(host):
            raise _refused(f"'{host[:200]}' is not on the list")
        try:
            async with asyncio.timeout(_PATIENCE_S):
                addresses = await self._resolve(host)
        except (OSError, UnicodeError) as error:  # TimeoutError is an OSError
            raise _refused(f"'{host[:200]}' does not resolve") from error
        if not addresses or not all(self._allow.allows(host, each) for each in addresses):
            raise _refused(f"'{host[:200]}' has an address that is not on the list")


def _refused(why: str) -> WebhookRefused:
    return WebhookRefused(
        f"The webhook of this start is not allowed: {why} (webhook_allow). Nothing was started. "
        "Start it without a webhook and check on it instead, or have the operator allow its host."
    )
